//! Whether a node's circuit breaker lets requests through.

use std::fmt;

/// The state of a node's circuit breaker.
///
/// ```
/// use loadwise::BreakerState;
///
/// assert_eq!(BreakerState::HalfOpen.as_str(), "half_open");
/// assert_eq!(BreakerState::parse("open"), Some(BreakerState::Open));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum BreakerState {
    /// Requests pass, and their failures are counted. So is every node that has no breaker.
    #[default]
    Closed = 0,
    /// The node failed too often. It takes no requests until its time is over.
    Open = 1,
    /// The time is over. One probe at a time passes, and enough of them that succeed close the breaker.
    HalfOpen = 2,
}

impl BreakerState {
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The number for it in the metrics: closed 0, open 1, half-open 2.
    pub const fn as_number(self) -> u8 {
        self as u8
    }

    /// The word for it in every language and in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    /// The state of that word, `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_one_to_one() {
        for (number, state) in BreakerState::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(state.as_number()), number);
            assert_eq!(BreakerState::parse(state.as_str()), Some(state));
            assert_eq!(state.to_string(), state.as_str());
        }
        assert_eq!(BreakerState::ALL.map(BreakerState::as_str), ["closed", "open", "half_open"]);
        assert_eq!(BreakerState::parse("half-open"), None);
    }
}
