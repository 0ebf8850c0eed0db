//! A pool on a clock of the test's own, and traffic that takes its time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use loadwise::stats::{NodeStats, PoolStats};
use loadwise::{FailureKind, NoNode, NoNodeReason, NodeStatus, Pick, Pool, Report, Request};

pub const MS: u64 = 1_000_000;
pub const S: u64 = 1_000 * MS;

pub struct Stage {
    /// For as long as the tests run, so that picks may be held while the clock is moved.
    pub pool: &'static Pool,
    pub now: u64,
}

impl Stage {
    /// A pool of this configuration at second 1000, maintained once as a host's timer would.
    pub fn new(config: &str) -> Self {
        let pool = Pool::from_config(config).unwrap_or_else(|e| panic!("{config}: {e}"));
        let stage = Self { pool: Box::leak(Box::new(pool)), now: 1000 * S };
        stage.pool.maintain(stage.now);
        stage
    }

    /// Time passes, a second at a time, with a host's timer running.
    pub fn pass(&mut self, ns: u64) {
        let until = self.now + ns;
        while self.now < until {
            self.now = (self.now + S).min(until);
            self.pool.maintain(self.now);
        }
    }

    /// A request at the time of the clock.
    pub fn ask(&self) -> Request<'static> {
        Request::new().now_ns(self.now)
    }

    pub fn pick(&self) -> Result<Pick<'static>, NoNode> {
        self.pool.pick(&self.ask())
    }

    /// The reason why there is no node.
    #[track_caller]
    pub fn nobody(&self) -> NoNodeReason {
        self.pick().expect_err("nobody should be there").reason
    }

    /// Sends a request to the node of this id; whether it was there to take it.
    pub fn send(&self, id: &str, ok: bool) -> bool {
        let others: Vec<String> = self.pool.nodes_at(self.now).into_iter().map(|n| n.id).filter(|n| n != id).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let Ok(pick) = self.pool.pick(&self.ask().exclude(&others)) else { return false };
        pick.finish(self.outcome(ok)).expect("an open pick");
        true
    }

    /// Sends failures to a node until it takes no more of them.
    #[track_caller]
    pub fn bring_down(&self, id: &str) {
        for _ in 0..1000 {
            if !self.send(id, false) {
                return;
            }
        }
        panic!("{id} takes failures without end");
    }

    /// Tells of an active check or the like.
    pub fn tell(&self, id: &str, ok: bool) {
        self.pool.report(id, self.outcome(ok)).expect("a member");
    }

    pub fn outcome(&self, ok: bool) -> Report<'static> {
        let report = if ok { Report::success() } else { Report::failure(FailureKind::ServerError) };
        report.latency(Duration::from_millis(10)).now_ns(self.now)
    }

    pub fn limited(&self, retry_after: Duration) -> Report<'static> {
        Report::rate_limited(Some(retry_after)).now_ns(self.now)
    }

    pub fn stats(&self) -> PoolStats {
        self.pool.stats_at(self.now)
    }

    #[track_caller]
    pub fn of(&self, id: &str) -> NodeStats {
        self.stats().nodes.into_iter().find(|n| n.id == id).expect("a member")
    }

    #[track_caller]
    pub fn status(&self, id: &str) -> NodeStatus {
        self.pool.nodes_at(self.now).into_iter().find(|n| n.id == id).expect("a member")
    }

    /// Until when a node is held, as a pick that wants it is told.
    #[track_caller]
    pub fn held_until(&self, id: &str) -> u64 {
        let others: Vec<String> = self.pool.nodes_at(self.now).into_iter().map(|n| n.id).filter(|n| n != id).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let refused = self.pool.pick(&self.ask().exclude(&others)).expect_err("it is held");
        assert_eq!(refused.reason, NoNodeReason::Unhealthy);
        refused.retry_at_ns.expect("it is known when")
    }

    /// How many of so many picks each node takes; all are given back.
    pub fn shares(&self, picks: u32) -> BTreeMap<String, u32> {
        self.shares_of(picks, |_| self.ask())
    }

    pub fn shares_of<'r>(&self, picks: u32, ask: impl Fn(u32) -> Request<'r>) -> BTreeMap<String, u32> {
        let mut shares = BTreeMap::new();
        for i in 0..picks {
            if let Ok(pick) = self.pool.pick(&ask(i)) {
                *shares.entry(pick.id().to_string()).or_default() += 1;
            }
        }
        shares
    }

    /// Requests at an even rate for so long; each ends as `serve` says, by the node's id and the request's number.
    pub fn traffic(
        &mut self,
        ns: u64,
        per_s: u64,
        mut serve: impl FnMut(&str, u64) -> (bool, u64),
    ) -> BTreeMap<String, u64> {
        let begin = self.now;
        let (mut sent, mut maintained) = (BTreeMap::new(), self.now);
        let mut running: BinaryHeap<Reverse<(u64, u64, bool, u64)>> = BinaryHeap::new();
        let count = (u128::from(ns) * u128::from(per_s) / u128::from(S)) as u64;
        for number in 0..count {
            let at = begin + (u128::from(number) * u128::from(S) / u128::from(per_s)) as u64;
            while let Some(Reverse((ends, ticket, ok, latency))) = running.peek().copied().filter(|r| r.0.0 <= at) {
                running.pop();
                self.now = ends;
                let report = self.outcome(ok).latency(Duration::from_nanos(latency));
                self.pool.release(loadwise::Ticket::from_u64(ticket), report).expect("an open pick");
            }
            self.now = at;
            if at >= maintained + S {
                self.pool.maintain(at);
                maintained = at;
            }
            let Ok(lease) = self.pool.acquire(&self.ask()) else {
                *sent.entry("nobody".to_owned()).or_default() += 1;
                continue;
            };
            let id = self.pool.id_of(lease.node).to_string();
            let (ok, latency) = serve(&id, number);
            running.push(Reverse((at + latency, lease.ticket.as_u64(), ok, latency)));
            *sent.entry(id).or_default() += 1;
        }
        while let Some(Reverse((ends, ticket, ok, latency))) = running.pop() {
            self.now = self.now.max(ends);
            let report = self.outcome(ok).latency(Duration::from_nanos(latency));
            self.pool.release(loadwise::Ticket::from_u64(ticket), report).expect("an open pick");
        }
        self.now = self.now.max(begin + ns);
        self.pool.maintain(self.now);
        sent
    }
}

/// `a, b, c, …`, so many, as a list in a configuration.
pub fn ids(count: u8) -> String {
    let ids: Vec<String> = (0..count).map(|i| char::from(b'a' + i).to_string()).collect();
    format!("[{}]", ids.join(", "))
}
