//! Errors by family. A number in [`Error::code`] is stable: the C status, the Python class and the Node code come from it.

use std::fmt;

/// What went wrong outside of a decision. A decision that finds no node is a [`NoNode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A configuration or an argument that cannot be: says which key, where, and why.
    #[error("{0}")]
    Config(ConfigError),
    /// An operation on state that is not there: an unknown node, a pool that was closed.
    #[error("{0}")]
    State(StateError),
    /// A ticket that is not open any more, or never was.
    #[error("{0}")]
    Ticket(TicketError),
    /// A user's own callback panicked or threw.
    #[error("callback failed: {0}")]
    Callback(String),
}

/// The number of a status, its name in C (after `LW_`) and what it means. C, Python and Node are generated from or checked against it.
pub const CODES: &[(u32, &str, &str)] = &[
    (0, "OK", "success"),
    (100, "ERR_CONFIG", "a configuration or an argument that cannot be"),
    (101, "ERR_LIMIT", "a bound of the pool is reached"),
    (200, "ERR_UNKNOWN_NODE", "no node of that id"),
    (201, "ERR_DUPLICATE_NODE", "a node of that id exists"),
    (202, "ERR_BUSY", "another control call holds the pool"),
    (203, "ERR_CLOSED", "a pool, or another object, that was freed"),
    (204, "ERR_STORE", "a state store failed"),
    (205, "ERR_SHARED", "a shared state that cannot be used: missing, damaged, of another version, or without room"),
    (206, "ERR_TOO_MANY_PROCESSES", "more processes than a shared state has rows for"),
    (207, "ERR_READ_ONLY", "a change of what was opened to look at only"),
    (300, "ERR_STALE_TICKET", "a ticket that was finished, expired, or is of a freed pool or another process"),
    (301, "ERR_INVALID_TICKET", "not a ticket"),
    (400, "ERR_CALLBACK", "a callback failed"),
    (501, "NO_NODE_EMPTY", "no node: the pool has none"),
    (502, "NO_NODE_ALL_EXCLUDED", "no node: every one is excluded"),
    (503, "NO_NODE_NO_MATCH", "no node: none has the required labels or passes the predicate"),
    (504, "NO_NODE_UNHEALTHY", "no node: none in an allowed health state"),
    (505, "NO_NODE_DRAINING", "no node: all are draining or have weight 0"),
    (506, "NO_NODE_SATURATED", "no node: all are at their limit"),
    (507, "NO_NODE_RATE_LIMITED", "no node: all have used up their quota"),
    (600, "ERR_INVALID_HANDLE", "not a handle, or one of another type"),
    (601, "ERR_NULL_ARGUMENT", "a pointer that must not be NULL is"),
    (602, "ERR_STRUCT_SIZE", "a struct_size that this version cannot serve"),
    (603, "ERR_INVALID_UTF8", "a text that is not UTF-8"),
    (604, "ERR_BUFFER_TOO_SMALL", "a buffer with less room than the answer needs"),
    (605, "ERR_INVALID_ARGUMENT", "an argument outside of its range"),
    (606, "ERR_PANIC", "a defect of the library, contained: please report it"),
];

impl Error {
    /// The stable number of this error.
    pub fn code(&self) -> u32 {
        match self {
            Self::Config(e) if e.limit => 101,
            Self::Config(_) => 100,
            Self::State(StateError::UnknownNode(_)) => 200,
            Self::State(StateError::DuplicateNode(_)) => 201,
            Self::State(StateError::Busy) => 202,
            Self::State(StateError::Closed) => 203,
            Self::State(StateError::Store(_)) => 204,
            Self::State(StateError::Shared { .. }) => 205,
            Self::State(StateError::TooManyProcesses) => 206,
            Self::State(StateError::ReadOnly) => 207,
            Self::Ticket(TicketError::Stale) => 300,
            Self::Ticket(TicketError::Invalid) => 301,
            Self::Callback(_) => 400,
        }
    }
}

/// Where in a configuration something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the key, as `nodes[2].weight`; empty for the whole document.
    pub key: String,
    /// The line in the text, from 1; 0 if the configuration was not text.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
    /// Whether a bound was reached, as opposed to an impossible value.
    pub limit: bool,
}

impl ConfigError {
    pub fn new(key: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { key: key.into(), line, message: message.into(), limit: false }
    }

    /// A bound that was reached.
    pub fn limit(key: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { limit: true, ..Self::new(key, line, message) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.is_empty(), self.line) {
            (true, 0) => write!(f, "{}", self.message),
            (true, line) => write!(f, "line {line}: {}", self.message),
            (false, 0) => write!(f, "{}: {}", self.key, self.message),
            (false, line) => write!(f, "line {line}: {}: {}", self.key, self.message),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(e: ConfigError) -> Self {
        Self::Config(e)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("unknown node {0:?}")]
    UnknownNode(String),
    #[error("duplicate node {0:?}")]
    DuplicateNode(String),
    #[error("another control call holds the pool")]
    Busy,
    #[error("the pool is closed")]
    Closed,
    /// A [`StateStore`](crate::StateStore) could not be read or written; says why.
    #[error("state store: {0}")]
    Store(String),
    /// The state that processes share cannot be used; says which and why.
    #[error("shared state {path}: {reason}")]
    Shared { path: String, reason: String },
    /// More processes at one time than the shared state was made for.
    #[error("more processes share the state than shared.max_processes allows")]
    TooManyProcesses,
    /// It was opened to look at it only, with [`Engine::view`](crate::Engine::view).
    #[error("it was opened to look at only")]
    ReadOnly,
}

impl From<StateError> for Error {
    fn from(e: StateError) -> Self {
        Self::State(e)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Finished before, timed out, inherited through a fork, or its pool was closed. Nothing was changed.
    #[error("stale ticket: it was finished, timed out, or belongs to another process")]
    Stale,
    /// Never given out by this pool.
    #[error("not a ticket of this pool")]
    Invalid,
}

impl From<TicketError> for Error {
    fn from(e: TicketError) -> Self {
        Self::Ticket(e)
    }
}

/// Why a pick found no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no node: {reason}")]
pub struct NoNode {
    pub reason: NoNodeReason,
    /// The earliest time at which trying again makes sense, on the monotonic clock; `None` where it is not known.
    pub retry_at_ns: Option<u64>,
    /// Whether a predicate or an own strategy panicked or threw on the way.
    pub callback_failed: bool,
}

impl NoNode {
    /// The stable number of this result.
    pub fn code(&self) -> u32 {
        501 + self.reason as u32
    }
}

/// The filter at which the last candidates were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NoNodeReason {
    /// The pool has no nodes.
    Empty,
    /// Every node that could have been chosen is excluded by the request.
    AllExcluded,
    /// No node has the required labels, or the predicate refused all that have.
    NoMatch,
    /// No node is in an allowed health state.
    Unhealthy,
    /// Every node is draining or has weight 0.
    Draining,
    /// Every node is at its limit, or the pool has no free lease.
    Saturated,
    /// Every node has used up its quota.
    RateLimited,
}

impl NoNodeReason {
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::AllExcluded,
        Self::NoMatch,
        Self::Unhealthy,
        Self::Draining,
        Self::Saturated,
        Self::RateLimited,
    ];

    /// The word for it in every language and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::AllExcluded => "all_excluded",
            Self::NoMatch => "no_match",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
            Self::Saturated => "saturated",
            Self::RateLimited => "rate_limited",
        }
    }
}

impl fmt::Display for NoNodeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
