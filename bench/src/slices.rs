//! Strategies over a user's own slice: this version beside loadwise 0.1, through the same trait.

use crate::bound::Bound;
use crate::harness::{Case, many, one};
use crate::input::{contexts, contexts_01, servers};
use crate::{LOADWISE_01, OURS, SIZES};

macro_rules! cases_of {
    ($cases:ident, $version:ident, $contexts:expr, $who:expr, $bounds:expr) => {{
        use $version::Strategy;
        use $version::strategy::*;
        for n in SIZES {
            macro_rules! case {
                ($what:literal, $strategy:expr) => {{
                    let (strategy, servers, contexts) = ($strategy, servers(n), $contexts);
                    let body = one(move |i| strategy.select(&servers, &contexts[i as usize % contexts.len()]));
                    let bound = if $bounds && n == 1000 { bound($what) } else { None };
                    $cases.push(Case { what: concat!("slice: ", $what).into(), n, who: $who, body, bound });
                }};
            }
            case!("Random", Random::new());
            case!("PowerOfTwoChoices", PowerOfTwoChoices::new());
            case!("RoundRobin", RoundRobin::new());
            case!("WeightedRandom", WeightedRandom::new());
            case!("WeightedRoundRobin", WeightedRoundRobin::new());
            case!("ConsistentHash", ConsistentHash::default());
            case!("LeastLoad", LeastLoad::new());
        }
        for n in [3, 1000] {
            let (strategy, servers, contexts) = (WeightedRoundRobin::new(), servers(n), $contexts);
            let body = many(2, move |i| strategy.select(&servers, &contexts[i as usize % contexts.len()]));
            $cases.push(Case { what: "slice: WeightedRoundRobin".into(), n, who: $who, body, bound: None });
        }
    }};
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases_of!(cases, loadwise, contexts(), OURS, true);
    cases_of!(cases, loadwise01, contexts_01(), LOADWISE_01, false);
    cases
}

/// At n = 1000.
fn bound(what: &str) -> Option<Bound> {
    let faster = |times| Some(Bound::FasterThan { who: LOADWISE_01, times });
    match what {
        "Random" | "PowerOfTwoChoices" => Some(Bound::F(1.5)),
        "WeightedRoundRobin" | "ConsistentHash" => faster(3.0),
        "LeastLoad" => faster(4.0),
        _ => None,
    }
}
