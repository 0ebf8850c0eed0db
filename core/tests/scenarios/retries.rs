//! Requests that are tried again, as long as there is a node and a budget.

use loadwise::{Again, Ending, FailureKind, GiveUp, NoNodeReason, RetryAsk};

use crate::stage::{S, Stage};

fn refused(stage: &Stage, attempt: u32) -> RetryAsk {
    RetryAsk::new(Ending::Failure(FailureKind::Connect), attempt).now_ns(stage.now)
}

/// The only node refuses everybody, for longer than a budget would last. When another one joins, retries go there: nobody
/// has used the budget up.
#[test]
fn a_retry_that_finds_no_node_costs_nothing() {
    let stage =
        Stage::new("{seed: 1, nodes: [a], retry: {budget_share: 0, budget_min_per_s: 1, budget_window_ms: 10000}}");
    let elsewhere = |exclude: &[&str]| stage.pool.pick_again(&stage.ask().exclude(exclude), &refused(&stage, 1));
    for _ in 0..1000 {
        assert_eq!(elsewhere(&["a"]).unwrap_err().reason, NoNodeReason::AllExcluded);
    }
    stage.pool.register("b").unwrap();
    let mut granted = 0;
    let last = loop {
        match elsewhere(&["a"]).unwrap() {
            Again::Pick(pick, _) => {
                assert_eq!(pick.id().as_str(), "b");
                granted += 1;
            }
            Again::GiveUp(why) => break why,
        }
    };
    assert_eq!((last, granted), (GiveUp::Budget, 10), "one a second in ten");
    let stats = stage.pool.stats_at(stage.now);
    assert_eq!((stats.retries, stats.retries_denied, stats.in_flight), (10, 1, 0));
}

/// What must not be repeated is not, whoever would take it, and nobody is picked for it.
#[test]
fn what_is_given_up_picks_nobody() {
    let mut stage = Stage::new("{seed: 1, nodes: [a, b], retry: {max_attempts: 2}}");
    stage.pass(S);
    let reset = RetryAsk::new(Ending::Failure(FailureKind::Reset), 1).now_ns(stage.now);
    let success = RetryAsk::new(Ending::Success, 1).now_ns(stage.now);
    for (ask, why) in [(refused(&stage, 2), GiveUp::Attempts), (reset, GiveUp::Unsafe), (success, GiveUp::NotFailed)] {
        assert!(
            matches!(stage.pool.pick_again(&stage.ask(), &ask), Ok(Again::GiveUp(given)) if given == why),
            "{why:?}"
        );
    }
    let stats = stage.pool.stats_at(stage.now);
    assert_eq!((stats.selections, stats.retries), (0, 0));
    assert!(matches!(stage.pool.pick_again(&stage.ask(), &reset.idempotent(true)), Ok(Again::Pick(..))));
}
