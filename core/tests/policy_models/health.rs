//! Health by counts and by window, the breaker, holds, and probes.

use loadwise::config::{BreakerConfig, HealthConfig, PoolConfig};
use loadwise::{
    BreakerState, FailureKind, HealthStatus, Lease, NoNodeReason, NodeSpec, NodeStatus, Pool, Report, Request,
};

use crate::lists::{Lockstep, Random, Seen, check, finds, same};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
const IDS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone)]
struct Setup {
    nodes: usize,
    health: HealthConfig,
    breaker: Option<BreakerConfig>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Success,
    Failure,
    RateLimited,
    Cancelled,
}

#[derive(Debug, Clone)]
enum Op {
    /// `only`: every other node is excluded.
    Pick {
        only: Option<usize>,
    },
    Finish {
        back: usize,
        end: End,
    },
    Report {
        node: usize,
        end: End,
    },
    /// A node leaves, and one of its id joins.
    Replace(usize),
    Maintain,
    Time(u64),
    /// To where the hold of a node, or its probe, is over, or just not.
    TimeTo {
        node: usize,
        early_ns: u64,
    },
}

/// One node, as a plain record.
#[derive(Debug, Clone)]
struct Node {
    health: HealthStatus,
    failures: u32,
    successes: u32,
    is_open: bool,
    /// Counts changes of health and breaker.
    epoch: u8,
    generation: u32,
    hold_until: u64,
    strikes: u32,
    returned: Option<u64>,
    /// The deadline of the lease, 0 while it is free.
    probe: u64,
    /// The bucket of each sample, and whether it failed.
    samples: Vec<(u64, bool)>,
    /// The newest bucket that time has been seen in.
    newest: Option<u64>,
}

impl Node {
    fn new(generation: u32) -> Self {
        Self {
            health: HealthStatus::Healthy,
            failures: 0,
            successes: 0,
            is_open: false,
            epoch: 0,
            generation,
            hold_until: 0,
            strikes: 0,
            returned: None,
            probe: 0,
            samples: Vec::new(),
            newest: None,
        }
    }

    fn is_down(&self) -> bool {
        self.is_open || self.health == HealthStatus::Unhealthy
    }

    fn is_spotless(&self) -> bool {
        self.health == HealthStatus::Healthy && self.failures == 0 && !self.is_open
    }
}

#[derive(Debug, Clone, Copy)]
struct Held {
    lease: Lease,
    node: usize,
    generation: u32,
    epoch: u8,
    /// The deadline of the probe lease that it has, 0 for none.
    probe: u64,
    open: bool,
}

struct Model<'a> {
    setup: &'a Setup,
    pool: Pool,
    nodes: Vec<Node>,
    held: Vec<Held>,
    now: u64,
    next_due: u64,
    /// When somebody last may have looked for nodes to probe.
    looked: u64,
    seen: &'a mut Seen,
    /// A wrong model, to see that it is found.
    mutant: bool,
}

impl Model<'_> {
    fn bucket(&self) -> u64 {
        self.now / (self.setup.health.window_ms * MS / 10) + 1
    }

    /// Time is seen at a node's window.
    fn rotate(&mut self, at: usize) {
        let bucket = self.bucket();
        let node = &mut self.nodes[at];
        if node.newest.is_none() {
            node.samples.clear();
        }
        node.newest = node.newest.max(Some(bucket));
    }

    fn count(&mut self, at: usize, failed: bool) {
        let node = &mut self.nodes[at];
        if let Some(newest) = node.newest {
            node.samples.push((newest, failed));
        }
    }

    /// Samples and failures of the window.
    fn window(&self, at: usize) -> (u32, u32) {
        let node = &self.nodes[at];
        let Some(newest) = node.newest else { return (0, 0) };
        let last = newest.max(self.bucket());
        let counts = node.samples.iter().filter(|(bucket, _)| bucket + 10 > last);
        counts.fold((0, 0), |(samples, failures), (_, failed)| (samples + 1, failures + u32::from(*failed)))
    }

    fn is_too_low(&self, (samples, failures): (u32, u32)) -> bool {
        let rule = &self.setup.health;
        let least = if self.mutant { rule.min_requests + 1 } else { rule.min_requests };
        samples >= least && f64::from(samples - failures) / f64::from(samples) < rule.min_success_rate
    }

    fn opens(&self, failures: u32, (samples, failed): (u32, u32)) -> bool {
        self.setup.breaker.as_ref().is_some_and(|rule| {
            failures >= rule.consecutive_failures
                || failed > 0
                    && samples >= rule.min_requests
                    && f64::from(failed) / f64::from(samples) >= rule.failure_rate
        })
    }

    /// What an outcome makes of a node; `probe`: whether it was that of a probe, or from outside.
    fn learn(&mut self, at: usize, success: bool, probe: bool, outside: bool) -> bool {
        use HealthStatus::{Degraded, Healthy, Recovering, Unhealthy};
        let rule = &self.setup.health;
        let (t, r) = (rule.failure_threshold, rule.recovery_successes);
        let old = self.nodes[at].clone();
        if success && old.is_spotless() || !rule.passive && !outside && self.setup.breaker.is_none() {
            return false;
        }
        let window = self.window(at);
        let mut new = old.clone();
        if success {
            new.failures = 0;
            new.successes = if old.health == Unhealthy { 1 } else { (old.successes + 1).min(255) };
            new.health = match old.health {
                Unhealthy | Recovering if new.successes >= r => Healthy,
                Unhealthy | Recovering => Recovering,
                Healthy | Degraded => Healthy,
            };
        } else {
            new.successes = 0;
            new.failures = (old.failures + 1).min(255);
            let trips = rule.passive && self.is_too_low(window);
            new.health = match old.health {
                Unhealthy | Recovering => Unhealthy,
                _ if new.failures >= t || trips => Unhealthy,
                _ if new.failures >= t.div_ceil(2) => Degraded,
                same => same,
            };
        }
        if !rule.passive && !outside {
            new.health = old.health;
        }
        if let Some(rule) = &self.setup.breaker {
            if success && old.is_open && new.successes >= rule.half_open_successes {
                new.is_open = false;
            } else if !success && self.opens(new.failures, window) {
                new.is_open = true;
            }
        }
        let changes = u8::from(new.health != old.health) + u8::from(new.is_open != old.is_open);
        new.epoch = old.epoch.wrapping_add(changes);
        self.note(&old, &new);

        let is_probe = probe || outside && self.now >= old.hold_until;
        let another = new.is_open && !old.is_open;
        if new.is_down() && !success && (!old.is_down() || is_probe || another) {
            if !old.is_down() {
                let flaps = new.returned.is_some_and(|at| self.now - at <= self.caps(&new).1);
                new.strikes = if flaps { (new.strikes + 1).min(63) } else { 0 };
            } else if is_probe {
                new.strikes = (new.strikes + 1).min(63);
            }
            // How long exactly is drawn; it is taken over from the pool once it is seen to be possible.
            new.hold_until = self.hold(at, &new, if old.is_down() && !is_probe { old.hold_until } else { 0 });
        } else if new.is_down() && success {
            new.hold_until = self.now;
        } else if old.is_down() && !new.is_down() {
            new.returned = Some(self.now.max(1));
        }
        if new.health == Healthy && !new.is_open && old.health == Recovering {
            new.returned = Some(self.now.max(1));
        }
        if old.is_down() != new.is_down() {
            new.samples.clear();
            let bucket = self.bucket();
            new.newest = new.newest.max(Some(bucket));
        }
        let changed = new.health != old.health;
        self.nodes[at] = new;
        changed
    }

    fn note(&mut self, old: &Node, new: &Node) {
        if old.health != new.health {
            self.seen.note(new.health.as_str());
            if new.health == HealthStatus::Unhealthy && new.failures < self.setup.health.failure_threshold {
                self.seen.note("by window");
            }
        }
        if old.is_open != new.is_open {
            self.seen.note(if new.is_open { "opened" } else { "closed" });
        }
    }

    /// The longest hold at these strikes, and the longest at any.
    fn caps(&self, node: &Node) -> (u64, u64) {
        let health = &self.setup.health;
        let mut caps = (0, 0);
        let mut add = |base_ms: u64, max_ms: u64| {
            let full = (u128::from(base_ms * MS) << node.strikes).min(u128::from(max_ms * MS)) as u64;
            caps = (caps.0.max(full), caps.1.max(max_ms * MS));
        };
        if node.health == HealthStatus::Unhealthy {
            add(health.probe_interval_ms, health.max_probe_interval_ms);
        }
        if let Some(rule) = self.setup.breaker.as_ref().filter(|_| node.is_open) {
            add(rule.open_ms, rule.max_open_ms);
        }
        caps
    }

    /// The pool's hold, if it can be.
    fn hold(&mut self, at: usize, node: &Node, least: u64) -> u64 {
        let held = self.status(at).hold_until_ns.unwrap_or(0);
        let full = self.caps(node).0;
        let (shortest, longest) = (self.now + full - full / 2, self.now + full);
        let range = shortest.max(least)..=longest.max(least);
        assert!(range.contains(&held), "held until {held}, not in {range:?}");
        held
    }

    /// The node as it is now; nothing that looking does is due.
    fn status(&self, at: usize) -> NodeStatus {
        let found = self.pool.find_at(&[("n", IDS[at])], self.now);
        found.into_iter().next().expect("a member")
    }

    fn finish(&mut self, back: usize, end: End) -> Result<(), String> {
        let Some(at) = self.held.len().checked_sub(back + 1) else { return Ok(()) };
        let held = self.held[at];
        self.held[at].open = false;
        let closed = self.pool.release(held.lease.ticket, self.report(end)).is_ok();
        same("finish", closed, held.open)?;
        if !held.open {
            return Ok(());
        }
        let node = &self.nodes[held.node];
        if node.generation != held.generation {
            self.seen.note("of a node that is gone");
            return Ok(());
        }
        if end == End::Success && held.probe == 0 && node.is_spotless() {
            // No news, and no time is looked at.
            self.count(held.node, false);
            return Ok(());
        }
        let current = node.epoch == held.epoch;
        if !current {
            self.seen.note("late");
        }
        if let (true, End::Success | End::Failure) = (current, end) {
            self.rotate(held.node);
            self.count(held.node, end == End::Failure);
            self.learn(held.node, end == End::Success, held.probe != 0, false);
        }
        let node = &mut self.nodes[held.node];
        if held.probe != 0 && node.probe == held.probe {
            node.probe = 0;
        }
        Ok(())
    }

    fn tell(&mut self, at: usize, end: End) -> Result<(), String> {
        let told = self.pool.report(IDS[at], self.report(end)).map_err(|e| e.to_string())?;
        let mut changed = false;
        if let End::Success | End::Failure = end {
            self.rotate(at);
            self.count(at, end == End::Failure);
            changed = self.learn(at, end == End::Success, false, true);
        }
        if changed && !self.nodes[at].is_down() {
            self.maintain();
        }
        same("report", told, changed)
    }

    fn report(&self, end: End) -> Report<'static> {
        let report = match end {
            End::Success => Report::success(),
            End::Failure => Report::failure(FailureKind::Timeout),
            End::RateLimited => Report::rate_limited(None),
            End::Cancelled => Report::cancelled(),
        };
        report.now_ns(self.now)
    }

    fn maintain(&mut self) {
        for at in 0..self.nodes.len() {
            self.rotate(at);
        }
        self.next_due = self.now + S;
    }

    fn pick(&mut self, only: Option<usize>) -> Result<(), String> {
        let others: Vec<&str> = IDS.iter().copied().filter(|id| only.is_some_and(|at| IDS[at] != *id)).collect();
        let may = |at: usize| only.is_none_or(|only| only == at);
        let picked = self.pool.acquire(&Request::new().exclude(&others).now_ns(self.now));
        let nodes = 0..self.nodes.len();
        let probes = self.setup.health.live_probes;
        let due_at = |node: &Node| node.hold_until.max(node.probe);
        let is_due = |at: usize| {
            let node = &self.nodes[at];
            let helps = self.setup.health.passive || node.is_open;
            probes && helps && node.is_down() && due_at(node) <= self.now
        };
        let first = nodes.clone().find(|&at| may(at) && is_due(at));
        // Looks are at least 10 ms apart, and one takes a single node.
        let must = first.filter(|&at| due_at(&self.nodes[at]) > self.looked || self.looked + 10 * MS <= self.now);
        let fit: Vec<usize> = nodes.clone().filter(|&at| may(at) && !self.nodes[at].is_down()).collect();
        let looked = nodes.clone().any(is_due);
        match picked {
            Err(none) => {
                if must.is_some() || !fit.is_empty() {
                    return Err(format!("{none}, where {must:?} is due and {fit:?} are fit"));
                }
                let asked: Vec<usize> = nodes.filter(|&at| may(at)).collect();
                let at = asked.iter().map(|&at| due_at(&self.nodes[at])).filter(|&at| at > 0).min();
                let expected = if asked.is_empty() {
                    (if self.nodes.is_empty() { NoNodeReason::Empty } else { NoNodeReason::AllExcluded }, None)
                } else {
                    self.seen.note("nobody");
                    (NoNodeReason::Unhealthy, at)
                };
                same("no node", (none.reason, none.retry_at_ns), expected)?;
            }
            Ok(lease) => {
                let id = self.pool.id_of(lease.node);
                let at = IDS.iter().position(|i| *i == id.as_str()).ok_or("no member")?;
                let is_probe = self.nodes[at].is_down();
                match (is_probe, must) {
                    (true, _) if first == Some(at) => self.seen.note("probe"),
                    (false, None) if fit.contains(&at) => {}
                    _ => {
                        return Err(format!(
                            "picked {id}, where {first:?} is due ({must:?} surely) and {fit:?} are fit"
                        ));
                    }
                }
                let node = &mut self.nodes[at];
                let mut probe = 0;
                if is_probe {
                    if node.probe != 0 {
                        self.seen.note("probe that never answered");
                    }
                    probe = self.now + self.setup.health.probe_timeout_ms * MS;
                    node.probe = probe;
                }
                self.held.push(Held {
                    lease,
                    node: at,
                    generation: node.generation,
                    epoch: node.epoch,
                    probe,
                    open: true,
                });
            }
        }
        if looked {
            self.looked = self.now;
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        let count = self.nodes.len();
        match *op {
            Op::Pick { only } => self.pick(only.map(|only| only % IDS.len())),
            Op::Finish { back, end } => self.finish(back, end),
            Op::Report { node, end } => self.tell(node % count, end),
            Op::Replace(node) => {
                let at = node % count;
                let mut specs: Vec<NodeSpec> = (0..count).map(spec).collect();
                specs.remove(at);
                self.pool.set_nodes(specs).map_err(|e| e.to_string())?;
                self.pool.set_nodes((0..count).map(spec)).map_err(|e| e.to_string())?;
                self.nodes[at] = Node::new(self.nodes[at].generation + 1);
                Ok(())
            }
            Op::Maintain => {
                self.pool.maintain(self.now);
                self.maintain();
                Ok(())
            }
            Op::Time(ns) => {
                self.now += ns;
                Ok(())
            }
            Op::TimeTo { node, early_ns } => {
                let node = &self.nodes[node % count];
                let at = if node.probe != 0 { node.probe } else { node.hold_until };
                self.now = self.now.max(at.saturating_sub(early_ns));
                Ok(())
            }
        }
    }

    fn compare(&mut self) -> Result<(), String> {
        let shown = self.pool.nodes_at(self.now);
        if self.now >= self.next_due {
            self.maintain();
        }
        for (at, (shown, node)) in shown.iter().zip(&self.nodes).enumerate() {
            let breaker = match node.is_open {
                false => BreakerState::Closed,
                true if node.hold_until <= self.now => BreakerState::HalfOpen,
                true => BreakerState::Open,
            };
            let hold = node.is_down().then_some(node.hold_until);
            same(IDS[at], (shown.health, shown.breaker, shown.available), (node.health, breaker, !node.is_down()))?;
            same(IDS[at], (shown.hold_until_ns, shown.consecutive_failures), (hold, node.failures))?;
            let (samples, failures) = self.window(at);
            let rate = (samples > 0).then(|| f64::from(samples - failures) / f64::from(samples));
            same(IDS[at], shown.success_rate, rate)?;
            let held = self.held.iter().filter(|h| h.open && h.node == at && h.generation == node.generation);
            same(IDS[at], shown.in_flight, held.count() as u64)?;
        }
        Ok(())
    }
}

fn spec(at: usize) -> NodeSpec {
    NodeSpec::new(IDS[at]).label("n", IDS[at])
}

fn end(random: &mut Random) -> End {
    random.of(&[End::Success, End::Success, End::Success, End::Failure, End::Failure, End::RateLimited, End::Cancelled])
}

fn run(setup: &Setup, ops: &[Op], seen: &mut Seen, mutant: bool) -> Result<(), String> {
    let config = PoolConfig {
        seed: Some(5),
        health: setup.health,
        breaker: setup.breaker,
        nodes: (0..setup.nodes).map(spec).collect(),
        ..PoolConfig::default()
    };
    let pool = Pool::builder().config(config).build().map_err(|e| e.to_string())?;
    let nodes = (0..setup.nodes).map(|_| Node::new(0)).collect();
    let (held, now) = (Vec::new(), 1000 * S);
    let mut model = Model { setup, pool, nodes, held, now, next_due: 0, looked: 0, seen, mutant };
    for (at, op) in ops.iter().enumerate() {
        // A look at the nodes does what is due: after a change of time, the next operation comes first.
        let looks = !matches!(op, Op::Time(_) | Op::TimeTo { .. });
        let step = model.apply(op).and_then(|()| if looks { model.compare() } else { Ok(()) });
        step.map_err(|why| format!("operation {at}, {op:?}: {why}"))?;
    }
    Ok(())
}

struct Health;

impl Lockstep for Health {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        let health = HealthConfig {
            failure_threshold: random.of(&[3, 3, 1, 5, 50]),
            recovery_successes: random.of(&[2, 1, 3]),
            passive: !random.chance(8),
            window_ms: random.of(&[30_000, 1_000, 10_000]),
            min_success_rate: random.of(&[0.8, 0.5, 0.0, 1.0]),
            min_requests: random.of(&[20, 5, 1]),
            probe_interval_ms: random.of(&[10_000, 1_000]),
            max_probe_interval_ms: random.of(&[300_000, 10_000, 40_000]),
            probe_timeout_ms: random.of(&[5_000, 100]),
            live_probes: !random.chance(8),
        };
        let breaker = random.chance(2).then(|| BreakerConfig {
            consecutive_failures: random.of(&[5, 2, 100]),
            failure_rate: random.of(&[0.5, 0.2, 1.0]),
            min_requests: random.of(&[20, 4]),
            open_ms: random.of(&[5_000, 500]),
            max_open_ms: random.of(&[300_000, 8_000]),
            half_open_successes: random.of(&[2, 1, 3]),
        });
        Setup { nodes: 1 + random.below(IDS.len() as u64) as usize, health, breaker }
    }

    fn op(random: &mut Random) -> Op {
        let node = random.below(IDS.len() as u64) as usize;
        match random.below(20) {
            0..=4 => Op::Pick { only: None },
            5..=7 => Op::Pick { only: Some(node) },
            8..=12 => {
                let back = if random.chance(4) { random.below(30) as usize } else { random.below(3) as usize };
                Op::Finish { back, end: end(random) }
            }
            13 => Op::Report { node, end: end(random) },
            14 => match random.below(4) {
                0 => Op::Replace(node),
                _ => Op::Maintain,
            },
            15..=16 => Op::TimeTo { node, early_ns: random.of(&[0, 0, 0, 1, S]) },
            _ => Op::Time(random.of(&[0, 1, MS, 9 * MS, 10 * MS, 100 * MS, S, 3 * S, 10 * S, 40 * S])),
        }
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, false)
    }
}

/// The same with a model whose window wants one sample more.
struct Mutant;

impl Lockstep for Mutant {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        let mut setup = Health::setup(random);
        setup.health.failure_threshold = 50;
        setup
    }

    fn op(random: &mut Random) -> Op {
        Health::op(random)
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, true)
    }
}

#[test]
fn health_and_breakers_do_as_the_model_does() {
    check::<Health>().must_have(&[
        "healthy",
        "degraded",
        "unhealthy",
        "recovering",
        "by window",
        "opened",
        "closed",
        "probe",
        "probe that never answered",
        "late",
        "of a node that is gone",
        "nobody",
    ]);
}

#[test]
fn a_window_that_is_off_by_one_is_found() {
    finds::<Mutant>(80);
}
