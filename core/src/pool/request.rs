//! What a request asks of a decision.

use super::Candidate;
use crate::vocabulary::node::NodeRef;
use crate::vocabulary::status::HealthStatus;

/// What a request asks for; the default asks for nothing. Borrows all it is given.
///
/// ```
/// use loadwise::Request;
///
/// let request = Request::new().key(b"user-17").require(&[("region", "eu")]).exclude(&["10.0.0.1:8080"]);
/// assert_eq!(request.key, Some(b"user-17".as_slice()));
/// ```
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct Request<'a> {
    /// What hash strategies hash: any bytes, also none. Without a key they choose a random node.
    pub key: Option<&'a [u8]>,
    /// Ids that must not be chosen; unknown ones are ignored.
    pub exclude: &'a [&'a str],
    /// Nodes that must not be chosen, as earlier picks named them; those that are gone are ignored.
    pub exclude_nodes: &'a [NodeRef],
    /// Labels that a node must have, all of them.
    pub require: &'a [(&'a str, &'a str)],
    /// Allowed health states, as a sum of [`HealthStatus::bit_flag`]; 0: all but unhealthy.
    pub health_mask: u8,
    /// Has the last word on a candidate. One that panics refuses, and the pick tells of it.
    pub predicate: Option<&'a dyn Fn(&Candidate<'_>) -> bool>,
    /// The caller's zone, for pools that prefer near nodes; without it the pool's own.
    pub zone: Option<&'a str>,
    /// Whose session it is: a client's address, a user's id, a cookie. A pool with `affinity` keeps it on its node.
    pub session: Option<&'a [u8]>,
    /// What the request is expected to use of the quotas, by dimension. Dimensions that the pool does not know are
    /// unlimited; those that are not named cost their `default_cost`.
    pub cost: &'a [(&'a str, u64)],
    /// The time on the monotonic clock; without it the clock is read where a rule needs it.
    pub now_ns: Option<u64>,
}

/// Healthy, degraded or recovering.
pub(crate) const AVAILABLE: u8 =
    HealthStatus::Healthy.bit_flag() | HealthStatus::Degraded.bit_flag() | HealthStatus::Recovering.bit_flag();

impl<'a> Request<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    pub fn exclude(mut self, ids: &'a [&'a str]) -> Self {
        self.exclude = ids;
        self
    }

    pub fn exclude_nodes(mut self, nodes: &'a [NodeRef]) -> Self {
        self.exclude_nodes = nodes;
        self
    }

    pub fn require(mut self, labels: &'a [(&'a str, &'a str)]) -> Self {
        self.require = labels;
        self
    }

    pub fn health_mask(mut self, mask: u8) -> Self {
        self.health_mask = mask;
        self
    }

    pub fn predicate(mut self, predicate: &'a dyn Fn(&Candidate<'_>) -> bool) -> Self {
        self.predicate = Some(predicate);
        self
    }

    pub fn zone(mut self, zone: &'a str) -> Self {
        self.zone = Some(zone);
        self
    }

    pub fn session(mut self, session: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.session = Some(session.as_ref());
        self
    }

    pub fn cost(mut self, cost: &'a [(&'a str, u64)]) -> Self {
        self.cost = cost;
        self
    }

    pub fn now_ns(mut self, now_ns: u64) -> Self {
        self.now_ns = Some(now_ns);
        self
    }

    /// Whether nothing is asked for but a node that is available.
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        let conditions = self.exclude.len() | self.exclude_nodes.len() | self.require.len();
        conditions | usize::from(self.health_mask) == 0 && self.predicate.is_none()
    }

    #[inline(always)]
    pub(crate) fn mask(&self) -> u64 {
        u64::from(if self.health_mask == 0 { AVAILABLE } else { self.health_mask & 0xF })
    }
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("key", &self.key)
            .field("exclude", &self.exclude)
            .field("exclude_nodes", &self.exclude_nodes)
            .field("require", &self.require)
            .field("health_mask", &self.mask())
            .field("predicate", &self.predicate.is_some())
            .field("zone", &self.zone)
            .field("session", &self.session)
            .field("cost", &self.cost)
            .field("now_ns", &self.now_ns)
            .finish()
    }
}
