//! How much of its traffic a node takes while it warms up.
//!
//! ```text
//! warmth(t) = max(min_weight, (t/T)^(1/a)),  1 from T on
//! accepts   = mix(mix(number + salt) ^ id) / 2⁶⁴ < warmth
//! ```
//!
//! A decision that fell on a warming node is given up by a coin, and falls on another one. The coin is a pure function of
//! the decision's number (the key, where there is one) and of the node, so no plan is rebuilt while nodes warm up, and a
//! key that has come to a node stays there as it gets warmer. The salt keeps the coin apart from the scores of rendezvous
//! hashing, whose winners would otherwise lose it. Source of the curve: Envoy's slow start mode, as documented.
//!
//! Cost: without aggression one division a node, else one power; two mixes a coin.

use crate::vocabulary::rng::mix;

/// The part of a pool's configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// T; 0 is no warm-up.
    pub(crate) duration_ns: u64,
    /// a: 1 is a straight line, more takes more in the beginning. 0.1 ..= 10.
    pub(crate) aggression: f64,
    /// The share that a node takes at once. 0.01 ..= 1.
    pub(crate) min_weight: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { duration_ns: 30_000_000_000, aggression: 1.0, min_weight: 0.1 }
    }
}

const SALT: u64 = 0x6C6F_6164_7769_7365;

/// The share of its traffic that a node of this age takes, 0.0 ..= 1.0.
pub(crate) fn warmth(age_ns: u64, settings: &Settings) -> f64 {
    if age_ns >= settings.duration_ns {
        return 1.0;
    }
    let passed = age_ns as f64 / settings.duration_ns as f64;
    let risen = if settings.aggression == 1.0 { passed } else { libm::pow(passed, 1.0 / settings.aggression) };
    // `max` prefers a number to NaN, so impossible settings stay in range.
    risen.max(settings.min_weight.max(0.0)).min(1.0)
}

/// Whether a node that is so warm takes the decision of this number.
#[inline]
pub(crate) fn accepts(warmth: f64, number: u64, id_mix: u64) -> bool {
    let coin = mix(mix(number.wrapping_add(SALT)) ^ id_mix);
    ((coin >> 11) as f64) < warmth * (1u64 << 53) as f64
}

/// The most that may be in flight at a node that is so warm, of what may be when it is warm; 0 is unlimited.
pub(crate) fn capped(max_in_flight: u32, warmth: f64) -> u32 {
    if max_in_flight == 0 {
        return 0;
    }
    ((f64::from(max_in_flight) * warmth).ceil() as u32).clamp(1, max_in_flight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;
    use crate::vocabulary::time::NANOS_PER_SEC;

    const S: u64 = NANOS_PER_SEC;

    #[test]
    fn rises_in_a_straight_line_from_its_least() {
        let settings = Settings::default();
        let at = |s| warmth(s * S, &settings);
        assert_eq!([0, 3, 15, 27, 30, 99].map(at), [0.1, 0.1, 0.5, 0.9, 1.0, 1.0]);
        assert_eq!(warmth(u64::MAX, &settings), 1.0);
    }

    #[test]
    fn aggression_bends_the_line() {
        let bent = |aggression| warmth(15 * S, &Settings { aggression, ..Settings::default() });
        // (1/2)^(1/2), (1/2)^2; a tenth power is below the least.
        assert!((bent(2.0) - 0.5f64.sqrt()).abs() < 1e-12 && (bent(0.5) - 0.25).abs() < 1e-12);
        assert_eq!((bent(0.1), bent(1.0)), (0.1, 0.5));
    }

    #[test]
    fn never_falls_and_never_leaves_its_range() {
        for seed in 0..1000 {
            let mut draws = Draws::seeded(seed, 0);
            let settings = Settings {
                duration_ns: draws.next_u64() >> draws.below(64),
                aggression: 0.1 + draws.unit() * 9.9,
                min_weight: 0.01 + draws.unit() * 0.99,
            };
            let mut ages: Vec<u64> = (0..100).map(|_| draws.next_u64() >> draws.below(64)).collect();
            ages.sort_unstable();
            let warmths: Vec<f64> = ages.iter().map(|&age| warmth(age, &settings)).collect();
            assert!(warmths.is_sorted(), "seed {seed}, {settings:?}");
            assert!(warmths.iter().all(|w| (settings.min_weight..=1.0).contains(w)), "seed {seed}, {settings:?}");
        }
    }

    #[test]
    fn impossible_settings_are_harmless() {
        assert_eq!(warmth(0, &Settings { duration_ns: 0, ..Settings::default() }), 1.0);
        for odd in [f64::NAN, 0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
            let settings = [
                Settings { aggression: odd, ..Settings::default() },
                Settings { min_weight: odd, ..Settings::default() },
                Settings { aggression: odd, min_weight: odd, ..Settings::default() },
            ];
            for settings in settings {
                let warmth = warmth(S, &settings);
                assert!((0.0..=1.0).contains(&warmth), "{settings:?}: {warmth}");
            }
        }
    }

    #[test]
    fn takes_its_share_of_decisions() {
        for (node, warmth) in [(1, 0.1), (2, 0.5), (3, 0.93)] {
            let taken = (0..100_000).filter(|&number| accepts(warmth, number, mix(node))).count();
            // 6 σ of a binomial(100 000, ½), the widest, is 949; the numbers are fixed.
            assert!(taken.abs_diff((warmth * 100_000.0) as usize) < 949, "{taken} of {warmth}");
        }
        assert!((0..1000).all(|number| accepts(1.0, number, 7) && !accepts(0.0, number, 7)));
    }

    #[test]
    fn what_a_node_took_it_takes_when_it_is_warmer() {
        let mut draws = Draws::seeded(5, 0);
        for _ in 0..10_000 {
            let (number, id_mix, cool) = (draws.next_u64(), draws.next_u64(), draws.unit());
            let warmer = cool + (1.0 - cool) * draws.unit();
            assert!(!accepts(cool, number, id_mix) || accepts(warmer, number, id_mix));
        }
    }

    #[test]
    fn nodes_toss_coins_of_their_own() {
        let both = (0..100_000).filter(|&n| accepts(0.5, n, mix(1)) && accepts(0.5, n, mix(2))).count();
        // 6 σ of a binomial(100 000, ¼) is 822.
        assert!(both.abs_diff(25_000) < 822, "{both}");
    }

    #[test]
    fn the_winner_of_rendezvous_hashing_has_a_fair_coin() {
        let ids: Vec<u64> = (0..10).map(mix).collect();
        let taken = (0..100_000u64).map(mix).filter(|&key| {
            let owner = ids.iter().copied().max_by_key(|id| mix(key ^ id)).unwrap();
            accepts(0.5, key, owner)
        });
        assert!(taken.count().abs_diff(50_000) < 949);
    }

    #[test]
    fn in_flight_is_capped_alike() {
        assert_eq!([0.01, 0.1, 0.105, 0.5, 1.0].map(|w| capped(100, w)), [1, 10, 11, 50, 100]);
        assert_eq!((capped(0, 0.1), capped(1, 0.01), capped(u32::MAX, 1.0)), (0, 1, u32::MAX));
        assert_eq!((capped(9, f64::NAN), capped(9, 7.0)), (1, 9));
    }
}
