//! Active checks of a node: which is due, who makes it, and what its result means. The I/O is the host's.
//!
//! ```text
//! words: DUE = when the next check is due, 0 for a node never checked
//!        COUNTS = failures in a row (8 bits), successes in a row (8), verdict (2)
//!
//! lease:   DUE ≤ now, and cas(DUE → now + timeout) → this caller makes the check          acquire
//! report:  DUE := now + interval·(1 ± jitter)                                             release
//!          failure within the grace of a new node → nothing else
//!          count in a row; failures ≥ failure_threshold → down, successes ≥ success_threshold → up
//! ```
//!
//! Of all callers in all processes one makes each check. If it dies, the check is due again when its time is over; if it
//! reports later than that, the report counts all the same, since it is as true as any. The jitter keeps nodes that
//! joined together from being checked together.
//! Source: rise and fall of health checks as in HAProxy, as documented.
//!
//! Cost: one load while nothing is due; a compare-and-swap a lease, a store and a compare-and-swap a report.

use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::time::{NANOS_PER_MS, NANOS_PER_SEC};

const DUE: usize = 0;
const COUNTS: usize = 1;
/// Words of a node's checks. Zeroed words are a node that was never checked.
pub(crate) const WORDS: usize = 2;

/// The part of a pool's configuration. Thresholds count in 1 ..= 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) interval_ns: u64,
    /// The share of the interval by which it is longer or shorter at most, 0.0 ..= 1.0.
    pub(crate) jitter: f64,
    pub(crate) timeout_ns: u64,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
    /// How long failures of a new node do not count.
    pub(crate) grace_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval_ns: 10 * NANOS_PER_SEC,
            jitter: 0.1,
            timeout_ns: 5000 * NANOS_PER_MS,
            failure_threshold: 3,
            success_threshold: 2,
            grace_ns: 5 * NANOS_PER_SEC,
        }
    }
}

/// What checks say of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    /// Too few results to tell.
    #[default]
    Unknown,
    Up,
    Down,
}

/// The checks of one node. Takes the first [`WORDS`] words; with fewer, nothing is ever due.
#[derive(Clone, Copy)]
pub(crate) struct Checks<'a> {
    pub(crate) words: &'a [AtomicU64],
}

impl<'a> Checks<'a> {
    /// When the next check is due, 0 for at once; `u64::MAX` for never.
    pub(crate) fn next_due_ns(self) -> u64 {
        self.words().map_or(u64::MAX, |words| words[DUE].load(Ordering::Relaxed))
    }

    /// Has a check made at once that is due much later than any can be: the clock that said so has gone back since. Not one
    /// that is a little late: who asked for it may have read the clock after the caller did.
    pub(crate) fn mend(self, now_ns: u64, settings: &Settings) {
        let Some(words) = self.words() else { return };
        let longest_ns = settings.interval_ns.saturating_mul(2).max(settings.timeout_ns);
        let due_ns = words[DUE].load(Ordering::Relaxed);
        if due_ns > now_ns.saturating_add(longest_ns.max(1).saturating_mul(2)) {
            let _ = words[DUE].compare_exchange(due_ns, now_ns, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Whether the caller is to make the check that is due, and to report it within the timeout.
    pub(crate) fn lease(self, now_ns: u64, settings: &Settings) -> bool {
        let Some(words) = self.words() else { return false };
        let due_ns = words[DUE].load(Ordering::Relaxed);
        let until_ns = now_ns.saturating_add(settings.timeout_ns.max(1));
        due_ns <= now_ns && words[DUE].compare_exchange(due_ns, until_ns, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The result of a check of a node that joined `age_ns` ago, and the verdict if it changes. `bits` are uniform.
    pub(crate) fn report(self, ok: bool, now_ns: u64, age_ns: u64, settings: &Settings, bits: u64) -> Option<Verdict> {
        let words = self.words()?;
        words[DUE].store(next_ns(now_ns, settings, bits), Ordering::Release);
        if !ok && age_ns < settings.grace_ns {
            return None;
        }
        let mut word = words[COUNTS].load(Ordering::Relaxed);
        loop {
            let next = after(word, ok, settings);
            // The counts are all that is told by this word, so nothing else has to be seen with it.
            match words[COUNTS].compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(verdict(next)).filter(|&changed| changed != verdict(word)),
                Err(now) => word = now,
            }
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
        self.words().map_or(Verdict::Unknown, |words| verdict(words[COUNTS].load(Ordering::Relaxed)))
    }

    fn words(self) -> Option<&'a [AtomicU64; WORDS]> {
        self.words.first_chunk()
    }
}

/// The counts after a result.
fn after(word: u64, ok: bool, settings: &Settings) -> u64 {
    let more = |count: u64| ((count & 0xFF) + 1).min(0xFF);
    let (failures, successes) = if ok { (0, more(word >> 8)) } else { (more(word), 0) };
    let enough = |count: u64, threshold: u32| count >= u64::from(threshold.clamp(1, 0xFF));
    let verdict = match verdict(word) {
        _ if enough(failures, settings.failure_threshold) => Verdict::Down,
        _ if enough(successes, settings.success_threshold) => Verdict::Up,
        unchanged => unchanged,
    };
    failures | successes << 8 | (verdict as u64) << 16
}

fn verdict(word: u64) -> Verdict {
    match word >> 16 & 3 {
        1 => Verdict::Up,
        2 => Verdict::Down,
        _ => Verdict::Unknown,
    }
}

/// When the check after one that ended at `now_ns` is due, at least 1 ns later.
fn next_ns(now_ns: u64, settings: &Settings, bits: u64) -> u64 {
    let spread = ((settings.interval_ns as f64 * settings.jitter) as u64).min(settings.interval_ns);
    // One bit less, so that a factor of 65 bits has room.
    let drawn = ((2 * u128::from(spread) + 1) * u128::from(bits >> 1)) >> 63;
    let wait_ns = u64::try_from(u128::from(settings.interval_ns - spread) + drawn).unwrap_or(u64::MAX);
    now_ns.saturating_add(wait_ns.max(1))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    const S: u64 = NANOS_PER_SEC;
    /// Old enough to be past its grace.
    const OLD: u64 = u64::MAX;

    fn words() -> [AtomicU64; WORDS] {
        [(); WORDS].map(|()| AtomicU64::new(0))
    }

    /// The changes that these results bring about, in their places.
    fn follow(settings: &Settings, results: &str) -> Vec<(usize, Verdict)> {
        let words = words();
        let report = |ok| Checks { words: &words }.report(ok == '+', S, OLD, settings, 0);
        results.chars().enumerate().filter_map(|(i, ok)| Some((i, report(ok)?))).collect()
    }

    #[test]
    fn down_after_three_and_up_after_two() {
        let settings = Settings::default();
        assert_eq!(follow(&settings, "+-+--+---+-++-"), [(8, Verdict::Down), (12, Verdict::Up)]);
        assert_eq!(follow(&settings, "++++---"), [(1, Verdict::Up), (6, Verdict::Down)]);
        assert_eq!(follow(&settings, "+-+-+-+-+-"), [], "never enough in a row to tell");
        let touchy = Settings { failure_threshold: 0, success_threshold: 1, ..settings };
        assert_eq!(follow(&touchy, "-+"), [(0, Verdict::Down), (1, Verdict::Up)]);
    }

    #[test]
    fn rows_longer_than_a_byte_stay_rows() {
        let settings = Settings { failure_threshold: 1000, ..Settings::default() };
        assert_eq!(follow(&settings, &"-".repeat(254)), []);
        assert_eq!(follow(&settings, &"-".repeat(600)), [(254, Verdict::Down)]);
        for failures in 250..260 {
            let mixed = "-".repeat(failures) + "+-++";
            let down = (2, Verdict::Down);
            assert_eq!(follow(&Settings::default(), &mixed), [down, (failures + 3, Verdict::Up)], "{failures}");
        }
    }

    #[test]
    fn failures_of_a_new_node_do_not_count_but_successes_do() {
        let (words, settings) = (words(), Settings::default());
        let checks = Checks { words: &words };
        for age in [0, S, 5 * S - 1] {
            assert_eq!(checks.report(false, S + age, age, &settings, 0), None);
        }
        for age in [5 * S, 6 * S] {
            assert_eq!(checks.report(false, S + age, age, &settings, 0), None);
        }
        assert_eq!(checks.report(false, 8 * S, 7 * S, &settings, 0), Some(Verdict::Down));
        checks.report(true, 8 * S, 0, &settings, 0);
        checks.report(false, 8 * S, 1, &settings, 0);
        assert_eq!(checks.report(true, 8 * S, 2, &settings, 0), Some(Verdict::Up), "not even interrupts a row");
        assert_eq!(checks.verdict(), Verdict::Up);
    }

    #[test]
    fn a_new_node_is_due_at_once_and_then_after_the_interval() {
        let (words, settings) = (words(), Settings::default());
        let checks = Checks { words: &words };
        assert_eq!(checks.next_due_ns(), 0);
        assert!(checks.lease(0, &settings) && !checks.lease(0, &settings));
        checks.report(true, S, OLD, &settings, u64::MAX / 2);
        assert_eq!(checks.next_due_ns(), 11 * S);
        assert!(!checks.lease(11 * S - 1, &settings) && checks.lease(11 * S, &settings));
        assert!(!checks.lease(16 * S - 1, &settings), "somebody makes it");
        assert!(checks.lease(16 * S, &settings), "who made it does not report any more");
        assert!(checks.report(true, 16 * S, OLD, &settings, 0) == Some(Verdict::Up));
    }

    #[test]
    fn who_read_the_clock_before_a_check_was_given_out_leaves_it_there() {
        let (words, settings) = (words(), Settings { timeout_ns: 5 * S, interval_ns: S, ..Settings::default() });
        let checks = Checks { words: &words };
        assert!(checks.lease(100 * S, &settings));
        checks.mend(100 * S - 1, &settings);
        checks.mend(95 * S, &settings);
        assert!(!checks.lease(104 * S, &settings), "somebody makes it");
        checks.mend(94 * S, &settings);
        assert!(checks.lease(94 * S, &settings), "the clock has gone back");
    }

    #[test]
    fn intervals_are_drawn_evenly_around_their_mean() {
        let settings = Settings { interval_ns: 20, ..Settings::default() };
        let mut draws = Draws::seeded(1, 0);
        let mut seen = [0u32; 5];
        for _ in 0..50_000 {
            seen[next_ns(100, &settings, draws.next_u64()) as usize - 118] += 1;
        }
        // 6 σ of a binomial(50 000, 1/5) is 537; this seed is fixed.
        assert!(seen.iter().all(|count| count.abs_diff(10_000) < 537), "{seen:?}");
        let wide = Settings { jitter: 9.0, ..settings };
        assert_eq!((next_ns(100, &wide, 0), next_ns(100, &wide, u64::MAX)), (101, 140));
        for jitter in [f64::NAN, -1.0, 0.0] {
            assert_eq!(next_ns(100, &Settings { jitter, ..settings }, u64::MAX), 120);
        }
        let never = Settings { interval_ns: u64::MAX, jitter: 1.0, ..settings };
        assert_eq!(next_ns(u64::MAX, &never, u64::MAX), u64::MAX);
    }

    #[test]
    fn damaged_words_are_some_node() {
        let mut draws = Draws::seeded(2, 0);
        for _ in 0..5000 {
            let words = [draws.next_u64(), draws.next_u64()].map(AtomicU64::new);
            let checks = Checks { words: &words };
            checks.lease(draws.next_u64(), &Settings::default());
            let ok = draws.below(2) == 0;
            (0..3).for_each(|_| _ = checks.report(ok, S, OLD, &Settings::default(), 0));
            assert_eq!(checks.verdict(), if ok { Verdict::Up } else { Verdict::Down });
            assert!((9 * S..=11 * S).contains(&(checks.next_due_ns() - S)));
        }
        let none = Checks { words: &[] };
        assert!(!none.lease(OLD, &Settings::default()) && none.next_due_ns() == u64::MAX);
        assert_eq!((none.report(true, S, OLD, &Settings::default(), 0), none.verdict()), (None, Verdict::Unknown));
    }

    /// Callers at random times, some of whom never report, beside a list of all results and the one check under way.
    #[test]
    fn agrees_with_a_list_of_results() {
        for seed in 0..1000 {
            let mut draws = Draws::seeded(seed, 0);
            let settings = Settings {
                interval_ns: 1 + draws.below(100),
                jitter: draws.unit(),
                timeout_ns: 1 + draws.below(100),
                failure_threshold: 1 + draws.below(5) as u32,
                success_threshold: 1 + draws.below(5) as u32,
                grace_ns: draws.below(300),
            };
            let words = words();
            let checks = Checks { words: &words };
            let (joined, mut now) = (1000, 1000);
            let (mut results, mut expected) = (Vec::new(), Verdict::Unknown);
            // From when a check may be due, and from when it must be.
            let (mut from, mut by) = (0, 0);
            let mut leased = false;
            for step in 0..draws.below(600) {
                now += draws.below(40);
                let case = format!("seed {seed}, step {step}");
                if checks.lease(now, &settings) {
                    assert!(now >= from, "{case}: too early");
                    (from, by, leased) = (now + settings.timeout_ns, now + settings.timeout_ns, true);
                } else {
                    assert!(now < by, "{case}: overdue");
                }
                if !leased || draws.below(3) > 0 {
                    continue;
                }
                // Also after the timeout.
                now += draws.below(40);
                let ok = draws.below(3) > 0;
                let got = checks.report(ok, now, now - joined, &settings, draws.next_u64());
                let spread = (settings.interval_ns as f64 * settings.jitter) as u64;
                (from, by) = (now + settings.interval_ns - spread, now + (settings.interval_ns + spread).max(1));
                leased = false;
                if ok || now - joined >= settings.grace_ns {
                    results.push(ok);
                }
                let all_last = |ok: bool, count: u32| {
                    results.len() >= count as usize && results.iter().rev().take(count as usize).all(|&r| r == ok)
                };
                let before = expected;
                if all_last(false, settings.failure_threshold) {
                    expected = Verdict::Down;
                } else if all_last(true, settings.success_threshold) {
                    expected = Verdict::Up;
                }
                assert_eq!(got, (expected != before).then_some(expected), "{case}");
                assert_eq!(checks.verdict(), expected, "{case}");
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    type Lease = fn(Checks<'_>) -> bool;

    fn lease(checks: Checks<'_>) -> bool {
        checks.lease(7, &Settings::default())
    }

    fn lease_without_swap(checks: Checks<'_>) -> bool {
        let due = checks.next_due_ns() <= 7;
        if due {
            checks.words[DUE].store(1000, Ordering::Release);
        }
        due
    }

    fn one_makes_the_check(lease: Lease) {
        loom::model(move || {
            let words: Arc<Vec<_>> = Arc::new((0..WORDS).map(|_| AtomicU64::new(0)).collect());
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let words = words.clone();
                    thread::spawn(move || lease(Checks { words: &words }))
                })
                .collect();
            let leased = others.into_iter().filter_map(|other| other.join().unwrap().then_some(())).count();
            assert_eq!(leased, 1);
        });
    }

    /// Two late reports of failures at once, with a third before: both count.
    #[test]
    fn no_result_is_lost() {
        loom::model(|| {
            let words: Arc<Vec<_>> = Arc::new((0..WORDS).map(|_| AtomicU64::new(0)).collect());
            let report = |words: &[AtomicU64]| Checks { words }.report(false, 7, u64::MAX, &Settings::default(), 0);
            assert_eq!(report(&words), None);
            let other = {
                let words = words.clone();
                thread::spawn(move || report(&words))
            };
            let told = [report(&words), other.join().unwrap()];
            assert_eq!(told.into_iter().flatten().collect::<Vec<_>>(), [Verdict::Down], "told once");
        });
    }

    #[test]
    fn a_check_is_made_once() {
        one_makes_the_check(lease);
    }

    #[test]
    #[should_panic]
    fn mutant_lease_without_swap_is_made_twice() {
        one_makes_the_check(lease_without_swap);
    }
}
