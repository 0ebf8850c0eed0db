//! Who is eligible for one request, and the plan's nodes as candidates of a rule.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrayvec::ArrayVec;

use super::{Candidate, Pool, Request};
use crate::plan::view::PlanView;
use crate::state::arena::Packed16;
use crate::strategy::candidates::Candidates;
use crate::strategy::hashing::HashCandidates;
use crate::vocabulary::hash::label_hash;

/// Exclusions and labels that fit on the stack; more go to the heap.
const INLINE: usize = 32;

/// A request's conditions beside health, resolved against one plan.
pub(crate) struct Filter<'a> {
    request: &'a Request<'a>,
    excluded: Few<u16>,
    labels: Few<u64>,
    /// Whether the predicate panicked.
    pub(crate) failed: Cell<bool>,
}

/// A short list, without allocation while it is short.
enum Few<T> {
    Inline(ArrayVec<T, INLINE>),
    Heap(Vec<T>),
}

impl<T> Few<T> {
    fn collect(items: impl Iterator<Item = T>) -> Self {
        let mut inline = ArrayVec::new();
        let mut items = items;
        for item in items.by_ref() {
            if let Err(full) = inline.try_push(item) {
                let mut heap: Vec<T> = inline.into_iter().collect();
                heap.push(full.element());
                heap.extend(items);
                return Self::Heap(heap);
            }
        }
        Self::Inline(inline)
    }

    fn as_slice(&self) -> &[T] {
        match self {
            Self::Inline(items) => items,
            Self::Heap(items) => items,
        }
    }
}

impl<'a> Filter<'a> {
    pub(crate) fn new(pool: &Pool, plan: PlanView<'_>, request: &'a Request<'a>) -> Self {
        let by_id = request.exclude.iter().filter_map(|id| pool.find(plan, id));
        let by_ref =
            request.exclude_nodes.iter().filter(|node| pool.is_current(**node)).map(|node| node.index as usize);
        Self {
            request,
            excluded: Few::collect(by_id.chain(by_ref).map(|index| index as u16)),
            labels: Few::collect(request.require.iter().map(|(key, value)| label_hash(key, value))),
            failed: Cell::new(false),
        }
    }

    /// Whether nothing is left to check but health: all exclusions name nodes that are not there.
    pub(crate) fn is_void(&self) -> bool {
        self.excluded.as_slice().is_empty() && self.labels.as_slice().is_empty() && self.request.predicate.is_none()
    }

    pub(crate) fn excludes(&self, c: usize) -> bool {
        self.excluded.as_slice().iter().any(|&e| usize::from(e) == c)
    }

    pub(crate) fn matches(&self, pool: &Pool, c: usize) -> bool {
        let labels = self.labels.as_slice();
        (labels.is_empty() || pool.memory.record(c).has_labels(labels)) && self.predicate_accepts(pool, c)
    }

    fn predicate_accepts(&self, pool: &Pool, c: usize) -> bool {
        let Some(predicate) = self.request.predicate else { return true };
        // A predicate that panics half through has no state of ours in its hands.
        catch_unwind(AssertUnwindSafe(|| predicate(&Candidate { pool, index: c }))).unwrap_or_else(|_| {
            self.failed.set(true);
            false
        })
    }
}

/// The nodes of a plan as candidates, their numbers being node indices.
pub(crate) struct PoolCandidates<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) members: Packed16<'a>,
    pub(crate) len: usize,
    pub(crate) mask: u32,
    /// `None`: only health counts.
    pub(crate) filter: Option<&'a Filter<'a>>,
}

impl Candidates for PoolCandidates<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn at(&self, position: usize) -> usize {
        usize::from(self.members.get(position))
    }

    #[inline(always)]
    fn fit(&self, c: usize) -> bool {
        self.pool.memory.node(c).state().fit(self.mask)
            && match self.filter {
                None => true,
                Some(filter) => !filter.excludes(c) && filter.matches(self.pool, c),
            }
    }

    #[inline(always)]
    fn weight(&self, c: usize) -> u32 {
        self.pool.memory.node(c).weight()
    }
}

impl HashCandidates for PoolCandidates<'_> {
    #[inline(always)]
    fn id_hash(&self, c: usize) -> u64 {
        self.pool.memory.node(c).id_hash()
    }

    #[inline(always)]
    fn in_flight(&self, c: usize) -> u64 {
        self.pool.memory.in_flight(c)
    }
}
