//! Who is eligible for one request, beside health.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrayvec::ArrayVec;

use super::decision::Decision;
use super::{Candidate, Pool, Request};
use crate::plan::view::PlanView;
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
        let by_id = request.exclude.iter().filter_map(|id| pool.member(plan, id));
        let by_ref =
            request.exclude_nodes.iter().filter(|node| pool.is_current(**node)).map(|node| node.index as usize);
        Self {
            request,
            excluded: Few::collect(by_id.chain(by_ref).map(|index| index as u16)),
            labels: Few::collect(request.require.iter().map(|(key, value)| label_hash(key, value))),
            failed: Cell::new(false),
        }
    }

    /// What a decision's request asks for beside an available node; `None` if that is nothing.
    pub(crate) fn of(pool: &Pool, d: Decision<'a>) -> Option<Self> {
        if d.request.is_plain() {
            return None;
        }
        Some(Self::new(pool, d.plan, d.request)).filter(|filter| !filter.is_void())
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
