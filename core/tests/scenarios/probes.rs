//! One request at a time finds out whether a node is back.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use loadwise::{HealthStatus, NoNodeReason, Request, Ticket};

use crate::stage::{MS, S, Stage};

/// Eight threads ask at the moment that a probe is due, a hundred times: exactly one of them gets the node each time.
#[test]
fn eight_threads_race_for_a_probe_and_one_wins() {
    let mut stage = Stage::new("{seed: 4, nodes: [a], health: {max_probe_interval_ms: 10000}}");
    stage.bring_down("a");
    for round in 0..100 {
        stage.pass(10 * S);
        let (barrier, won, now) = (Barrier::new(8), AtomicU64::new(0), stage.now);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    match stage.pool.acquire(&Request::new().now_ns(now)) {
                        Ok(lease) => assert_eq!(won.swap(lease.ticket.as_u64(), Ordering::Relaxed), 0, "a second one"),
                        Err(none) => assert_eq!(none.reason, NoNodeReason::Unhealthy),
                    }
                });
            }
        });
        let ticket = won.into_inner();
        assert_ne!(ticket, 0, "nobody probed in round {round}");
        stage.pool.release(Ticket::from_u64(ticket), stage.outcome(false)).unwrap();
    }
    assert_eq!(stage.of("a").probes, 100);
}

/// Four nodes fell at about the same time, and eight threads keep asking: no probe is lost and none is made twice.
#[test]
fn probes_of_many_nodes_are_neither_lost_nor_doubled() {
    let mut stage = Stage::new("{seed: 4, nodes: [a, b, c, d], health: {max_probe_interval_ms: 10000}}");
    for id in ["a", "b", "c", "d"] {
        stage.bring_down(id);
    }
    for round in 1..=50 {
        stage.pass(10 * S);
        let (barrier, now) = (Barrier::new(8), stage.now);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    for step in 0..20 {
                        let at = now + step * 5 * MS;
                        if let Ok(lease) = stage.pool.acquire(&Request::new().now_ns(at)) {
                            let report = loadwise::Report::failure(loadwise::FailureKind::Connect).now_ns(at);
                            stage.pool.release(lease.ticket, report).unwrap();
                        }
                    }
                });
            }
        });
        for id in ["a", "b", "c", "d"] {
            assert_eq!(stage.of(id).probes, round, "{id} in round {round}");
        }
    }
}

/// Whoever had the probe never answers: after `probe_timeout_ms` the next request has it, exactly one, and the late answer
/// of the first changes nothing for the second.
#[test]
fn a_probe_that_never_answers_frees_itself() {
    let mut stage = Stage::new("{seed: 4, nodes: [a], health: {probe_timeout_ms: 3000}}");
    stage.bring_down("a");
    stage.pass(10 * S);
    let lost = stage.pick().unwrap();
    stage.now += 3 * S - 1;
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy);
    stage.now += 1;
    let second = stage.pick().expect("free at its deadline");
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy);
    drop(lost);
    assert_eq!(stage.nobody(), NoNodeReason::Unhealthy, "the second probe is still under way");
    second.finish(stage.outcome(true)).unwrap();
    assert_eq!(stage.of("a").health, HealthStatus::Recovering);
    assert_eq!((stage.of("a").probes, stage.stats().probe_timeouts), (2, 1));
}

/// A probe that was cancelled told nothing: the next request takes its place at once.
#[test]
fn a_cancelled_probe_is_taken_over_at_once() {
    let mut stage = Stage::new("{seed: 4, nodes: [a]}");
    stage.bring_down("a");
    stage.pass(10 * S);
    drop(stage.pick().unwrap());
    stage.pick().expect("the next one").finish(stage.outcome(true)).unwrap();
    assert_eq!(stage.of("a").health, HealthStatus::Recovering);
}

/// A request that excludes the node, or wants other labels, is not used as its probe.
#[test]
fn probes_respect_what_a_request_asks_for() {
    let mut stage = Stage::new("{seed: 4, nodes: [{id: a, labels: {region: eu}}, b]}");
    stage.bring_down("a");
    stage.pass(10 * S);
    assert_eq!(stage.pool.pick(&stage.ask().exclude(&["a"])).unwrap().id().as_str(), "b");
    assert_eq!(stage.pool.pick(&stage.ask().require(&[("region", "us")])).unwrap_err().reason, NoNodeReason::NoMatch);
    stage.now += 10 * MS;
    assert_eq!(stage.pool.pick(&stage.ask().require(&[("region", "eu")])).unwrap().id().as_str(), "a");
}

/// The probe of a node that is taken out, and put in again under the same id, is not that of the new one.
#[test]
fn a_node_that_was_replaced_owes_nothing() {
    let mut stage = Stage::new("{seed: 4, nodes: [a]}");
    stage.bring_down("a");
    stage.pass(10 * S);
    let probe = stage.pick().unwrap();
    stage.pool.deregister("a").unwrap();
    stage.pool.register("a").unwrap();
    probe.finish(stage.outcome(false)).unwrap();
    assert_eq!(stage.of("a").health, HealthStatus::Healthy);
    assert!(stage.pick().is_ok());
}

/// Where no timer maintains the pool, a node that is back is drawn again all the same, some two seconds later: one of the
/// picks does what is overdue.
#[test]
fn a_node_that_is_back_is_drawn_also_where_nobody_maintains() {
    for strategy in ["round_robin", "weighted_round_robin", "random", "p2c"] {
        let mut stage = Stage::new(&format!("{{seed: 8, strategy: {strategy}, nodes: [a, b]}}"));
        stage.bring_down("a");
        stage.pool.maintain(stage.now);
        // The last time that anybody does.
        stage.now = stage.held_until("a");
        let probe = stage.pick().unwrap();
        assert_eq!(probe.id().as_str(), "a");
        probe.finish(stage.outcome(true)).unwrap();
        stage.now += 2 * S;
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..100 {
            let pick = stage.pick().unwrap();
            *seen.entry(pick.id().to_string()).or_insert(0) += 1;
            pick.finish(stage.outcome(true)).unwrap();
        }
        assert!(seen.len() == 2 && seen.values().all(|&n| n > 20), "{strategy}: {seen:?}");
    }
}
