//! What a program written for loadwise 0.1 relies on: the same imports, builders, traits and results.
//! Every assertion here holds for the published 0.1 too; what is mended since is in `mended_since_0_1.rs`.

mod context;
mod filters;
mod health;
mod observers;
mod quotas;
mod state;
mod strategies;
mod traits;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loadwise::{
    ConsecutiveFailurePolicy, Filter, HealthAware, HealthFilter, HealthPolicy, HealthStatus, HealthTracker,
    InMemoryStore, LoadMetric, MetricsCollector, Node, NodeHealth, NoopCollector, Outcome, QuotaConfig, QuotaDimension,
    QuotaFilter, QuotaTracker, RateMetric, SelectionContext, StateStore, Strategy, Weighted,
};

/// A node with every trait that a strategy or a filter can ask for.
#[derive(Debug, Clone)]
struct Server {
    name: String,
    weight: u32,
    load: f64,
    remaining: f64,
    health: HealthStatus,
}

impl Server {
    fn new(name: &str) -> Self {
        Self { name: name.into(), weight: 1, load: 0.0, remaining: 1.0, health: HealthStatus::Healthy }
    }

    fn weights<const N: usize>(weights: [u32; N]) -> [Self; N] {
        weights.map(|weight| Self { weight, ..Self::new(&format!("w{weight}")) })
    }

    fn loads<const N: usize>(loads: [f64; N]) -> [Self; N] {
        loads.map(|load| Self { load, ..Self::new(&format!("l{load}")) })
    }

    fn remaining<const N: usize>(ratios: [f64; N]) -> [Self; N] {
        ratios.map(|remaining| Self { remaining, ..Self::new(&format!("r{remaining}")) })
    }
}

impl Node for Server {
    type Id = String;
    fn id(&self) -> &String {
        &self.name
    }
}

impl Weighted for Server {
    fn weight(&self) -> u32 {
        self.weight
    }
}

impl LoadMetric for Server {
    fn load_score(&self) -> f64 {
        self.load
    }
}

impl RateMetric for Server {
    fn remaining_ratio(&self) -> f64 {
        self.remaining
    }
}

impl HealthAware for Server {
    fn health_status(&self) -> HealthStatus {
        self.health
    }
}

fn excluding(indices: &[usize]) -> SelectionContext {
    SelectionContext::builder().exclude(indices.to_vec()).build()
}
