//! Clocks that go back, stand still, or are at their very end. A monotonic clock does none of it; a host's own may.

use std::time::Duration;

use loadwise::{BreakerState, HealthStatus, NoNodeReason, Pool, Report, Request};

use crate::stage::{S, Stage};

/// At the end of time and back: after one look at each end, everything goes on as if nothing had been.
fn leap(stage: &mut Stage, at_the_end: impl FnOnce(&mut Stage)) {
    let now = stage.now;
    stage.now = u64::MAX;
    at_the_end(stage);
    stage.now = now;
    stage.pool.maintain(now);
}

/// A node goes down at the end of time: after the clock is back it is probed within its usual time, not never.
#[test]
fn a_hold_from_the_end_of_time_is_none() {
    let mut stage = Stage::new("{seed: 17, nodes: [a]}");
    leap(&mut stage, |stage| assert_eq!((0..5).filter(|_| stage.send("a", false)).count(), 3));
    stage.pass(11 * S);
    assert!(stage.send("a", true), "probed");
    assert_eq!(stage.of("a").health, HealthStatus::Recovering);
}

/// The clock goes back by an hour while a node is down.
#[test]
fn a_clock_that_goes_back_while_a_node_is_down() {
    let mut stage = Stage::new("{seed: 17, nodes: [a, b], health: {max_probe_interval_ms: 60000}}");
    stage.now += 3600 * S;
    stage.pool.maintain(stage.now);
    stage.bring_down("a");
    stage.now -= 3600 * S;
    stage.pass(61 * S);
    assert!(stage.send("a", true), "not an hour later");
}

/// A breaker opens at the end of time.
#[test]
fn a_breaker_that_opened_at_the_end_of_time() {
    let mut stage = Stage::new(
        "{seed: 17, nodes: [a], health: {failure_threshold: 100, min_success_rate: 0}, breaker: {half_open_successes: 1}}",
    );
    leap(&mut stage, |stage| assert_eq!((0..5).filter(|_| stage.send("a", false)).count(), 5));
    stage.pass(6 * S);
    assert!(stage.send("a", true));
    assert_eq!(stage.of("a").breaker, BreakerState::Closed);
}

/// The window goes on after a leap: old samples are forgotten, new ones count.
#[test]
fn a_window_after_a_leap() {
    let mut stage = Stage::new("{seed: 17, nodes: [a, b], health: {failure_threshold: 200}}");
    leap(&mut stage, |stage| {
        (0..10).for_each(|i| assert!(stage.send("a", i % 2 == 0)));
    });
    (0..10).for_each(|_| assert!(stage.send("a", true)));
    stage.pass(60 * S);
    assert_eq!(stage.of("a").success_rate, None, "a minute later the window is empty");
    let mut sent = 0;
    while stage.send("a", sent % 2 == 0) {
        sent += 1;
        assert!(sent < 30);
    }
}

/// An outlier ejected at the end of time comes back.
#[test]
fn an_ejection_at_the_end_of_time() {
    let mut stage = Stage::new(
        "{seed: 17, nodes: [a, b, c], health: {failure_threshold: 250, min_success_rate: 0}, outlier: true}",
    );
    leap(&mut stage, |stage| {
        for id in ["a", "b", "c"] {
            (0..200).for_each(|_| stage.tell(id, id != "a"));
        }
        stage.pool.maintain(stage.now);
        assert_eq!(stage.of("a").ejections, 1);
    });
    stage.pass(31 * S);
    assert!(!stage.of("a").ejected);
}

/// A node joins at the end of time and warms up when the clock is back.
#[test]
fn a_warm_up_from_the_end_of_time() {
    let mut stage = Stage::new("{seed: 17, nodes: [a], slow_start: true}");
    leap(&mut stage, |stage| {
        stage.pool.register("c").unwrap();
        stage.pool.maintain(stage.now);
    });
    stage.pass(31 * S);
    assert_eq!(stage.of("c").warming, 1.0);
}

/// A node that asked for less until the end of time.
#[test]
fn a_retry_after_from_the_end_of_time() {
    let mut stage = Stage::new("{seed: 17, nodes: [a], quotas: [{dimension: rpm, limit: 2}]}");
    leap(&mut stage, |stage| {
        stage.pick().unwrap().finish(stage.limited(Duration::from_secs(10))).unwrap();
    });
    stage.pass(301 * S);
    assert!(stage.pick().is_ok());
}

/// Tiers that failed over at the end of time come back.
#[test]
fn tiers_after_a_leap() {
    let mut stage = Stage::new("{seed: 17, nodes: [a, {id: b, tier: 1}]}");
    leap(&mut stage, |stage| {
        (0..3).for_each(|_| assert!(stage.send("a", false)));
        stage.tell("a", true);
        stage.tell("a", true);
        assert_eq!(stage.pick().unwrap().id().as_str(), "b", "failback waits");
    });
    stage.pass(31 * S);
    assert_eq!(stage.pick().unwrap().id().as_str(), "a");
}

/// A draining node's time is over some time, whenever it began.
#[test]
fn draining_from_the_end_of_time() {
    let mut stage = Stage::new("{seed: 17, nodes: [a, b], affinity: true}");
    stage.pool.set_affinity_at("x", "a", stage.now).unwrap();
    leap(&mut stage, |stage| stage.pool.drain_at("a", true, stage.now).unwrap());
    stage.pass(6 * S);
    assert_eq!(stage.pool.pick(&stage.ask().session("x")).unwrap().id().as_str(), "b");
}

/// Servers' reports of their load from the end of time count no longer than others.
#[test]
fn reported_load_after_a_leap() {
    let mut stage =
        Stage::new("{seed: 17, strategy: {name: reported_load, blackout_ms: 1000, expiry_ms: 10000}, nodes: [a, b]}");
    let tell = |stage: &Stage| {
        for (id, utilization) in [("a", 0.2), ("b", 0.8)] {
            let load = loadwise::Load {
                requests_per_s: Some(100.0),
                utilization: Some(utilization),
                now_ns: Some(stage.now),
                ..loadwise::Load::default()
            };
            stage.pool.report_load(id, load).unwrap();
        }
        stage.pool.maintain(stage.now);
    };
    leap(&mut stage, |stage| tell(stage));
    for _ in 0..5 {
        tell(&stage);
        stage.pass(S);
    }
    let shares = stage.shares(100);
    assert_eq!((shares["a"], shares["b"]), (80, 20), "known again after the blackout");
}

/// The clock stands still: probes, breakers and windows wait, and nothing is decided twice.
#[test]
fn a_clock_that_stands_still() {
    let stage = Stage::new(
        "{seed: 17, nodes: [a, b], breaker: true, slow_start: true, quotas: [{dimension: rpm, limit: 1000}]}",
    );
    stage.bring_down("a");
    for _ in 0..1000 {
        assert_eq!(stage.pick().unwrap().id().as_str(), "b");
        stage.pool.maintain(stage.now);
    }
    assert_eq!(stage.of("a").probes, 0);
}

/// Everything at once, at times that make no sense: nothing overflows, and the pool serves afterwards.
#[test]
fn times_that_make_no_sense() {
    let config = "{seed: 17, nodes: [a, b, {id: c, tier: 1, zone: z, labels: {v: '2'}}, {id: d, tier: 1}], breaker: true, outlier: true,
        panic: {mode: spread}, zones: true, slow_start: true, affinity: true, adaptive_limit: true,
        quotas: [{dimension: rpm, limit: 1000000}], max_in_flight: 1000, lease_timeout_ms: 60000,
        stats: {latency: nodes}, splits: [{labels: {v: '2'}, share: 0.1}]}";
    let pool = Pool::from_config(config).unwrap();
    let times = [0, 1, 2, S, u64::MAX, u64::MAX - 1, u64::MAX / 2, 1 << 63, 3600 * S, 0, u64::MAX];
    for (i, now) in times.iter().cycle().take(2000).copied().enumerate() {
        let session = format!("user-{}", i % 7);
        if let Ok(pick) = pool.pick(&Request::new().now_ns(now).session(&session).zone("z")) {
            let then = times[(i * 7 + 3) % times.len()];
            let report = match i % 5 {
                0 | 1 => Report::failure(loadwise::FailureKind::Timeout),
                2 => Report::rate_limited(Some(Duration::from_secs(i as u64))),
                _ => Report::success(),
            };
            pick.finish(report.now_ns(then)).unwrap();
        }
        match i % 40 {
            0 => drop(pool.maintain(now)),
            11 => pool.drain_at("b", i % 80 == 11, now).unwrap(),
            23 => drop(pool.stats_at(now)),
            31 => {
                pool.deregister("d").unwrap();
                pool.register("d").unwrap();
            }
            _ => {}
        }
    }
    let mut now = 10_000 * S;
    for _ in 0..700 {
        now += S;
        pool.maintain(now);
        if let Ok(pick) = pool.pick(&Request::new().now_ns(now)) {
            pick.finish(Report::success().now_ns(now)).unwrap();
        }
    }
    assert!(pool.pick(&Request::new().now_ns(now)).is_ok());
    let told = pool.stats_at(now);
    assert_eq!((told.in_flight, told.available), (0, 4), "{told:?}");
    assert_ne!(pool.pick(&Request::new().now_ns(now)).map_err(|none| none.reason).err(), Some(NoNodeReason::Unhealthy));
}

/// A slow answer at the end of time does not make a node look slow for good.
#[test]
fn latencies_after_a_leap() {
    let mut stage = Stage::new(
        "{seed: 17, strategy: {name: peak_ewma, decay_ms: 1000}, nodes: [a, b], stats: {latency: nodes, window_ms: 10000}}",
    );
    leap(&mut stage, |stage| {
        for _ in 0..10 {
            let slow = stage.outcome(true).latency(Duration::from_secs(5));
            stage.pool.pick(&stage.ask().exclude(&["b"])).unwrap().finish(slow).unwrap();
        }
    });
    for _ in 0..30 {
        assert!(stage.send("a", true) && stage.send("b", true));
        stage.pass(S);
    }
    let told = stage.of("a");
    assert!(told.latency_ewma_ms.unwrap() < 11.0, "{:?}", told.latency_ewma_ms);
    let p99 = told.latency.unwrap().p99_ms;
    assert!(p99 < 11.0, "{p99} ms of late");
}

/// The budget of retries that was used up at the end of time fills again.
#[test]
fn retries_after_a_leap() {
    let mut stage = Stage::new("{seed: 17, nodes: [a, b]}");
    let ask = |stage: &Stage| {
        stage.pool.retry(&loadwise::RetryAsk {
            ending: loadwise::Ending::Failure(loadwise::FailureKind::Connect),
            attempt: 1,
            idempotent: true,
            sent: false,
            now_ns: Some(stage.now),
        })
    };
    let used_up = |stage: &Stage| (0..1000).take_while(|_| matches!(ask(stage), loadwise::Retry::After(_))).count();
    leap(&mut stage, |stage| assert!(used_up(stage) < 1000));
    stage.pass(20 * S);
    assert!(used_up(&stage) > 0);
}

/// Checks that were due at the end of time are due again.
#[test]
fn checks_after_a_leap() {
    let mut stage = Stage::new("{seed: 17, nodes: [a, b], checks: true}");
    let due = |stage: &Stage| stage.pool.checks_due(stage.now).len();
    leap(&mut stage, |stage| {
        let all = stage.pool.checks_due(stage.now);
        all.iter().for_each(|check| drop(stage.pool.report_check(&check.id, true, None, Some(stage.now))));
    });
    let mut checked = 0;
    for _ in 0..60 {
        stage.pass(S);
        checked += due(&stage);
    }
    assert!(checked >= 6, "{checked} checks of two nodes in a minute");
}
