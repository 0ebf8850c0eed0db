//! The first token of a streamed answer counts as its latency.

use std::time::Duration;

use loadwise::{FailureKind, Outcome, Pool, Report, Request, Ticket, TicketError};

const MS: u64 = 1_000_000;
const START: u64 = 1_000_000 * MS;

fn pool(more: &str) -> Pool {
    Pool::from_config(&format!("{{nodes: [a], {more}}}")).unwrap()
}

fn begin(pool: &Pool) -> Ticket {
    pool.acquire(&Request::new().now_ns(START)).unwrap().ticket
}

fn at(ms: u64) -> u64 {
    START + ms * MS
}

/// The average of the only node, in milliseconds.
fn average(pool: &Pool) -> Option<f64> {
    pool.nodes_at(START)[0].latency_ns.map(|ns| (ns / MS as f64).round())
}

#[test]
fn the_first_token_is_the_latency_and_the_end_is_none() {
    // And the average afterwards: nothing that failed looks fast.
    let ends = [
        (Report::success(), 40.0),
        (Report::success().latency(Duration::from_millis(7_000)), 40.0),
        (Report::failure(FailureKind::Reset), 5_000.0),
        (Report::rate_limited(None), 5_000.0),
        (Report::cancelled(), 40.0),
    ];
    for (end, after) in ends {
        let pool = pool("strategy: peak_ewma, stats: {latency: nodes}");
        let ticket = begin(&pool);
        assert_eq!(pool.first_token_at(ticket, at(40)), Ok(true));
        assert_eq!(average(&pool), Some(40.0), "it counts at once");
        assert_eq!(pool.first_token_at(ticket, at(90)), Ok(false));
        pool.release(ticket, end.now_ns(at(9_000))).unwrap();
        assert_eq!(average(&pool), Some(after), "{end:?}");
        let stats = pool.stats_at(at(9_000));
        let (all, node) = (stats.latency.unwrap(), stats.nodes[0].latency.unwrap());
        assert_eq!((all.count, node.count, all.p99_ms.round()), (1, 1, 40.0), "{end:?}");
    }
}

#[test]
fn the_end_counts_as_ever() {
    let pool = pool("strategy: peak_ewma, quotas: [{dimension: tokens, limit: 1000}]");
    let cost = [("tokens", 100)];
    let mut outcomes = vec![Report::failure(FailureKind::Timeout); 3];
    outcomes.extend([Report::cancelled(), Report::success().usage(&[("tokens", 30)])]);
    for (i, report) in outcomes.iter().enumerate() {
        let ticket = pool.acquire(&Request::new().cost(&cost).health_mask(31).now_ns(START)).unwrap().ticket;
        assert_eq!(pool.first_token_at(ticket, at(1)), Ok(true), "{i}");
        assert_eq!(pool.nodes_at(START)[0].in_flight, 1);
        pool.release(ticket, report.now_ns(at(2))).unwrap();
    }
    let node = pool.stats_at(at(2)).nodes.remove(0);
    let timeouts =
        node.failures_by_kind.iter().find(|(kind, _)| *kind == FailureKind::Timeout).map(|(_, count)| *count);
    assert_eq!((node.successes, node.cancelled, timeouts, node.in_flight), (1, 1, Some(3), 0));
    assert_eq!(node.quotas[0].used, 330);
    assert!(pool.nodes_at(at(2))[0].health != loadwise::HealthStatus::Healthy);
}

#[test]
fn tickets_that_are_void_are_refused_as_by_a_finish() {
    let pool = pool("strategy: peak_ewma, lease_timeout_ms: 1000");
    let ended = begin(&pool);
    pool.release(ended, Report::success().now_ns(at(5))).unwrap();
    assert_eq!(pool.first_token_at(ended, at(50)), Err(TicketError::Stale));
    let lost = begin(&pool);
    assert_eq!(pool.first_token_at(lost, at(8)), Ok(true));
    assert_eq!(pool.maintain(at(1_000)).leases_expired, 1, "a first token keeps no lease alive");
    assert_eq!(pool.first_token_at(lost, at(50)), Err(TicketError::Stale));
    for wrong in [0, 1 << 21, u64::MAX, ended.as_u64() + 1] {
        let ticket = Ticket::from_u64(wrong);
        let refused = pool.first_token(ticket).unwrap_err();
        assert_eq!(Err(refused), pool.release(ticket, Outcome::Success), "{wrong}");
    }
    assert_eq!(average(&pool), Some(8.0));
}

#[test]
fn an_open_pick_stays_as_it_was() {
    let pool = pool("strategy: peak_ewma, lease_timeout_ms: 60000");
    let pick = pool.pick(&Request::new().now_ns(START)).unwrap();
    assert_eq!(pick.first_token_at(at(3)), Ok(true));
    let open = pool.open_picks(9);
    assert_eq!((open.len(), open[0].ticket, open[0].started_ns), (1, pick.ticket(), Some(START)));
    assert_eq!(pool.node_of(pick.ticket()).unwrap(), pick.node());
    drop(pick);
    assert_eq!(pool.nodes_at(START)[0].in_flight, 0);
}

#[test]
fn where_nobody_needs_latencies_none_is_recorded() {
    for more in ["strategy: p2c", "strategy: p2c, lease_timeout_ms: 60000"] {
        let pool = pool(more);
        let pick = pool.pick(&Request::new().now_ns(START)).unwrap();
        assert_eq!((pick.first_token(), pick.first_token()), (Ok(true), Ok(false)));
        assert_eq!(average(&pool), None);
        pick.finish(Report::success().latency(Duration::from_millis(5))).unwrap();
        assert_eq!(average(&pool), None);
    }
}

#[test]
fn the_slot_of_a_streamed_answer_begins_anew() {
    let pool = pool("strategy: peak_ewma");
    // Round the slots of the thread's run.
    for _ in 0..130 {
        let ticket = begin(&pool);
        assert_eq!(pool.first_token_at(ticket, at(40)), Ok(true));
        pool.release(ticket, Report::success().now_ns(at(50))).unwrap();
    }
    assert_eq!(average(&pool), Some(40.0));
    for _ in 0..130 {
        pool.release(begin(&pool), Report::success().now_ns(at(70))).unwrap();
    }
    assert_eq!(average(&pool), Some(70.0));
}

/// A limit falls by long answers, which streams are, unless it learns from their first tokens.
#[test]
fn limits_that_adapt_learn_from_first_tokens() {
    let limit_after = |first_tokens: bool| {
        let pool = pool("adaptive_limit: {initial: 20, min: 5, max: 40}");
        for i in 0..30 {
            let try_begin = |_| pool.acquire(&Request::new().now_ns(START)).ok().map(|lease| lease.ticket);
            let held: Vec<Ticket> = (0..15).map_while(try_begin).collect();
            for &ticket in held.iter().filter(|_| first_tokens) {
                assert_eq!(pool.first_token_at(ticket, at(20)), Ok(true));
            }
            for ticket in held {
                let length_ms = if i < 20 { 100 } else { 2_000 };
                pool.release(ticket, Report::success().now_ns(at(length_ms))).unwrap();
            }
        }
        pool.stats_at(START).nodes[0].max_in_flight
    };
    assert!(limit_after(true) > 20, "{:?}", limit_after(true));
    assert!(limit_after(false) < 20, "{:?}", limit_after(false));
}

#[test]
fn first_tokens_race_with_ends() {
    let pool = pool("strategy: peak_ewma, stats: {latency: pool}");
    const ROUNDS: u64 = 2_000;
    for _ in 0..ROUNDS {
        let ticket = begin(&pool);
        std::thread::scope(|scope| {
            scope.spawn(|| pool.first_token_at(ticket, at(40)));
            scope.spawn(|| pool.release(ticket, Report::success().now_ns(at(50))).unwrap());
        });
    }
    let stats = pool.stats_at(at(50));
    assert_eq!((stats.latency.unwrap().count, stats.in_flight), (ROUNDS, 0), "each is recorded once");
}
