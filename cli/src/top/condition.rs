//! How a node is, in words: the worst first.

use loadwise::stats::NodeStats;
use loadwise::{BreakerState, HealthStatus};

/// How much attention something deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Good,
    /// Takes less than its share, or is about to.
    Warning,
    /// Takes nothing.
    Bad,
}

/// All that is to be said of a node's state; `healthy` if there is nothing else.
pub fn words(node: &NodeStats) -> Vec<String> {
    let mut words = Vec::new();
    let mut say = |applies: bool, word: &str| {
        if applies {
            words.push(word.to_owned());
        }
    };
    say(node.health == HealthStatus::Unhealthy, "unhealthy");
    say(node.breaker == BreakerState::Open, "breaker open");
    say(node.breaker == BreakerState::HalfOpen, "breaker half open");
    say(node.ejected, "ejected");
    say(node.drained, "drained");
    say(node.draining && !node.drained, "draining");
    say(node.weight == 0, "weight 0");
    say(node.max_in_flight > 0 && node.in_flight >= node.max_in_flight, "full");
    say(node.warming < 1.0, &format!("warming {:.0}%", node.warming * 100.0));
    say(node.health == HealthStatus::Recovering, "recovering");
    say(node.health == HealthStatus::Degraded, "degraded");
    if words.is_empty() {
        words.push("healthy".to_owned());
    }
    words
}

pub fn grade(node: &NodeStats) -> Grade {
    match (node.available, words(node)[0].as_str()) {
        (false, _) => Grade::Bad,
        (true, "healthy") => Grade::Good,
        (true, _) => Grade::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_nothing_is_left_out() {
        let well = NodeStats { weight: 1, warming: 1.0, available: true, ..NodeStats::default() };
        assert_eq!((words(&well), grade(&well)), (vec!["healthy".to_owned()], Grade::Good));
        let warming = NodeStats { warming: 0.4, ..well.clone() };
        assert_eq!((words(&warming), grade(&warming)), (vec!["warming 40%".to_owned()], Grade::Warning));
        let down = NodeStats {
            health: HealthStatus::Unhealthy,
            breaker: BreakerState::HalfOpen,
            ejected: true,
            draining: true,
            max_in_flight: 2,
            in_flight: 2,
            available: false,
            ..well
        };
        assert_eq!(words(&down), ["unhealthy", "breaker half open", "ejected", "draining", "full"]);
        assert_eq!(grade(&down), Grade::Bad);
    }
}
