//! Random reloads beside a simple model of what survives by id.
//!
//! ```text
//! reload:  a node whose id stays keeps in flight, health, hold, breaker if one is configured, averages, draining, place
//!          and what was used of each dimension that was there before with the same window and buckets
//!          a node that is new has nothing, also if it was there once
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use loadwise::config::{
    AffinityConfig, BreakerConfig, PoolConfig, QuotaLimit, Rebalance, StrategyConfig, StrategyKind,
};
use loadwise::{BreakerState, Candidate, HealthStatus, NodeSpec, NodeStatus, Outcome, Pool, Report, Request, Ticket};

use super::{Random, T0};

const SEQUENCES: u64 = 200;
const IDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const DIMENSIONS: [&str; 5] = ["rpm", "tpm", "rpd", "images", "audio"];

const SESSIONS: AffinityConfig = AffinityConfig {
    entries: 64,
    ttl_ms: 3_600_000,
    rebalance: Rebalance::Immediate,
    rebalance_step: 0.1,
    rebalance_ms: 300_000,
};

/// What is expected of a member.
#[derive(Debug, Default, Clone)]
struct Node {
    in_flight: u64,
    used: BTreeMap<&'static str, u64>,
    draining: bool,
}

struct Open {
    ticket: Ticket,
    id: &'static str,
    /// Which life of the id the pick is of.
    life: u64,
    /// What it holds, and of which life of each dimension.
    held: BTreeMap<&'static str, (u64, u64)>,
}

struct Model {
    random: Random,
    pool: Pool,
    config: PoolConfig,
    nodes: BTreeMap<&'static str, (u64, Node)>,
    lives: u64,
    /// Life of each dimension that the pool has.
    dimensions: BTreeMap<&'static str, u64>,
    open: Vec<Open>,
    ended: u64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut config = config(&mut random);
        // As large as it will ever be: the table is searched with every look at the pool.
        config.affinity = Some(SESSIONS);
        let pool = Pool::builder().config(config.clone()).build().unwrap();
        let mut model = Self {
            random,
            pool,
            config: PoolConfig { quotas: Vec::new(), nodes: Vec::new(), ..config.clone() },
            nodes: BTreeMap::new(),
            lives: 0,
            dimensions: BTreeMap::new(),
            open: Vec::new(),
            ended: 0,
        };
        model.follow(config);
        model
    }

    fn life(&mut self) -> u64 {
        self.lives += 1;
        self.lives
    }

    /// What becomes of the model with a configuration that is in force now.
    fn follow(&mut self, config: PoolConfig) {
        let before: BTreeMap<String, (u64, u32)> =
            self.config.quotas.iter().map(|q| (q.dimension.clone(), (q.window_ms, q.buckets))).collect();
        let mut dimensions = BTreeMap::new();
        for quota in &config.quotas {
            let name = known(&DIMENSIONS, &quota.dimension);
            let stays = before.get(name) == Some(&(quota.window_ms, quota.buckets));
            let life = if stays { self.dimensions[name] } else { self.life() };
            if !stays {
                self.nodes.values_mut().for_each(|(_, node)| node.used.retain(|dimension, _| dimension != &name));
            }
            dimensions.insert(name, life);
        }
        self.nodes.values_mut().for_each(|(_, node)| node.used.retain(|name, _| dimensions.contains_key(name)));
        self.dimensions = dimensions;
        let mut nodes = BTreeMap::new();
        for spec in &config.nodes {
            let id = known(&IDS, &spec.id);
            let life = self.life();
            nodes.insert(id, self.nodes.remove(id).unwrap_or((life, Node::default())));
        }
        self.nodes = nodes;
        self.config = config;
    }

    fn pick(&mut self) {
        let Some(id) = self.some_member() else { return };
        let cost: Vec<(&'static str, u64)> = self
            .config
            .quotas
            .iter()
            .map(|quota| (known(&DIMENSIONS, &quota.dimension), self.random.below(5) as u64))
            .collect();
        let only = |c: &Candidate<'_>| c.id().as_str() == id;
        let request = Request::new().predicate(&only).cost(&cost).now_ns(T0);
        let status = self.status(id);
        let Ok(lease) = self.pool.acquire(&request) else {
            assert!(status.draining || !status.available, "{id} is refused: {status:?}");
            return;
        };
        let (life, node) = self.nodes.get_mut(id).unwrap();
        node.in_flight += 1;
        let mut held = BTreeMap::new();
        for (name, amount) in cost {
            *node.used.entry(name).or_default() += amount;
            held.insert(name, (self.dimensions[name], amount));
        }
        self.open.push(Open { ticket: lease.ticket, id, life: *life, held });
    }

    fn finish(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let at = self.random.below(self.open.len());
        let open = self.open.swap_remove(at);
        let cancelled = self.random.chance(2);
        let latency = Duration::from_millis(1 + self.random.below(500) as u64);
        let report = match (cancelled, self.random.chance(3)) {
            (true, _) => Report::cancelled(),
            (false, true) => Report::from(Outcome::Failure).latency(latency),
            (false, false) => Report::success().latency(latency),
        };
        self.pool.release(open.ticket, report.now_ns(T0)).unwrap();
        self.ended += 1;
        let Some((_, node)) = self.nodes.get_mut(open.id).filter(|(life, _)| *life == open.life) else { return };
        node.in_flight -= 1;
        if cancelled {
            for (name, (life, amount)) in open.held {
                if self.dimensions.get(name) == Some(&life) {
                    *node.used.get_mut(name).unwrap() -= amount;
                }
            }
        }
    }

    fn reload(&mut self) {
        let config = config(&mut self.random);
        let before: BTreeMap<String, NodeStatus> = self.statuses();
        let version = self.pool.config_version();
        self.pool.reload_at(&config, T0).unwrap();
        assert_eq!(self.pool.config_version(), version + 1);
        for (id, after) in self.statuses() {
            match before.get(&id) {
                Some(before) => stays(before, &after, config.breaker.is_some()),
                None => is_new(&after),
            }
        }
        self.follow(config);
    }

    fn bad_reload(&mut self) {
        let mut config = config(&mut self.random);
        match self.random.below(3) {
            0 => config.limits.max_nodes += 1,
            1 => config.health.failure_threshold = 0,
            _ => config.nodes.extend([NodeSpec::new("x"), NodeSpec::new("x")]),
        }
        let before = (self.pool.nodes_at(T0), self.pool.config_value());
        assert!(self.pool.reload_at(&config, T0).is_err());
        assert_eq!((self.pool.nodes_at(T0), self.pool.config_value()), before);
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..5 => self.pick(),
            5..8 => self.finish(),
            8 => {
                let Some(id) = self.some_member() else { return };
                let draining = self.random.chance(2);
                self.pool.drain_at(id, draining, T0).unwrap();
                self.nodes.get_mut(id).unwrap().1.draining = draining;
            }
            9 => {
                let Some(id) = self.some_member() else { return };
                let report = if self.random.chance(3) { Report::success() } else { Report::from(Outcome::Failure) };
                self.pool.report(id, report.now_ns(T0)).unwrap();
            }
            10 => self.bad_reload(),
            _ => self.reload(),
        }
        self.check();
    }

    fn check(&self) {
        let stats = self.pool.stats_at(T0);
        let ids: Vec<&str> = stats.nodes.iter().map(|n| n.id.as_str()).collect();
        assert_eq!(ids, self.config.nodes.iter().map(|n| n.id.as_str()).collect::<Vec<_>>());
        for (node, spec) in stats.nodes.iter().zip(&self.config.nodes) {
            let (_, expected) = &self.nodes[node.id.as_str()];
            assert_eq!((node.in_flight, node.draining), (expected.in_flight, expected.draining), "{}", node.id);
            assert_eq!((node.weight, &node.address), (spec.weight, &spec.address));
            let used: Vec<(&str, u64)> = node.quotas.iter().map(|q| (q.dimension.as_str(), q.used)).collect();
            let wanted = self.config.quotas.iter().map(|q| q.dimension.as_str());
            assert_eq!(used, wanted.map(|d| (d, expected.used.get(d).copied().unwrap_or(0))).collect::<Vec<_>>());
        }
        assert_eq!((stats.in_flight, stats.selections), (self.open.len() as u64, self.ended + self.open.len() as u64));
    }

    fn some_member(&mut self) -> Option<&'static str> {
        let ids: Vec<&'static str> = self.nodes.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[self.random.below(ids.len())])
    }

    fn status(&self, id: &str) -> NodeStatus {
        self.statuses().remove(id).unwrap()
    }

    fn statuses(&self) -> BTreeMap<String, NodeStatus> {
        self.pool.nodes_at(T0).into_iter().map(|node| (node.id.clone(), node)).collect()
    }
}

fn known(names: &[&'static str], name: &str) -> &'static str {
    names.iter().find(|known| **known == name).unwrap()
}

/// Of all that a pool can be, with limits that stay.
fn config(random: &mut Random) -> PoolConfig {
    let strategies = [
        StrategyKind::RoundRobin,
        StrategyKind::WeightedRoundRobin,
        StrategyKind::Random,
        StrategyKind::LeastRequest { exact: false },
        StrategyKind::PeakEwma { decay_ms: 10_000 },
        StrategyKind::Maglev { table_size: 251 },
        StrategyKind::RingHash { points: None, compat: None },
        StrategyKind::Adaptive,
    ];
    let mut config = PoolConfig { seed: Some(3), ..PoolConfig::default() };
    config.strategy = vec![StrategyConfig::from(strategies[random.below(strategies.len())])];
    config.limits.max_nodes = 64;
    config.health.window_ms = [10_000, 30_000][random.below(2)];
    config.breaker = random.chance(2).then(BreakerConfig::default);
    config.affinity = random.chance(3).then_some(SESSIONS);
    config.zones = random.chance(4).then(Default::default);
    config.adaptive_limit = random.chance(4).then(Default::default);
    config.max_in_flight = if random.chance(3) { 1_000_000 } else { 0 };
    for id in shuffled(random, &IDS) {
        let mut node = NodeSpec::new(id);
        node.weight = 1 + random.below(5) as u32;
        node.address = format!("10.0.0.{}:80", random.below(200));
        node.zone = ["", "x", "y"][random.below(3)].to_owned();
        node.max_in_flight = if random.chance(4) { 100_000 } else { 0 };
        config.nodes.push(node);
    }
    for dimension in shuffled(random, &DIMENSIONS) {
        let (window_ms, buckets) = [(60_000, 6), (60_000, 12), (3_600_000, 6)][random.below(6).min(2)];
        let limit = 1_000_000 + random.below(1000) as u64;
        config.quotas.push(QuotaLimit { dimension: dimension.to_owned(), limit, window_ms, buckets, default_cost: 0 });
    }
    config
}

/// Some of these, in any order.
fn shuffled(random: &mut Random, names: &[&'static str]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = names.iter().copied().filter(|_| !random.chance(3)).collect();
    (1..names.len()).for_each(|at| names.swap(at, random.below(at + 1)));
    names
}

fn stays(before: &NodeStatus, after: &NodeStatus, breaker: bool) {
    assert_eq!(before.node, after.node, "{}", after.id);
    let kept = |n: &NodeStatus| (n.health, n.in_flight, n.draining, n.consecutive_failures, n.latency_ns, n.ejected);
    assert_eq!(kept(before), kept(after), "{}", after.id);
    assert_eq!(after.breaker, if breaker { before.breaker } else { BreakerState::Closed }, "{}", after.id);
    if after.hold_until_ns.is_some() {
        assert_eq!(before.hold_until_ns, after.hold_until_ns, "{}", after.id);
    }
}

fn is_new(node: &NodeStatus) {
    let known = (node.health, node.in_flight, node.draining, node.consecutive_failures, node.latency_ns);
    assert_eq!(known, (HealthStatus::Healthy, 0, false, 0, None), "{}", node.id);
    assert_eq!((node.breaker, node.success_rate), (BreakerState::Closed, None), "{}", node.id);
}

#[test]
fn random_reloads_keep_what_the_model_says() {
    for seed in 0..SEQUENCES {
        let mut model = Model::new(seed);
        let steps = 20 + model.random.below(180);
        for step in 0..steps {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| model.step()));
            assert!(done.is_ok(), "seed {seed}, step {step}");
        }
        while !model.open.is_empty() {
            model.finish();
        }
        model.check();
    }
}
