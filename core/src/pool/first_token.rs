//! The first token of a streamed answer: what tells how loaded a node is, since the whole duration depends on how long the
//! answer is.

use super::{Pool, Ticket};
use crate::vocabulary::error::TicketError;
use crate::vocabulary::outcome::Report;

impl Pool {
    /// Notes that the first token (or byte) of an answer came: the time since the pick is recorded as its latency, at once,
    /// in all that learns from latencies (averages, percentiles, adaptive limits). The finish that follows records none, not
    /// one of its own either: what is recorded first counts. Otherwise it is a finish like any. From any thread of the
    /// process; no lock, no allocation.
    ///
    /// Whether it was the first; a second call changes nothing. Where no rule needs latencies, nothing is recorded.
    ///
    /// ```
    /// use loadwise::{Outcome, Pool, Request};
    ///
    /// let pool = Pool::from_config("{strategy: peak_ewma, nodes: [{id: a}]}").unwrap();
    /// let pick = pool.pick(&Request::new().now_ns(1_000_000)).unwrap();
    /// assert_eq!(pick.first_token_at(41_000_000), Ok(true));
    /// pick.finish(Outcome::Success).unwrap();
    /// let latency_ms = pool.nodes_at(41_000_000)[0].latency_ns.unwrap() / 1e6;
    /// assert!((39.9..40.1).contains(&latency_ms), "however long the rest took");
    /// ```
    ///
    /// # Errors
    /// [`TicketError`], as of [`release`](Self::release).
    pub fn first_token(&self, ticket: Ticket) -> Result<bool, TicketError> {
        self.answer(ticket, None)
    }

    /// [`first_token`](Self::first_token) at a time of the caller's, on the monotonic clock.
    ///
    /// # Errors
    /// [`TicketError`], as of [`release`](Self::release).
    pub fn first_token_at(&self, ticket: Ticket, now_ns: u64) -> Result<bool, TicketError> {
        self.answer(ticket, Some(now_ns))
    }

    fn answer(&self, ticket: Ticket, now_ns: Option<u64>) -> Result<bool, TicketError> {
        if self.has_forked() {
            self.after_fork_if_any();
        }
        let Some(leased) = self.memory.leases().answer(ticket, self.seat.row())? else { return Ok(false) };
        let index = leased.node as usize;
        let state = self.memory.node(index).state();
        if state.generation() == leased.node_generation && state.is_member() && self.keeps_latency(leased) {
            // It is still counted as in flight.
            self.add_latency(index, leased.started_ns, &Report { now_ns, ..Report::success() }, 0);
        }
        Ok(true)
    }
}
