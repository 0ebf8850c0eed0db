//! Pools as their users meet them.

mod bad_input;
mod behaviour;
mod first_token;
mod hashing;
mod membership;
mod shares;
mod time;

use loadwise::{NodeSpec, Pool};

/// A seeded pool of `n` equal nodes n0, n1, …
fn pool(strategy: &str, n: usize) -> Pool {
    weighted(strategy, &vec![1; n])
}

fn weighted(strategy: &str, weights: &[u32]) -> Pool {
    let nodes = weights.iter().enumerate().map(|(i, &w)| NodeSpec::new(format!("n{i}")).weight(w));
    Pool::builder().strategy(strategy).unwrap().nodes(nodes).seed(42).build().unwrap()
}

/// Every strategy that a document can name.
const STRATEGIES: [&str; 12] = [
    "round_robin",
    "weighted_round_robin",
    "random",
    "weighted_random",
    "least_load",
    "least_request",
    "p2c",
    "peak_ewma",
    "ring_hash",
    "maglev",
    "rendezvous",
    "most_available",
];
