//! How much of its quotas a node has used, for hosts that choose without a pool: requests a minute, tokens a day.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::window::Window;
use crate::vocabulary::time::{Nanos, now_ns, saturating_nanos};

/// One limit: so many units of one kind in a window of time.
///
/// ```
/// use loadwise::quota::QuotaDimension;
/// use std::time::Duration;
///
/// let tokens = QuotaDimension::builder().name("tpm".into()).window(Duration::from_secs(60)).limit(90_000).build();
/// assert_eq!(tokens.resolution, 6);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, bon::Builder)]
pub struct QuotaDimension {
    /// What amounts refer to it by. Two dimensions of one name are two limits on the same thing, as a minute's and a day's.
    pub name: String,
    /// How long an amount counts. It stops counting with the bucket it fell into, up to `window / resolution` early.
    pub window: Duration,
    /// Units in the window. With 0, nothing can be reserved.
    pub limit: u64,
    /// Buckets of the window, 1 ..= 4096; values beyond are taken as the nearest of these. None is shorter than 1 ns.
    /// Default 6.
    #[builder(default = 6)]
    pub resolution: usize,
}

/// All limits of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, bon::Builder)]
pub struct QuotaConfig {
    pub dimensions: Vec<QuotaDimension>,
}

/// The quotas of any number of nodes. Shared by reference between threads; nodes don't wait for each other.
///
/// Amounts are pairs of a dimension's name and a number of units; a name given twice counts twice, and one that the node
/// has no limit for is not limited. A node that is not registered has no limits at all.
///
/// Two callers that ask [`has_capacity`](Self::has_capacity) can both hear yes and together exceed the limit:
/// [`try_reserve`](Self::try_reserve) asks and takes in one step.
///
/// ```
/// use loadwise::quota::{QuotaConfig, QuotaDimension, QuotaTracker};
/// use std::time::Duration;
///
/// let minute = |name: &str, limit| {
///     QuotaDimension::builder().name(name.into()).window(Duration::from_secs(60)).limit(limit).build()
/// };
/// let quotas = QuotaTracker::new();
/// let dimensions = vec![minute("rpm", 100), minute("tpm", 4_000)];
/// quotas.register(&"key-1", QuotaConfig::builder().dimensions(dimensions).build());
///
/// // A request that may take 3 000 tokens is let in; a second one is not, and takes nothing of either.
/// assert!(quotas.try_reserve(&"key-1", &[("rpm", 1), ("tpm", 3_000)]));
/// assert!(!quotas.try_reserve(&"key-1", &[("rpm", 1), ("tpm", 3_000)]));
/// assert_eq!(quotas.remaining(&"key-1", "rpm"), 99);
///
/// // The first took 800 in the end. The rest goes back.
/// quotas.refund(&"key-1", &[("tpm", 2_200)]);
/// assert_eq!(quotas.remaining(&"key-1", "tpm"), 3_200);
/// assert_eq!(quotas.pressure(&"key-1"), 0.2);
/// ```
pub struct QuotaTracker<Id: Eq + Hash + Clone> {
    nodes: RwLock<HashMap<Id, Mutex<NodeQuota>>>,
}

struct NodeQuota {
    dimensions: Vec<Dimension>,
    /// The node said so itself; 0 if it never did.
    exhausted_until_ns: Nanos,
}

struct Dimension {
    name: String,
    limit: u64,
    window: Window,
}

impl<Id: Eq + Hash + Clone> QuotaTracker<Id> {
    /// A tracker without nodes.
    pub fn new() -> Self {
        Self { nodes: RwLock::new(HashMap::new()) }
    }

    /// Sets the limits of a node, whose windows begin now. What was used under earlier limits is forgotten.
    pub fn register(&self, id: &Id, config: QuotaConfig) {
        self.register_at(id, config, now_ns());
    }

    /// [`register`](Self::register) at a time of the caller's.
    pub fn register_at(&self, id: &Id, config: QuotaConfig, now_ns: Nanos) {
        let dimensions = config.dimensions.into_iter().map(|d| Dimension::new(d, now_ns)).collect();
        self.nodes.write().insert(id.clone(), Mutex::new(NodeQuota { dimensions, exhausted_until_ns: 0 }));
    }

    /// Forgets a node and its limits: it is unlimited from now on. Whether it was registered.
    pub fn forget(&self, id: &Id) -> bool {
        self.nodes.write().remove_entry(id).is_some()
    }

    /// Counts what was used, also beyond the limit. Whether the node is registered.
    pub fn record_usage(&self, id: &Id, amounts: &[(&str, u64)]) -> bool {
        self.record_usage_at(id, amounts, now_ns())
    }

    /// [`record_usage`](Self::record_usage) at a time of the caller's.
    pub fn record_usage_at(&self, id: &Id, amounts: &[(&str, u64)], now_ns: Nanos) -> bool {
        self.with(id, |node| node.record(amounts, now_ns)).is_some()
    }

    /// Takes the amounts in every dimension if each has room for them, else in none. Whether they were taken.
    ///
    /// However many threads ask at once, no limit is exceeded by reservations. Not while the node is exhausted.
    #[must_use = "a reservation that was refused must not be used"]
    pub fn try_reserve(&self, id: &Id, amounts: &[(&str, u64)]) -> bool {
        self.try_reserve_at(id, amounts, now_ns())
    }

    /// [`try_reserve`](Self::try_reserve) at a time of the caller's.
    #[must_use = "a reservation that was refused must not be used"]
    pub fn try_reserve_at(&self, id: &Id, amounts: &[(&str, u64)], now_ns: Nanos) -> bool {
        let reserve = |node: &mut NodeQuota| {
            let fits = node.has_capacity(amounts, now_ns);
            if fits {
                node.record(amounts, now_ns);
            }
            fits
        };
        self.with(id, reserve).unwrap_or(true)
    }

    /// Gives back what was reserved or recorded and then not used. More than counts is no more than all of it.
    ///
    /// For what was taken so short ago that it still counts: when that is not certain, [`refund_at`](Self::refund_at)
    /// is the form that cannot give back what others have taken since.
    pub fn refund(&self, id: &Id, amounts: &[(&str, u64)]) {
        let now_ns = now_ns();
        self.with(id, |node| node.change(amounts, |window, amount| window.take_back_oldest(amount, now_ns)));
    }

    /// Gives back what was taken at `taken_ns`, the time given to [`try_reserve_at`](Self::try_reserve_at) or
    /// [`record_usage_at`](Self::record_usage_at). Does nothing if that counts no more.
    pub fn refund_at(&self, id: &Id, amounts: &[(&str, u64)], taken_ns: Nanos) {
        self.with(id, |node| node.change(amounts, |window, amount| window.take_back(amount, taken_ns)));
    }

    /// Takes the node out for `duration` from now, whatever its limits say: what a server asks for by `Retry-After`.
    /// The last word counts; a duration of zero lets the node in again.
    pub fn mark_exhausted(&self, id: &Id, duration: Duration) {
        self.mark_exhausted_at(id, duration, now_ns());
    }

    /// [`mark_exhausted`](Self::mark_exhausted) at a time of the caller's.
    pub fn mark_exhausted_at(&self, id: &Id, duration: Duration, now_ns: Nanos) {
        let until_ns = now_ns.saturating_add(saturating_nanos(duration));
        self.with(id, |node| node.exhausted_until_ns = until_ns);
    }

    /// Whether every dimension has room for the amounts and the node is not exhausted.
    pub fn has_capacity(&self, id: &Id, estimated: &[(&str, u64)]) -> bool {
        self.has_capacity_at(id, estimated, now_ns())
    }

    /// [`has_capacity`](Self::has_capacity) at a time of the caller's, also a later one.
    pub fn has_capacity_at(&self, id: &Id, estimated: &[(&str, u64)], now_ns: Nanos) -> bool {
        self.with(id, |node| node.has_capacity(estimated, now_ns)).unwrap_or(true)
    }

    /// Units left in a dimension, whether or not the node is exhausted; `u64::MAX` if there is no such limit.
    pub fn remaining(&self, id: &Id, dimension: &str) -> u64 {
        self.remaining_at(id, dimension, now_ns())
    }

    /// [`remaining`](Self::remaining) at a time of the caller's, also a later one.
    pub fn remaining_at(&self, id: &Id, dimension: &str, now_ns: Nanos) -> u64 {
        let least = |node: &mut NodeQuota| node.named(dimension).map(|d| d.remaining(now_ns)).min();
        self.with(id, least).flatten().unwrap_or(u64::MAX)
    }

    /// The share that is used of the dimension nearest to its limit: 0.0 nothing, 1.0 all of it, or exhausted. A limit
    /// of 0 has no shares and is left out.
    pub fn pressure(&self, id: &Id) -> f64 {
        self.pressure_at(id, now_ns())
    }

    /// [`pressure`](Self::pressure) at a time of the caller's, also a later one.
    pub fn pressure_at(&self, id: &Id, now_ns: Nanos) -> f64 {
        self.with(id, |node| node.pressure(now_ns)).unwrap_or(0.0)
    }

    fn with<T>(&self, id: &Id, f: impl FnOnce(&mut NodeQuota) -> T) -> Option<T> {
        self.nodes.read().get(id).map(|node| f(&mut node.lock()))
    }
}

impl<Id: Eq + Hash + Clone> Default for QuotaTracker<Id> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Id: Eq + Hash + Clone> fmt::Debug for QuotaTracker<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaTracker").field("nodes", &self.nodes.read().len()).finish_non_exhaustive()
    }
}

impl NodeQuota {
    fn has_capacity(&self, amounts: &[(&str, u64)], now_ns: Nanos) -> bool {
        let fits = |d: &Dimension| d.total(amounts) <= u128::from(d.remaining(now_ns));
        now_ns >= self.exhausted_until_ns && self.dimensions.iter().all(fits)
    }

    fn record(&mut self, amounts: &[(&str, u64)], now_ns: Nanos) {
        self.change(amounts, |window, amount| window.record(amount, now_ns));
    }

    fn change(&mut self, amounts: &[(&str, u64)], apply: impl Fn(&mut Window, u64)) {
        for dimension in &mut self.dimensions {
            let total = dimension.total(amounts);
            if total > 0 {
                apply(&mut dimension.window, u64::try_from(total).unwrap_or(u64::MAX));
            }
        }
    }

    fn pressure(&self, now_ns: Nanos) -> f64 {
        if now_ns < self.exhausted_until_ns {
            return 1.0;
        }
        let limited = self.dimensions.iter().filter(|d| d.limit > 0);
        limited.map(|d| d.window.used(now_ns) as f64 / d.limit as f64).fold(0.0, f64::max).min(1.0)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Dimension> {
        self.dimensions.iter().filter(move |d| d.name == name)
    }
}

impl Dimension {
    fn new(config: QuotaDimension, start_ns: Nanos) -> Self {
        let window = Window::new(config.window, config.resolution, start_ns);
        Self { name: config.name, limit: config.limit, window }
    }

    /// Of all amounts, those of this dimension. Wide, so that a sum cannot wrap into something that fits.
    fn total(&self, amounts: &[(&str, u64)]) -> u128 {
        amounts.iter().filter(|(name, _)| *name == self.name).map(|&(_, amount)| u128::from(amount)).sum()
    }

    fn remaining(&self, now_ns: Nanos) -> u64 {
        self.limit.saturating_sub(self.window.used(now_ns))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::vocabulary::rng::Draws;
    use crate::vocabulary::time::NANOS_PER_SEC;

    const MINUTE_NS: Nanos = 60 * NANOS_PER_SEC;
    const T0: Nanos = 1_000_000;

    fn dimension(name: &str, window_s: u64, limit: u64) -> QuotaDimension {
        QuotaDimension::builder().name(name.into()).window(Duration::from_secs(window_s)).limit(limit).build()
    }

    /// A tracker with one node "a", registered at [`T0`].
    fn tracker(dimensions: Vec<QuotaDimension>) -> QuotaTracker<&'static str> {
        let tracker = QuotaTracker::new();
        tracker.register_at(&"a", QuotaConfig { dimensions }, T0);
        tracker
    }

    #[test]
    fn usage_lowers_what_remains_and_raises_pressure() {
        let t = tracker(vec![dimension("rpm", 60, 100), dimension("tpm", 60, 1000)]);
        assert!(t.record_usage_at(&"a", &[("rpm", 10), ("tpm", 400), ("images", 3)], T0));
        assert_eq!((t.remaining_at(&"a", "rpm", T0), t.remaining_at(&"a", "tpm", T0)), (90, 600));
        assert_eq!(t.remaining_at(&"a", "images", T0), u64::MAX);
        assert_eq!(t.pressure_at(&"a", T0), 0.4);
        assert!(t.record_usage_at(&"a", &[("rpm", 200)], T0), "usage is a fact, also beyond the limit");
        assert_eq!((t.remaining_at(&"a", "rpm", T0), t.pressure_at(&"a", T0)), (0, 1.0));
    }

    #[test]
    fn usage_is_forgotten_when_its_window_has_passed() {
        let t = tracker(vec![dimension("rpm", 60, 100)]);
        t.record_usage_at(&"a", &[("rpm", 100)], T0);
        assert!(!t.has_capacity_at(&"a", &[("rpm", 1)], T0 + MINUTE_NS - 1));
        assert!(t.has_capacity_at(&"a", &[("rpm", 100)], T0 + MINUTE_NS));
        assert!(!t.has_capacity_at(&"a", &[("rpm", 1)], T0), "asking ahead has changed nothing");
    }

    #[test]
    fn a_node_that_is_not_registered_is_unlimited() {
        let t = tracker(vec![]);
        assert!(!t.record_usage_at(&"b", &[("rpm", 1)], T0));
        assert!(t.has_capacity_at(&"b", &[("rpm", u64::MAX)], T0));
        assert!(t.try_reserve_at(&"b", &[("rpm", u64::MAX)], T0));
        assert_eq!((t.remaining_at(&"b", "rpm", T0), t.pressure_at(&"b", T0)), (u64::MAX, 0.0));
        t.mark_exhausted_at(&"b", Duration::MAX, T0);
        t.refund_at(&"b", &[("rpm", 1)], T0);
        assert!(t.has_capacity_at(&"b", &[], T0));
        assert_eq!(format!("{t:?}"), "QuotaTracker { nodes: 1, .. }");
    }

    #[test]
    fn exhaustion_ends_at_its_time() {
        let t = tracker(vec![dimension("rpm", 60, 100)]);
        t.mark_exhausted_at(&"a", Duration::from_secs(30), T0);
        let until = T0 + 30 * NANOS_PER_SEC;
        assert!(!t.has_capacity_at(&"a", &[], until - 1));
        assert!(!t.try_reserve_at(&"a", &[("rpm", 1)], until - 1));
        assert_eq!((t.pressure_at(&"a", until - 1), t.pressure_at(&"a", until)), (1.0, 0.0));
        assert_eq!(t.remaining_at(&"a", "rpm", until - 1), 100);
        assert!(t.try_reserve_at(&"a", &[("rpm", 1)], until));
        t.mark_exhausted_at(&"a", Duration::MAX, T0);
        assert!(!t.has_capacity_at(&"a", &[], u64::MAX - 1));
        t.mark_exhausted_at(&"a", Duration::ZERO, T0);
        assert!(t.has_capacity_at(&"a", &[], T0));
    }

    #[test]
    fn a_reservation_is_all_or_nothing() {
        let t = tracker(vec![dimension("rpm", 60, 2), dimension("tpm", 60, 1000)]);
        assert!(!t.try_reserve_at(&"a", &[("rpm", 1), ("tpm", 1001)], T0));
        assert!(!t.try_reserve_at(&"a", &[("tpm", 1), ("rpm", 3)], T0));
        assert_eq!((t.remaining_at(&"a", "rpm", T0), t.remaining_at(&"a", "tpm", T0)), (2, 1000));
        assert!(t.try_reserve_at(&"a", &[("rpm", 2), ("tpm", 1000)], T0));
        assert!(t.try_reserve_at(&"a", &[("rpm", 0), ("images", 9)], T0), "nothing limited is asked for");
        assert!(!t.try_reserve_at(&"a", &[("rpm", 1)], T0));
    }

    #[test]
    fn a_name_given_twice_counts_twice() {
        let t = tracker(vec![dimension("rpm", 60, 10)]);
        assert!(!t.has_capacity_at(&"a", &[("rpm", 6), ("rpm", 6)], T0));
        assert!(!t.try_reserve_at(&"a", &[("rpm", u64::MAX), ("rpm", 6)], T0));
        assert!(t.try_reserve_at(&"a", &[("rpm", 4), ("rpm", 6)], T0));
        assert_eq!(t.remaining_at(&"a", "rpm", T0), 0);
    }

    #[test]
    fn two_limits_of_one_name_both_hold() {
        let t = tracker(vec![dimension("requests", 60, 3), dimension("requests", 3600, 5)]);
        assert!(t.try_reserve_at(&"a", &[("requests", 3)], T0));
        assert!(!t.try_reserve_at(&"a", &[("requests", 1)], T0));
        let next = T0 + MINUTE_NS;
        assert_eq!(t.remaining_at(&"a", "requests", next), 2);
        assert!(!t.try_reserve_at(&"a", &[("requests", 3)], next));
        assert!(t.try_reserve_at(&"a", &[("requests", 2)], next));
    }

    #[test]
    fn a_refund_makes_room() {
        let t = tracker(vec![dimension("tpm", 60, 1000)]);
        assert!(t.try_reserve_at(&"a", &[("tpm", 1000)], T0));
        t.refund_at(&"a", &[("tpm", 400)], T0);
        assert!(!t.try_reserve_at(&"a", &[("tpm", 401)], T0));
        assert!(t.try_reserve_at(&"a", &[("tpm", 400)], T0));
        t.refund_at(&"a", &[("tpm", u64::MAX), ("tpm", 1)], T0);
        assert_eq!(t.remaining_at(&"a", "tpm", T0), 1000, "never more than all");
    }

    #[test]
    fn a_late_refund_takes_nothing_from_others() {
        let t = tracker(vec![dimension("tpm", 60, 1000)]);
        assert!(t.try_reserve_at(&"a", &[("tpm", 900)], T0));
        let next = T0 + MINUTE_NS;
        assert!(t.try_reserve_at(&"a", &[("tpm", 1000)], next));
        t.refund_at(&"a", &[("tpm", 900)], T0);
        assert_eq!(t.remaining_at(&"a", "tpm", next), 0);
    }

    #[test]
    fn the_plain_forms_read_the_clock() {
        let t = QuotaTracker::<String>::default();
        let id = "a".to_owned();
        // A window of a day, in one bucket from now on: no test runs into its end.
        let day = QuotaDimension { resolution: 1, ..dimension("rpd", 86_400, 10) };
        t.register(&id, QuotaConfig { dimensions: vec![day] });
        assert!(t.try_reserve(&id, &[("rpd", 6)]) && !t.try_reserve(&id, &[("rpd", 5)]));
        assert!(t.record_usage(&id, &[("rpd", 2)]));
        t.refund(&id, &[("rpd", 3)]);
        assert_eq!((t.remaining(&id, "rpd"), t.pressure(&id)), (5, 0.5));
        assert!(t.has_capacity(&id, &[("rpd", 5)]) && !t.has_capacity(&id, &[("rpd", 6)]));
        t.mark_exhausted(&id, Duration::from_secs(86_400));
        assert!(!t.has_capacity(&id, &[]));
        assert!(t.forget(&id) && !t.forget(&id));
        assert!(t.has_capacity(&id, &[("rpd", 6)]));
    }

    #[test]
    fn registering_again_begins_anew() {
        let t = tracker(vec![dimension("rpm", 60, 10)]);
        t.record_usage_at(&"a", &[("rpm", 10)], T0);
        t.mark_exhausted_at(&"a", Duration::MAX, T0);
        t.register_at(&"a", QuotaConfig { dimensions: vec![dimension("rpm", 60, 20)] }, T0);
        assert!(t.has_capacity_at(&"a", &[("rpm", 20)], T0));
    }

    #[test]
    fn values_that_cannot_be_do_not_panic() {
        for (window, resolution) in [(0, 0), (0, 6), (60, 0), (1, usize::MAX), (u64::MAX, 1)] {
            let odd = QuotaDimension { resolution, ..dimension("rpm", window, 1) };
            let t = tracker(vec![odd, dimension("none", 60, 0)]);
            assert!(t.try_reserve_at(&"a", &[("rpm", 1)], T0), "{window} s in {resolution} buckets");
            assert!(!t.try_reserve_at(&"a", &[("rpm", 1)], T0), "{window} s in {resolution} buckets");
            assert!(!t.try_reserve_at(&"a", &[("none", 1)], T0));
            assert_eq!(t.pressure_at(&"a", T0), 1.0);
        }
    }

    /// Eight threads take from three limits until the tightest is used up: all of it, and nothing more.
    #[test]
    fn racing_reservations_never_exceed_a_limit() {
        for round in 0..20u64 {
            let t = tracker(vec![dimension("rpm", 60, 1000), dimension("tpm", 60, 4001), dimension("all", 60, 5001)]);
            let (requests, tokens) = (AtomicU64::new(0), AtomicU64::new(0));
            std::thread::scope(|scope| {
                for thread in 0..8 {
                    let (t, requests, tokens) = (&t, &requests, &tokens);
                    scope.spawn(move || {
                        let mut draws = Draws::seeded(round, thread);
                        for _ in 0..1000 {
                            let wanted = 1 + draws.below(9);
                            if t.try_reserve_at(&"a", &[("tpm", wanted), ("all", wanted), ("rpm", 1), ("all", 1)], T0) {
                                tokens.fetch_add(wanted, Ordering::Relaxed);
                                requests.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                }
            });
            let (requests, tokens) = (requests.into_inner(), tokens.into_inner());
            assert!(requests <= 1000 && tokens <= 4001 && tokens + requests <= 5001, "{requests} with {tokens}");
            let remaining = ["rpm", "tpm", "all"].map(|name| t.remaining_at(&"a", name, T0));
            assert_eq!(remaining, [1000 - requests, 4001 - tokens, 5001 - tokens - requests]);
            assert!(
                remaining[1] == 0 || remaining[2] <= 1 || remaining[0] == 0,
                "room for one more was left: {remaining:?}"
            );
        }
    }

    /// Threads that reserve and give back all the time: at no moment do they hold more than the limit, and at the end
    /// all of it is there.
    #[test]
    fn racing_refunds_lose_nothing() {
        let t = tracker(vec![dimension("slots", 60, 3)]);
        let held = AtomicU64::new(0);
        let over = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for i in 0..2000u64 {
                        let now = T0 + i * NANOS_PER_SEC / 100;
                        if t.try_reserve_at(&"a", &[("slots", 1)], now) {
                            over.fetch_max(held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::Relaxed);
                            held.fetch_sub(1, Ordering::SeqCst);
                            t.refund_at(&"a", &[("slots", 1)], now);
                        }
                    }
                });
            }
        });
        assert!((1..=3).contains(&over.into_inner()));
        assert_eq!(t.remaining_at(&"a", "slots", T0 + 20 * NANOS_PER_SEC), 3);
    }
}
