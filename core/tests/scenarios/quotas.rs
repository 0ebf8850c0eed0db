//! Quotas: what a node may take in a window.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loadwise::{NoNodeReason, Report, Request};

use crate::stage::{S, Stage};

fn used(stage: &Stage, id: &str) -> Vec<u64> {
    stage.of(id).quotas.into_iter().map(|q| q.used).collect()
}

/// Eight threads take what there is: of 1000 units never one more is given out, and in the end all of them are.
#[test]
fn eight_threads_never_take_one_too_many() {
    let stage =
        Stage::new("{seed: 15, nodes: [a, {id: b, quotas: {rpm: 500}}], quotas: [{dimension: rpm, limit: 1000}]}");
    let (barrier, given, now) = (Barrier::new(8), AtomicU64::new(0), stage.now);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (stage, barrier, given) = (&stage, &barrier, &given);
            scope.spawn(move || {
                barrier.wait();
                let mut misses = 0;
                while misses < 50 {
                    match stage.pool.acquire(&Request::new().now_ns(now)) {
                        // Some are given back, and taken again by whoever comes next.
                        Ok(lease) if (lease.ticket.as_u64() + thread) % 3 == 0 => {
                            stage.pool.release(lease.ticket, Report::cancelled().now_ns(now)).unwrap();
                        }
                        Ok(lease) => {
                            given.fetch_add(1, Ordering::Relaxed);
                            stage.pool.release(lease.ticket, Report::success().now_ns(now)).unwrap();
                        }
                        Err(none) => {
                            assert_eq!(none.reason, NoNodeReason::RateLimited);
                            misses += 1;
                        }
                    }
                }
            });
        }
    });
    assert_eq!(given.into_inner(), 1500);
    assert_eq!((used(&stage, "a"), used(&stage, "b")), (vec![1000], vec![500]));
}

/// A request that was cancelled gives everything back; one that failed has used what it was expected to.
#[test]
fn cancelling_gives_back() {
    let stage = Stage::new("{seed: 15, nodes: [a], quotas: [{dimension: tpm, limit: 100, default_cost: 10}]}");
    let pick = stage.pool.pick(&stage.ask().cost(&[("tpm", 60)])).unwrap();
    assert_eq!(used(&stage, "a"), [60]);
    drop(pick);
    assert_eq!(used(&stage, "a"), [0]);
    stage.pick().unwrap().finish(stage.outcome(false)).unwrap();
    assert_eq!(used(&stage, "a"), [10], "the default");
}

/// What was really used replaces what was reserved, also if it is more than the limit; then nothing is left until the
/// window has moved on.
#[test]
fn what_was_used_counts() {
    let mut stage = Stage::new("{seed: 15, nodes: [a], quotas: [{dimension: tpm, limit: 100}]}");
    let pick = stage.pool.pick(&stage.ask().cost(&[("tpm", 60)])).unwrap();
    pick.finish(stage.outcome(true).usage(&[("tpm", 20)])).unwrap();
    assert_eq!(used(&stage, "a"), [20]);
    let pick = stage.pool.pick(&stage.ask().cost(&[("tpm", 60)])).unwrap();
    pick.finish(stage.outcome(true).usage(&[("tpm", 500)])).unwrap();
    assert_eq!(used(&stage, "a"), [520]);
    let refused = stage.pick().unwrap_err();
    assert_eq!(refused.reason, NoNodeReason::RateLimited);
    stage.now = refused.retry_at_ns.unwrap() - 1;
    assert_eq!(stage.nobody(), NoNodeReason::RateLimited);
    stage.now += 1;
    assert!(stage.pick().is_ok(), "when it was said");
}

/// A cancelled request may have used something all the same, and says so.
#[test]
fn a_cancelled_request_may_have_cost_something() {
    let stage =
        Stage::new("{seed: 15, nodes: [a], quotas: [{dimension: tpm, limit: 100}, {dimension: rpm, limit: 5}]}");
    let pick = stage.pool.pick(&stage.ask().cost(&[("tpm", 60)])).unwrap();
    pick.finish(Report::cancelled().usage(&[("tpm", 7)]).now_ns(stage.now)).unwrap();
    assert_eq!(used(&stage, "a"), [7, 1], "what is not named stays reserved");
}

/// A cost above the limit never fits, and a dimension that nobody configured is unlimited.
#[test]
fn too_much_and_unknown() {
    let stage = Stage::new("{seed: 15, nodes: [a], quotas: [{dimension: tpm, limit: 100}]}");
    let refused = stage.pool.pick(&stage.ask().cost(&[("tpm", 101)])).unwrap_err();
    assert_eq!((refused.reason, refused.retry_at_ns), (NoNodeReason::RateLimited, None));
    assert!(stage.pool.pick(&stage.ask().cost(&[("unheard", u64::MAX)])).is_ok());
    assert_eq!(used(&stage, "a"), [0], "and was given back with the pick");
}

/// The window moves on bucket by bucket: what was used a window ago is free again, and never more than the limit counts in
/// any window.
#[test]
fn the_window_moves_on() {
    let mut stage =
        Stage::new("{seed: 15, nodes: [a], quotas: [{dimension: rpm, limit: 30, window_ms: 60000, buckets: 6}]}");
    let mut taken = Vec::new();
    for _ in 0..600 {
        while let Ok(pick) = stage.pick() {
            pick.finish(stage.outcome(true)).unwrap();
            taken.push(stage.now);
        }
        stage.pass(S);
    }
    // A bucket is 10 s: what was used counts for 50 to 60 s.
    for (i, &at) in taken.iter().enumerate() {
        let in_window = taken[i..].iter().take_while(|&&later| later < at + 50 * S).count();
        assert!(in_window <= 30, "{in_window} in the window at {}", at / S);
    }
    assert!(taken.len() >= 300, "30 in each of ten minutes: {}", taken.len());
}

/// A node that answers with a Retry-After is left out until then; 0 means now, a year is taken as five minutes, and the
/// last word counts.
#[test]
fn retry_after_is_obeyed() {
    let mut stage = Stage::new("{seed: 15, nodes: [a]}");
    stage.pick().unwrap().finish(stage.limited(Duration::ZERO)).unwrap();
    assert!(stage.pick().is_ok(), "now is now");
    stage.pick().unwrap().finish(stage.limited(Duration::from_secs(20))).unwrap();
    let refused = stage.pick().unwrap_err();
    assert_eq!((refused.reason, refused.retry_at_ns), (NoNodeReason::RateLimited, Some(stage.now + 20 * S)));
    stage.pass(20 * S - 1);
    assert_eq!(stage.nobody(), NoNodeReason::RateLimited);
    stage.pass(1);
    for year in [Duration::from_secs(365 * 86_400), Duration::MAX] {
        stage.pick().unwrap().finish(stage.limited(year)).unwrap();
        assert_eq!(stage.pick().unwrap_err().retry_at_ns, Some(stage.now + 300 * S));
        stage.pass(300 * S);
        assert!(stage.pick().is_ok());
    }
    let (first, second) = (stage.pick().unwrap(), stage.pick().unwrap());
    first.finish(stage.limited(Duration::from_secs(200))).unwrap();
    second.finish(stage.limited(Duration::from_secs(2))).unwrap();
    stage.pass(2 * S);
    assert!(stage.pick().is_ok(), "the last word");
    assert_eq!(stage.of("a").health, loadwise::HealthStatus::Healthy, "it is not ill");
}

/// The others take what a node that asked for less does not.
#[test]
fn the_others_take_over() {
    let stage = Stage::new("{seed: 15, strategy: round_robin, nodes: [a, b, c]}");
    stage.pool.report("a", stage.limited(Duration::from_secs(10))).unwrap();
    let shares = stage.shares(100);
    assert_eq!(shares.values().sum::<u32>(), 100);
    assert!(!shares.contains_key("a") && shares["b"] > 30 && shares["c"] > 30, "{shares:?}");
}
