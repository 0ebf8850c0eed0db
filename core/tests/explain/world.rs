//! Random pools and what happens to them: a list of operations that is applied to one pool or to two alike.

use std::time::Duration;

use loadwise::explain::Explanation;
use loadwise::{FailureKind, Lease, Load, NoNode, NodeRef, Pool, Report, Request};

pub const T0: u64 = 1_000_000_000_000;
const MS: u64 = 1_000_000;
const IDS: [&str; 9] = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"];
const KEYS: [&str; 12] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "", "a longer key than others"];

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

const STRATEGIES: [&str; 24] = [
    "round_robin",
    "weighted_round_robin",
    "random",
    "weighted_random",
    "least_load",
    "least_request",
    "{name: least_request, exact: true}",
    "p2c",
    "{name: p2c, load: reported}",
    "{name: p2c, load: peak_ewma}",
    "peak_ewma",
    "{name: peak_ewma, decay_ms: 500}",
    "adaptive",
    "fastest",
    "{name: fastest, class_ms: 1}",
    "most_available",
    "reported_load",
    "ring_hash",
    "{name: ring_hash, bounded_load: 1.1}",
    "{name: ring_hash, compat: nginx, bounded_load: 1.25}",
    "{name: maglev, table_size: 251}",
    "{name: maglev, table_size: 251, bounded_load: 1.0}",
    "rendezvous",
    "{name: rendezvous, bounded_load: 1.5}",
];

/// The text of a random configuration.
pub fn config(r: &mut Random, seeded: bool) -> String {
    let mut keys = Vec::new();
    let mut steps: Vec<&str> = Vec::new();
    for _ in 0..r.of(&[1, 1, 1, 2, 3]) {
        let step = r.of(&STRATEGIES);
        // A chain names a strategy once.
        if steps.iter().all(|other| name(other) != name(step)) {
            steps.push(step);
        }
    }
    keys.push(format!("strategy: [{}]", steps.join(", ")));
    if seeded {
        keys.push(format!("seed: {}", r.below(1000)));
    }
    let with = |r: &mut Random, one_in, key: &str, values: &[&str]| {
        r.chance(one_in).then(|| format!("{key}: {}", r.of(values)))
    };
    keys.extend(with(r, 6, "max_in_flight", &["3", "8", "20"]));
    keys.extend(with(r, 4, "lease_timeout_ms", &["4000"]));
    keys.extend(with(
        r,
        2,
        "health",
        &[
            "{failure_threshold: 1, recovery_successes: 1, probe_interval_ms: 300, probe_timeout_ms: 200}",
            "{failure_threshold: 2, recovery_successes: 2, probe_interval_ms: 1000, min_requests: 4}",
            "{failure_threshold: 3, live_probes: false}",
        ],
    ));
    keys.extend(with(r, 3, "breaker", &["true", "{consecutive_failures: 2, open_ms: 400}"]));
    keys.extend(with(
        r,
        3,
        "outlier",
        &["{sweep_interval_ms: 1000, min_hosts: 2, min_requests: 3, failure_rate: 0.5, failure_min_requests: 3, \
           ejection_ms: 1000, max_ejected: 0.6}"],
    ));
    keys.extend(with(r, 3, "panic", &["{mode: spread, min_nodes: 2}", "{mode: spread, threshold: 0.9, min_nodes: 1}"]));
    keys.extend(with(r, 3, "zones", &["true", "{zone: east}", "{zone: west, min_nodes: 2}"]));
    keys.extend(with(r, 2, "tiers", &["{failback_ms: 1500}", "{max_attempts: 1}", "{overprovisioning: 1.0}"]));
    keys.extend(with(r, 3, "slow_start", &["true", "{duration_ms: 3000, min_weight: 0.01}"]));
    keys.extend(with(r, 3, "affinity", &["true", "{entries: 16, ttl_ms: 2000}"]));
    keys.extend(with(r, 5, "adaptive_limit", &["{initial: 2, min: 1, max: 6}"]));
    keys.extend(with(
        r,
        3,
        "quotas",
        &[
            "[{dimension: rpm, limit: 4, window_ms: 2000}]",
            "[{dimension: rpm, limit: 9, window_ms: 3000, buckets: 3}, {dimension: tpm, limit: 60, window_ms: 1000, default_cost: 7}]",
        ],
    ));
    keys.extend(with(r, 4, "stats", &["{latency: nodes}", "{latency: pool}"]));
    let count = r.of(&[1, 2, 3, 5, 5, 8]);
    let tiered = r.chance(3);
    let nodes: Vec<String> = (0..count).map(|at| node(r, at, tiered)).collect();
    let nodes = nodes.join(", ");
    // A split's labels are some node's.
    let labels: Vec<&str> = ["a", "b"].into_iter().filter(|v| nodes.contains(&format!("{{v: {v}}}"))).collect();
    if r.chance(3) && !labels.is_empty() {
        let split = |v: &&str| format!("{{labels: {{v: {v}}}, share: 0.4}}");
        keys.push(format!("splits: [{}]", labels.iter().map(split).collect::<Vec<_>>().join(", ")));
    }
    keys.push(format!("nodes: [{nodes}]"));
    keys.push("limits: {max_nodes: 16, max_groups: 32, max_picks: 64, max_table_size: 251}".to_owned());
    format!("{{{}}}", keys.join(", "))
}

fn name(step: &str) -> &str {
    step.trim_start_matches("{name: ").split([',', '}']).next().unwrap_or(step)
}

fn node(r: &mut Random, at: usize, tiered: bool) -> String {
    let mut node = format!("id: {}, weight: {}", IDS[at], r.of(&[1, 1, 1, 2, 5, 0]));
    if tiered {
        node += &format!(", tier: {}", r.of(&[0, 0, 0, 1, 2]));
    }
    if r.chance(2) {
        node += &format!(", zone: {}", r.of(&["east", "west"]));
    }
    if r.chance(2) {
        node += &format!(", labels: {{v: {}}}", r.of(&["a", "b", "c"]));
    }
    if r.chance(5) {
        node += &format!(", max_in_flight: {}", r.of(&[1, 2, 4]));
    }
    format!("{{{node}}}")
}

/// What a request is made of.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    key: Option<&'static str>,
    session: Option<&'static str>,
    exclude: Vec<&'static str>,
    require: Vec<(&'static str, &'static str)>,
    zone: Option<&'static str>,
    cost: Vec<(&'static str, u64)>,
    mask: u8,
    odd_only: bool,
}

impl Wish {
    fn draw(r: &mut Random) -> Self {
        Self {
            key: r.chance(2).then(|| r.of(&KEYS)),
            session: r.chance(2).then(|| r.of(&KEYS)),
            exclude: if r.chance(4) { (0..=r.below(3)).map(|_| r.of(&IDS)).collect() } else { Vec::new() },
            require: if r.chance(8) { vec![("v", r.of(&["a", "b", "x"]))] } else { Vec::new() },
            zone: r.chance(4).then(|| r.of(&["east", "west", "south"])),
            cost: if r.chance(3) { vec![(r.of(&["rpm", "tpm", "other"]), r.below(12))] } else { Vec::new() },
            mask: if r.chance(12) { r.below(16) as u8 } else { 0 },
            odd_only: r.chance(20),
        }
    }

    /// Calls `f` with the request at a time.
    pub fn with<R>(&self, now_ns: u64, f: impl FnOnce(&Request<'_>) -> R) -> R {
        let odd = |c: &loadwise::Candidate<'_>| c.id().as_str().ends_with(['1', '3', '5', '7']);
        let mut request = Request::new()
            .exclude(&self.exclude)
            .require(&self.require)
            .cost(&self.cost)
            .health_mask(self.mask)
            .now_ns(now_ns);
        request.key = self.key.map(str::as_bytes);
        request.session = self.session.map(str::as_bytes);
        request.zone = self.zone;
        if self.odd_only {
            request.predicate = Some(&odd);
        }
        f(&request)
    }
}

#[derive(Debug, Clone)]
pub enum Op {
    Pick(Wish),
    /// Ends the n-th open pick.
    Finish(usize, End),
    Report(&'static str, bool),
    Load(&'static str, f64, Option<f64>),
    Drain(&'static str, bool),
    Weight(&'static str, u32),
    Remove(&'static str),
    Join(&'static str, u8),
    Failover(&'static str),
    ResetFailover,
    Maintain,
    Pass(u64),
}

#[derive(Debug, Clone, Copy)]
pub enum End {
    Success(u64),
    Failure,
    RateLimited(Option<u64>),
    Cancelled,
}

pub fn operation(r: &mut Random) -> Op {
    match r.below(40) {
        0..=17 => Op::Pick(Wish::draw(r)),
        18..=26 => Op::Finish(r.below(64) as usize, end(r)),
        27 | 28 => Op::Report(r.of(&IDS), r.chance(3)),
        29 => Op::Load(r.of(&IDS), r.below(8) as f64, r.chance(2).then(|| r.below(11) as f64 / 10.0)),
        30 => Op::Drain(r.of(&IDS), r.chance(2)),
        31 => Op::Weight(r.of(&IDS), r.below(5) as u32),
        32 if r.chance(3) => Op::Remove(r.of(&IDS)),
        32 => Op::Join(r.of(&IDS), r.below(2) as u8),
        33 => Op::Failover(r.of(&IDS)),
        34 => Op::ResetFailover,
        35 | 36 => Op::Maintain,
        _ => Op::Pass(r.of(&[1, 10, 100, 300, 1000, 3000, 40_000]) * MS),
    }
}

fn end(r: &mut Random) -> End {
    match r.below(10) {
        0..=4 => End::Success(r.below(200) * MS),
        5..=7 => End::Failure,
        8 => End::RateLimited(r.chance(2).then(|| r.below(2000) * MS)),
        _ => End::Cancelled,
    }
}

/// A pool with what the host knows of it.
pub struct World {
    pub pool: Pool,
    pub now_ns: u64,
    open: Vec<Lease>,
}

/// What a pick came to.
pub type Picked = Result<NodeRef, NoNode>;

impl World {
    pub fn new(config: &str) -> Self {
        let pool = Pool::from_config(config).unwrap_or_else(|e| panic!("{e} in {config}"));
        Self { pool, now_ns: T0, open: Vec::new() }
    }

    pub fn pick(&mut self, wish: &Wish) -> Picked {
        let result = wish.with(self.now_ns, |request| self.pool.acquire(request));
        result.map(|lease| {
            self.open.push(lease);
            lease.node
        })
    }

    pub fn pick_explained(&mut self, wish: &Wish) -> (Picked, Explanation) {
        let (result, explanation) = wish.with(self.now_ns, |request| self.pool.acquire_explained(request));
        let node = result.map(|lease| {
            self.open.push(lease);
            lease.node
        });
        (node, explanation)
    }

    pub fn explain(&self, wish: &Wish) -> Explanation {
        wish.with(self.now_ns, |request| self.pool.explain(request))
    }

    /// Anything but a pick.
    pub fn apply(&mut self, op: &Op) {
        let pool = &self.pool;
        match *op {
            Op::Pick(_) => unreachable!("picks are made by the test"),
            Op::Finish(_, _) if self.open.is_empty() => {}
            Op::Finish(n, end) => {
                let lease = self.open.swap_remove(n % self.open.len());
                let report = match end {
                    End::Success(ns) => Report::success().latency(Duration::from_nanos(ns)),
                    End::Failure => Report::failure(FailureKind::Timeout),
                    End::RateLimited(after) => Report::rate_limited(after.map(Duration::from_nanos)),
                    End::Cancelled => Report::cancelled(),
                };
                // It may have timed out.
                let _ = pool.release(lease.ticket, report.now_ns(self.now_ns));
            }
            Op::Report(id, success) => {
                let report = if success { Report::success() } else { Report::failure(FailureKind::Other) };
                let _ = pool.report(id, report.now_ns(self.now_ns));
            }
            Op::Load(id, load, remaining_ratio) => {
                let load = Load { load: Some(load), remaining_ratio, now_ns: Some(self.now_ns), ..Load::default() };
                let _ = pool.report_load(id, load);
            }
            Op::Drain(id, on) => _ = pool.drain_at(id, on, self.now_ns),
            Op::Weight(id, weight) => _ = pool.set_weight(id, weight),
            Op::Remove(id) => _ = pool.deregister(id),
            Op::Join(id, tier) => {
                let mut node = loadwise::NodeSpec::new(id);
                node.tier = tier;
                let _ = pool.register(node);
            }
            Op::Failover(id) => _ = pool.failover(id),
            Op::ResetFailover => _ = pool.reset_failover(),
            Op::Maintain => _ = pool.maintain(self.now_ns),
            Op::Pass(ns) => self.now_ns += ns,
        }
    }
}
