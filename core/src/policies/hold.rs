//! How long a node is held back: longer each time, up to a cap, and never the same for two nodes.
//!
//! ```text
//! full := min(max, base·2^strikes)
//! hold := full/2 + uniform(0 ..= full/2)                          equal jitter
//!
//! ejected: strikes := strikes + 1   if it returned at most max ago: it flaps
//!                     0             else
//! a probe failed: strikes := strikes + 1
//! ```
//!
//! Half of a hold is certain, so that a node gets its rest; half is drawn, so that nodes that fell together are not
//! probed together. One count of strikes serves health, breaker and outlier ejection.
//! Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015.

/// Beyond it nothing gets longer: 2⁶³ ns are 292 years.
pub(crate) const STRIKES_MAX: u32 = 63;

/// How long to hold a node after so many strikes, `bits` being uniform. In 1 ..= `max_ns`; a maximum of 0 is taken as 1.
pub(crate) fn hold_ns(base_ns: u64, strikes: u32, max_ns: u64, bits: u64) -> u64 {
    let doubled = u128::from(base_ns) << strikes.min(STRIKES_MAX);
    let full = doubled.min(u128::from(max_ns)).max(1);
    let half = full / 2;
    // At most `full`, which fits: it is no more than a maximum of 64 bits.
    (full - half + (((half + 1) * u128::from(bits)) >> 64)) as u64
}

/// The strikes of a node that is ejected now, having returned from its last ejection at `returned_at_ns`.
///
/// A clock that went backwards makes it a return of just now.
pub(crate) fn next_strikes(strikes: u32, returned_at_ns: Option<u64>, now_ns: u64, max_ns: u64) -> u32 {
    match returned_at_ns {
        Some(returned_ns) if now_ns.saturating_sub(returned_ns) <= max_ns => one_more(strikes),
        _ => 0,
    }
}

/// The strikes of a held node after a probe that failed.
pub(crate) fn one_more(strikes: u32) -> u32 {
    strikes.saturating_add(1).min(STRIKES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;
    use crate::vocabulary::time::NANOS_PER_SEC;

    const S: u64 = NANOS_PER_SEC;

    #[test]
    fn doubles_with_each_strike_up_to_the_cap() {
        let longest = |strikes| hold_ns(5 * S, strikes, 300 * S, u64::MAX);
        assert_eq!([0, 1, 2, 5, 6, 63].map(longest), [5, 10, 20, 160, 300, 300].map(|s| s * S));
        let shortest = |strikes| hold_ns(5 * S, strikes, 300 * S, 0);
        assert_eq!([0, 1, 6].map(shortest), [2 * S + S / 2, 5 * S, 150 * S]);
    }

    #[test]
    fn is_drawn_evenly_between_half_and_full() {
        let mut draws = Draws::seeded(3, 0);
        let mut seen = [0u32; 6];
        for _ in 0..60_000 {
            seen[hold_ns(10, 0, 300, draws.next_u64()) as usize - 5] += 1;
        }
        // 6 σ of a binomial(60 000, 1/6) is 548; this seed is fixed.
        assert!(seen.iter().all(|&count| count.abs_diff(10_000) < 548), "{seen:?}");
    }

    #[test]
    fn flapping_goes_on_where_it_was_and_a_well_time_begins_anew() {
        assert_eq!(next_strikes(0, None, 9 * S, 300 * S), 0);
        assert_eq!(next_strikes(4, Some(S), 301 * S, 300 * S), 5);
        assert_eq!(next_strikes(4, Some(S), 301 * S + 1, 300 * S), 0);
        assert_eq!(next_strikes(4, Some(9 * S), S, 300 * S), 5, "a clock that went backwards");
        assert_eq!(next_strikes(63, Some(S), S, 300 * S), 63);
        assert_eq!((next_strikes(u32::MAX, Some(0), 0, 0), one_more(u32::MAX)), (63, 63), "a damaged word");
    }

    /// Doubling one by one, in numbers that cannot overflow before the cap.
    fn full_by_doubling(base_ns: u64, strikes: u32, max_ns: u64) -> u64 {
        let mut full = u128::from(base_ns);
        for _ in 0..strikes {
            full = (2 * full).min(u128::from(max_ns));
        }
        full.min(u128::from(max_ns)).max(1) as u64
    }

    #[test]
    fn agrees_with_doubling_one_by_one() {
        let mut draws = Draws::seeded(1, 0);
        for step in 0..20_000 {
            let mut any = || draws.next_u64() >> draws.below(64);
            let (base_ns, max_ns) = (any(), any());
            let (strikes, bits) = (draws.below(64) as u32, draws.next_u64());
            let full = full_by_doubling(base_ns, strikes, max_ns);
            let case = format!("step {step}: {base_ns} << {strikes} up to {max_ns}");
            assert_eq!(hold_ns(base_ns, strikes, max_ns, 0), full - full / 2, "{case}");
            assert_eq!(hold_ns(base_ns, strikes, max_ns, u64::MAX), full, "{case}");
            let held = hold_ns(base_ns, strikes, max_ns, bits);
            assert!(held >= 1 && held >= full / 2 && held <= max_ns.max(1), "{case}: {held}");
        }
    }

    #[test]
    fn agrees_with_a_history_of_ejections() {
        for seed in 0..500 {
            let mut draws = Draws::seeded(seed, 0);
            let max_ns = 1 + draws.below(50);
            let (mut strikes, mut returned_at, mut now) = (0, None, 0);
            // Since the last well time.
            let (mut ejections, mut failed_probes) = (0, 0);
            for step in 0..draws.below(300) {
                now += draws.below(2 * max_ns);
                if returned_at.is_none_or(|at| now - at > max_ns) {
                    (ejections, failed_probes) = (0, 0);
                }
                strikes = next_strikes(strikes, returned_at, now, max_ns);
                ejections += 1;
                let probes = draws.below(4) as u32;
                for _ in 0..probes {
                    now += draws.below(max_ns);
                    strikes = one_more(strikes);
                }
                failed_probes += probes;
                returned_at = Some(now);
                assert_eq!(strikes, (ejections - 1 + failed_probes).min(63), "seed {seed}, step {step}");
            }
        }
    }
}
