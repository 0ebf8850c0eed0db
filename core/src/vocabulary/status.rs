//! How well a node is.

use std::fmt;

/// What is believed of a node from how its last requests ended. [`crate::health`] has the rule by which it changes.
///
/// ```
/// use loadwise::HealthStatus;
///
/// assert!(HealthStatus::Recovering.is_available());
/// assert_eq!(HealthStatus::parse("unhealthy"), Some(HealthStatus::Unhealthy));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HealthStatus {
    /// Nothing speaks against the node; so is every node of which nothing is known.
    #[default]
    Healthy,
    /// Half way to [`Unhealthy`](Self::Unhealthy). Takes requests as before.
    Degraded,
    /// Failed too often in a row. Takes no requests but probes.
    Unhealthy,
    /// Was unhealthy and has answered since, but not yet often enough in a row to be trusted.
    Recovering,
}

impl HealthStatus {
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Degraded, Self::Unhealthy, Self::Recovering];

    /// Whether a node in this state takes requests: all but [`Unhealthy`](Self::Unhealthy).
    pub const fn is_available(self) -> bool {
        !matches!(self, Self::Unhealthy)
    }

    /// This state's bit in a health mask: healthy 1, degraded 2, unhealthy 4, recovering 8.
    pub const fn bit_flag(self) -> u8 {
        match self {
            Self::Healthy => 1,
            Self::Degraded => 2,
            Self::Unhealthy => 4,
            Self::Recovering => 8,
        }
    }

    /// The word for it in every language and in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Recovering => "recovering",
        }
    }

    /// The state of that word, `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bits_are_one_to_one() {
        let mut mask = 0;
        for status in HealthStatus::ALL {
            assert_eq!(HealthStatus::parse(status.as_str()), Some(status));
            assert_eq!(status.to_string(), status.as_str());
            assert_eq!(mask & status.bit_flag(), 0, "{status} shares its bit");
            mask |= status.bit_flag();
        }
        assert_eq!(mask, 0b1111);
        assert_eq!(HealthStatus::parse("Healthy"), None);
    }

    #[test]
    fn only_unhealthy_is_unavailable() {
        let unavailable: Vec<_> = HealthStatus::ALL.into_iter().filter(|status| !status.is_available()).collect();
        assert_eq!(unavailable, [HealthStatus::Unhealthy]);
    }
}
