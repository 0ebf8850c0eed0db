//! Quotas of a pool's nodes: a pick reserves what it is expected to cost, its end commits what was used, or gives it back.
//!
//! A dimension keeps its place among the words while the pool has it, wherever the configuration lists it, so that what
//! is used of it and what open picks hold of it stays. A place that is free has the name 0 and no limit.

use arrayvec::ArrayVec;

use super::{Pool, Ticket};
use crate::control::config::QuotaLimit;
use crate::control::settings::ns;
use crate::policies::latency::RETRY_AFTER_MAX_NS;
use crate::policies::reserve::{self, Dimension, Quotas, Record, Refused, Reserved};
use crate::state::layout::{ENTRY_WORDS, QUOTAS_MAX, attention, pool_word};
use crate::state::lease::Leased;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::outcome::{Ending, Report};
use crate::vocabulary::time::{now_ns, saturating_nanos};

/// Words of a node: what it used, then its own limits plus one, 0 where it has the pool's.
pub(crate) const NODE_WORDS: usize = reserve::words(QUOTAS_MAX) + QUOTAS_MAX;
/// Words of a lease.
pub(crate) const LEASE_WORDS: usize = reserve::RECORD_WORDS;

/// What a request is expected to use, by the pool's dimensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    count: usize,
    amounts: [u64; QUOTAS_MAX],
}

impl Costs {
    /// Of each dimension.
    pub(crate) fn units(&self) -> &[u64] {
        &self.amounts[..self.count]
    }
}

/// One dimension as the words have it.
struct Words<'a>(&'a [AtomicU64]);

impl Words<'_> {
    fn load(&self, at: usize) -> u64 {
        self.0[at].load(Ordering::Relaxed)
    }

    fn store(&self, values: [u64; WORDS]) {
        self.0.iter().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
    }

    fn name_hash(&self) -> u64 {
        self.load(NAME)
    }

    fn limit(&self) -> u64 {
        self.load(LIMIT)
    }

    fn with_limit(&self, limit: u64) -> Dimension {
        Dimension {
            limit,
            bucket_ns: self.load(BUCKET),
            buckets: self.load(BUCKETS) as u32,
            ahead: self.load(AHEAD) as u32,
        }
    }

    fn default_cost(&self) -> u64 {
        self.load(DEFAULT_COST)
    }
}

const NAME: usize = 0;
const LIMIT: usize = 1;
const WINDOW: usize = 2;
const BUCKETS: usize = 3;
const DEFAULT_COST: usize = 4;
/// The length of a bucket.
const BUCKET: usize = 5;
/// How many of them a clock may be behind those of others.
const AHEAD: usize = 6;
/// Words of a dimension that are used.
const WORDS: usize = 7;

/// The words of a place without a dimension.
const FREE: [u64; WORDS] = [0, reserve::UNLIMITED, 0, 1, 0, 1, 0];

fn words_of(quota: &QuotaLimit) -> [u64; WORDS] {
    let QuotaLimit { limit, window_ms, buckets, default_cost, .. } = *quota;
    let Dimension { bucket_ns, ahead, .. } = Dimension::new(limit, ns(window_ms), buckets);
    let name = key_hash(quota.dimension.as_bytes());
    [name, limit, ns(window_ms), u64::from(buckets), default_cost, bucket_ns, u64::from(ahead)]
}

/// The words of all places: a dimension that is there stays where it is, and others take places that are free, first
/// those that were so before, of which open picks can hold nothing.
fn assign(names: impl Iterator<Item = u64>, quotas: &[QuotaLimit]) -> [[u64; WORDS]; QUOTAS_MAX] {
    let mut wanted: ArrayVec<[u64; WORDS], QUOTAS_MAX> = quotas.iter().take(QUOTAS_MAX).map(words_of).collect();
    let mut next = [FREE; QUOTAS_MAX];
    let mut free: ArrayVec<(bool, usize), QUOTAS_MAX> = ArrayVec::new();
    for (at, name) in names.take(QUOTAS_MAX).enumerate() {
        match wanted.iter().position(|values| values[NAME] == name) {
            Some(found) => next[at] = wanted.remove(found),
            None => free.push((name != 0, at)),
        }
    }
    free.sort_unstable();
    for ((_, at), values) in free.into_iter().zip(wanted) {
        next[at] = values;
    }
    next
}

impl Pool {
    fn places(&self) -> ArrayVec<Words<'_>, QUOTAS_MAX> {
        let words = self.memory.pool_words(pool_word::QUOTAS, pool_word::QUOTAS_END);
        words.chunks_exact(ENTRY_WORDS).take(QUOTAS_MAX).map(Words).collect()
    }

    /// The words of all places with these dimensions in force, and how many places are in use.
    pub(crate) fn places_of(&self, quotas: &[QuotaLimit]) -> ([[u64; WORDS]; QUOTAS_MAX], u32) {
        let next = assign(self.places().iter().map(Words::name_hash), quotas);
        let used = next.iter().rposition(|values| values[NAME] != 0).map_or(0, |last| last as u32 + 1);
        (next, used)
    }

    /// Puts these dimensions in force; how many places are in use. A dimension that is new, or whose window or buckets
    /// are others, begins with nothing used, and what open picks hold of it is forgotten. For the holder of the build
    /// lease.
    pub(crate) fn store_quotas(&self, quotas: &[QuotaLimit]) -> u32 {
        let (next, used) = self.places_of(quotas);
        let mut begun = 0;
        for (at, (place, next)) in self.places().iter().zip(&next).enumerate() {
            let is_other = [NAME, WINDOW, BUCKETS].iter().any(|&word| place.load(word) != next[word]);
            if is_other && (place.name_hash(), next[NAME]) != (0, 0) {
                // Nobody's until it has begun anew, or it would go on with what was used of another.
                place.store(FREE);
                begun |= 1 << at;
            }
        }
        if begun != 0 {
            self.begin_dimensions(begun);
        }
        self.places().iter().zip(&next).for_each(|(place, next)| place.store(*next));
        used
    }

    /// Has the dimensions at the places of `mask` begin anew.
    fn begin_dimensions(&self, mask: u64) {
        let used = self.memory.nodes_used();
        for index in 0..used {
            let own = &self.memory.quotas(index)[reserve::words(QUOTAS_MAX)..];
            for at in (0..QUOTAS_MAX).filter(|at| mask >> at & 1 != 0) {
                if own[at].load(Ordering::Relaxed) != 0 {
                    own[at].store(0, Ordering::Relaxed);
                }
                self.quota(index).reset_dimension(at);
            }
        }
        for (ticket, _) in self.memory.leases().open_tickets() {
            Record::new(self.memory.reservation(ticket.slot())).forget(mask);
        }
    }

    fn place_of(&self, dimension: &str) -> Option<usize> {
        let wanted = key_hash(dimension.as_bytes());
        self.dimensions().position(|place| place.name_hash() == wanted)
    }

    /// A node's own limit in a dimension, `None` where it has the pool's.
    pub(crate) fn own_limit(&self, index: usize, dimension: &str) -> Option<u64> {
        let own = &self.memory.quotas(index)[reserve::words(QUOTAS_MAX)..];
        own.get(self.place_of(dimension)?)?.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Has so much of a dimension count as used from now on, instead of what does; nothing if the pool does not have it.
    pub(crate) fn set_used(&self, index: usize, dimension: &str, amount: u64, now_ns: u64) {
        let Some(place) = self.place_of(dimension) else { return };
        let mut used = [0; QUOTAS_MAX];
        used[place] = amount;
        self.quota(index).reset_dimension(place);
        self.quota(index).commit(&self.limits_of(index), &Reserved::default(), &used, now_ns);
    }

    fn dimensions(&self) -> impl Iterator<Item = Words<'_>> {
        let count = (self.live().quotas() as usize).min(QUOTAS_MAX);
        let words = self.memory.pool_words(pool_word::QUOTAS, pool_word::QUOTAS_END);
        words.chunks_exact(ENTRY_WORDS).take(count).map(Words)
    }

    /// What amounts by name are by dimension; names that are not known are unlimited, those that are missing cost
    /// `otherwise`.
    fn by_dimension(&self, amounts: &[(&str, u64)], otherwise: impl Fn(usize, u64) -> u64) -> Costs {
        let mut costs = Costs { count: 0, amounts: [0; QUOTAS_MAX] };
        for (at, dimension) in self.dimensions().enumerate() {
            let wanted = dimension.name_hash();
            let named = amounts.iter().filter(|(name, _)| key_hash(name.as_bytes()) == wanted).map(|&(_, n)| n);
            let sum = named.reduce(u64::saturating_add);
            costs.amounts[at] = sum.unwrap_or_else(|| otherwise(at, dimension.default_cost()));
            costs.count = at + 1;
        }
        costs
    }

    /// What a request costs; `None` if there are no quotas.
    pub(crate) fn costs_of(&self, cost: &[(&str, u64)]) -> Option<Costs> {
        (self.live().quotas() != 0).then(|| self.by_dimension(cost, |_, default| default))
    }

    /// The pool's dimensions with a node's own limits.
    fn limits_of(&self, index: usize) -> ArrayVec<Dimension, QUOTAS_MAX> {
        let own = &self.memory.quotas(index)[reserve::words(QUOTAS_MAX)..];
        let limit = |(dimension, own): (Words<'_>, &AtomicU64)| {
            let limit = own.load(Ordering::Relaxed).checked_sub(1).unwrap_or_else(|| dimension.limit());
            dimension.with_limit(limit)
        };
        self.dimensions().zip(own).map(limit).collect()
    }

    fn quota(&self, index: usize) -> Quotas<'_> {
        let words = &self.memory.quotas(index)[..reserve::words(QUOTAS_MAX)];
        Quotas::new(self.memory.guard(index).exhausted_until(), words)
    }

    pub(crate) fn has_quota(&self, index: usize, costs: &Costs, now_ns: u64) -> bool {
        self.quota(index).has_room(&self.limits_of(index), costs.units(), now_ns)
    }

    /// When a node has room for the costs; `None`: never.
    pub(crate) fn quota_at(&self, index: usize, costs: &Costs, now_ns: u64) -> Option<u64> {
        self.quota(index).room_at(&self.limits_of(index), costs.units(), now_ns)
    }

    pub(crate) fn reserve(&self, index: usize, costs: &Costs, now_ns: u64) -> Result<Reserved, Refused> {
        self.quota(index).try_reserve(&self.limits_of(index), costs.units(), now_ns)
    }

    pub(crate) fn refund(&self, index: usize, reserved: &Reserved) {
        self.quota(index).refund(&self.limits_of(index), reserved);
    }

    pub(crate) fn keep_reservation(&self, ticket: Ticket, reserved: &Reserved) {
        Record::new(self.memory.reservation(ticket.slot())).write(ticket, reserved);
    }

    /// What a ticket holds. Means something once its close has succeeded, and has to be read before.
    #[inline(always)]
    pub(crate) fn reservation_of(&self, ticket: Ticket) -> Option<Reserved> {
        if self.live().quotas() == 0 { None } else { Some(self.read_reservation(ticket)) }
    }

    #[cold]
    fn read_reservation(&self, ticket: Ticket) -> Reserved {
        Record::new(self.memory.reservation(ticket.slot())).read(ticket)
    }

    /// Commits what was used, or gives back what was not.
    pub(crate) fn settle_reservation(&self, leased: Leased, held: Option<&Reserved>, report: &Report<'_>) {
        let index = leased.node as usize;
        if let Some(held) = held.filter(|held| !held.is_empty() || !report.usage.is_empty()) {
            let limits = self.limits_of(index);
            if report.ending == Ending::Cancelled && report.usage.is_empty() {
                self.quota(index).refund(&limits, held);
            } else {
                let actual = self.by_dimension(report.usage, |at, _| held.amount(at));
                let now = report.now_ns.unwrap_or_else(now_ns);
                self.quota(index).commit(&limits, held, actual.units(), now);
            }
        }
        if let Ending::RateLimited { retry_after: Some(retry_after) } = report.ending {
            self.exhaust(index, saturating_nanos(retry_after), report.now_ns.unwrap_or_else(now_ns));
        }
    }

    /// Leaves a node out for as long as it asked, up to 300 s; the last word counts.
    pub(crate) fn exhaust(&self, index: usize, retry_after_ns: u64, now_ns: u64) {
        self.quota(index).exhaust(now_ns.saturating_add(retry_after_ns.min(RETRY_AFTER_MAX_NS)));
        self.memory.pool(pool_word::ATTENTION).fetch_or(attention::EXHAUSTED, Ordering::Release);
    }

    pub(crate) fn exhausted_until(&self, index: usize) -> u64 {
        self.quota(index).exhausted_until()
    }

    /// Brings a node's own limits in line with its description.
    pub(crate) fn set_quotas(&self, index: usize) {
        let own = &self.memory.quotas(index)[reserve::words(QUOTAS_MAX)..];
        for (dimension, word) in self.dimensions().zip(own) {
            let limit = self.memory.record(index).quota(dimension.name_hash());
            word.store(limit.map_or(0, |limit| limit.saturating_add(1)), Ordering::Relaxed);
        }
    }

    /// For another node at the index.
    pub(crate) fn forget_quotas(&self, index: usize) {
        // Where there are none, their memory is not there; a dimension that is new begins anew with all nodes.
        if self.live().quotas() != 0 {
            self.quota(index).reset();
        }
    }

    /// What was used begins with nothing, and nobody asked to be left out.
    pub(crate) fn forget_usage(&self, index: usize) {
        self.quota(index).exhaust(0);
        (0..QUOTAS_MAX).for_each(|at| self.quota(index).reset_dimension(at));
    }

    /// Used and limit of a node in each of these dimensions of the pool.
    pub(crate) fn quotas_used(&self, index: usize, quotas: &[QuotaLimit], now_ns: u64) -> Vec<(u64, u64)> {
        let limits = self.limits_of(index);
        let used = |at: usize| Some((self.quota(index).used(&limits, at, now_ns), limits.get(at)?.limit));
        let of = |quota: &QuotaLimit| self.place_of(&quota.dimension).and_then(used).unwrap_or((0, quota.limit));
        quotas.iter().map(of).collect()
    }

    /// The least share of a quota that is left; `None` without quotas.
    pub(crate) fn quota_left(&self, index: usize, now_ns: u64) -> Option<f64> {
        (self.live().quotas() != 0).then(|| self.quota(index).remaining_ratio(&self.limits_of(index), now_ns))
    }

    pub(crate) fn sweep_quotas(&self, index: usize, now_ns: u64) {
        if self.live().quotas() != 0 {
            self.quota(index).sweep(&self.limits_of(index), now_ns);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn names(words: [[u64; WORDS]; QUOTAS_MAX]) -> Vec<u64> {
        words.iter().map(|values| values[NAME]).collect()
    }

    #[test]
    fn dimensions_stay_and_others_take_what_was_free_first() {
        let quota = |name: &str| QuotaLimit { dimension: name.to_owned(), limit: 5, ..QuotaLimit::default() };
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| key_hash(name.as_bytes()));
        let first = assign([0; QUOTAS_MAX].into_iter(), &["a", "b", "c"].map(quota));
        assert_eq!(names(first), [a, b, c, 0, 0, 0, 0, 0]);
        assert_eq!(first[3], FREE);
        // b's place is free, but picks can still hold something of b.
        let second = assign(names(first).into_iter(), &["d", "c", "a"].map(quota));
        assert_eq!(names(second), [a, 0, c, d, 0, 0, 0, 0]);
        let third = assign(names(second).into_iter(), &["b", "d"].map(quota));
        assert_eq!(names(third), [0, b, 0, d, 0, 0, 0, 0]);
        // Unless there is no other.
        let full = ["1", "2", "3", "4", "5", "6", "7", "8"].map(quota);
        let others = assign(names(assign([0; QUOTAS_MAX].into_iter(), &full)).into_iter(), &["a"].map(quota));
        assert_eq!(names(others), [a, 0, 0, 0, 0, 0, 0, 0]);
    }
}
