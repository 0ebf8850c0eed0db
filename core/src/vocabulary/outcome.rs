//! How an attempt ended.

use std::time::Duration;

/// How an attempt ended, as the health policies see it.
///
/// ```
/// use loadwise::Outcome;
/// use std::time::Duration;
///
/// let limited = Outcome::RateLimited { retry_after: Some(Duration::from_secs(30)) };
/// assert!(!limited.is_success());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// An error of the node: refused, reset, timed out, answered 5xx.
    Failure,
    /// The node asked for less traffic. Says nothing about its health.
    RateLimited {
        /// When the node asked to be tried again.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum FailureKind {
    /// No connection could be made.
    Connect = 1,
    /// No answer in time.
    Timeout = 2,
    /// The connection broke.
    Reset = 3,
    /// An answer that says the server failed.
    ServerError = 4,
    #[default]
    Other = 0,
}

impl FailureKind {
    pub const ALL: [Self; 5] = [Self::Other, Self::Connect, Self::Timeout, Self::Reset, Self::ServerError];

    /// The word for it in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::ServerError => "server_error",
            Self::Other => "other",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How a pick ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    Failure(FailureKind),
    RateLimited {
        retry_after: Option<Duration>,
    },
    /// Nobody can say, and nobody is to blame: the client left, or the pick was not used.
    Cancelled,
}

impl Ending {
    /// The word for it in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure(_) => "failure",
            Self::RateLimited { .. } => "rate_limited",
            Self::Cancelled => "cancelled",
        }
    }
}

/// All that a host says of a finished attempt. Made from an [`Outcome`], or by name:
///
/// ```
/// use loadwise::{FailureKind, Report};
/// use std::time::Duration;
///
/// let report = Report::failure(FailureKind::Timeout).latency(Duration::from_secs(2));
/// assert_eq!(report.latency_ns, Some(2_000_000_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    pub ending: Ending,
    /// How long it took. Without it, strategies that need it measure from pick to finish. After a first token it is ignored:
    /// what is recorded first counts.
    pub latency_ns: Option<u64>,
    /// What was used of the quotas, by dimension, in place of what the request was expected to cost. Dimensions that are
    /// not named keep what was reserved; a cancelled pick gives everything back.
    pub usage: &'a [(&'a str, u64)],
    /// The time of the finish on the monotonic clock. Without it, the clock is read where it is needed.
    pub now_ns: Option<u64>,
}

impl<'a> Report<'a> {
    /// Whether it says no more than that it went well.
    #[inline(always)]
    pub(crate) fn is_bare_success(&self) -> bool {
        self.ending == Ending::Success && self.latency_ns.is_none() && self.usage.is_empty() && self.now_ns.is_none()
    }

    pub fn success() -> Self {
        Self { ending: Ending::Success, latency_ns: None, usage: &[], now_ns: None }
    }

    pub fn failure(kind: FailureKind) -> Self {
        Self { ending: Ending::Failure(kind), ..Self::success() }
    }

    pub fn rate_limited(retry_after: Option<Duration>) -> Self {
        Self { ending: Ending::RateLimited { retry_after }, ..Self::success() }
    }

    pub fn cancelled() -> Self {
        Self { ending: Ending::Cancelled, ..Self::success() }
    }

    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency_ns = Some(super::time::saturating_nanos(latency));
        self
    }

    pub fn usage(mut self, usage: &'a [(&'a str, u64)]) -> Self {
        self.usage = usage;
        self
    }

    pub fn now_ns(mut self, now_ns: u64) -> Self {
        self.now_ns = Some(now_ns);
        self
    }

    /// What the health policies are told; `None` for a cancelled attempt.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.ending {
            Ending::Success => Some(Outcome::Success),
            Ending::Failure(_) => Some(Outcome::Failure),
            Ending::RateLimited { retry_after } => Some(Outcome::RateLimited { retry_after }),
            Ending::Cancelled => None,
        }
    }
}

impl From<Outcome> for Report<'_> {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::success(),
            Outcome::Failure => Self::failure(FailureKind::Other),
            Outcome::RateLimited { retry_after } => Self::rate_limited(retry_after),
        }
    }
}

/// What a node says of itself, or what a host measured of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// Lower is better; for `least_load` and for `p2c` with `load: reported`. Any unit, the same for all nodes.
    pub load: Option<f64>,
    /// The share of its quota that is left, 0.0 ..= 1.0; for `most_available`.
    pub remaining_ratio: Option<f64>,
    /// Requests a second that the node serves; with `utilization`, for `reported_load`.
    pub requests_per_s: Option<f64>,
    /// The share of the node's capacity that is in use; above 1.0 it is overloaded.
    pub utilization: Option<f64>,
    /// Errors a second that the node answers with.
    pub errors_per_s: Option<f64>,
    /// The time of the report on the monotonic clock. Without it, the clock is read where it is needed.
    pub now_ns: Option<u64>,
}
