//! A share of the traffic for some of the nodes.

use crate::stage::Stage;

const NODES: &str = "nodes: [{id: a, labels: {version: v1}}, {id: b, labels: {version: v1}}, {id: c, labels: {version: v2}}, {id: d, labels: {version: v3}}]";

fn stage(strategy: &str, splits: &str) -> Stage {
    Stage::new(&format!("{{seed: 12, strategy: {strategy}, {NODES}, splits: {splits}}}"))
}

fn share(stage: &Stage, id: &str, picks: u32) -> f64 {
    f64::from(stage.shares(picks).get(id).copied().unwrap_or(0)) / f64::from(picks)
}

/// 5 % for version 2: within 0.3 points of it, whatever the strategy.
#[test]
fn five_percent_is_five_percent() {
    for strategy in ["round_robin", "weighted_round_robin", "random", "p2c", "least_request", "peak_ewma"] {
        let stage = stage(strategy, "[{labels: {version: v2}, share: 0.05}]");
        // 0.3 points are 6 σ of a binomial(200 000, 0.05).
        let share = share(&stage, "c", 200_000);
        assert!((share - 0.05).abs() < 0.003, "{strategy}: {share}");
    }
}

/// A caller with a key is always on the same side, and 5 % of the keys are on that of version 2.
#[test]
fn keys_stay_on_their_side() {
    let stage = stage("maglev", "[{labels: {version: v2}, share: 0.05}]");
    let keys: Vec<String> = (0..20_000).map(|i| format!("user-{i}")).collect();
    let side = |key: &String| stage.pool.pick(&stage.ask().key(key)).unwrap().id().to_string();
    let first: Vec<String> = keys.iter().map(side).collect();
    let second: Vec<String> = keys.iter().map(side).collect();
    assert_eq!(first, second);
    let canaries = first.iter().filter(|id| *id == "c").count();
    // 6 σ of a binomial(20 000, 0.05) is 185.
    assert!(canaries.abs_diff(1000) < 185, "{canaries}");
}

/// Two splits take theirs; nodes of neither take the rest, and nothing of the splits.
#[test]
fn two_splits_and_the_rest() {
    let stage = stage("random", "[{labels: {version: v2}, share: 0.2}, {labels: {version: v3}, share: 0.1}]");
    let shares = stage.shares(100_000);
    // 6 σ of a binomial(100 000, 0.35) is 905.
    for (id, wanted) in [("a", 35_000), ("b", 35_000), ("c", 20_000), ("d", 10_000)] {
        assert!(shares[id].abs_diff(wanted) < 905, "{shares:?}");
    }
}

/// A share of 0 gets nothing, a share of 1 everything.
#[test]
fn nothing_and_everything() {
    let none = stage("p2c", "[{labels: {version: v2}, share: 0}]");
    assert!(!none.shares(1000).contains_key("c"));
    let all = stage("p2c", "[{labels: {version: v2}, share: 1}]");
    assert_eq!(all.shares(1000).into_keys().collect::<Vec<_>>(), ["c"]);
}

/// The canary is down, or excluded: its share goes to the others, rather than to nobody. So does the rest if there is none.
#[test]
fn better_another_version_than_none() {
    let stage = stage("random", "[{labels: {version: v2}, share: 0.5}]");
    stage.bring_down("c");
    let shares = stage.shares(1000);
    assert!(!shares.contains_key("c") && shares.values().sum::<u32>() == 1000);
    for id in ["a", "b", "d"] {
        stage.bring_down(id);
    }
    for _ in 0..2 {
        stage.tell("c", true);
    }
    assert_eq!(stage.shares(1000)["c"], 1000);
}

/// The share is changed while picks are running, by reload: 5 %, 50 %, and none.
#[test]
fn a_share_that_is_changed_live() {
    let stage = stage("random", "[{labels: {version: v2}, share: 0.05}]");
    let running = stage.pick().unwrap();
    for (share_of_c, splits) in [(0.5, "[{labels: {version: v2}, share: 0.5}]"), (0.25, "[]")] {
        let text = format!("{{seed: 12, strategy: random, {NODES}, splits: {splits}}}");
        stage.pool.reload_at(&loadwise::config::PoolConfig::parse(&text).unwrap(), stage.now).unwrap();
        // 6 σ of a binomial(20 000, ½) is 2.1 points.
        let share = share(&stage, "c", 20_000);
        assert!((share - share_of_c).abs() < 0.021, "{share}");
    }
    running.finish(stage.outcome(true)).unwrap();
    assert_eq!((stage.stats().in_flight, stage.stats().config_version), (0, 3));
}
