//! Membership with tiers: who is in which, how they share the traffic, and who a pick may have.

use std::collections::BTreeMap;

use loadwise::config::{HealthConfig, PoolConfig, TiersConfig};
use loadwise::{FailureKind, NodeSpec, Pool, Report, Request};

use crate::lists::{Lockstep, Random, Seen, check, finds, same};

const S: u64 = 1_000_000_000;
const IDS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
const TIERS: usize = 8;

#[derive(Debug, Clone)]
struct Setup {
    overprovisioning: f64,
    max_attempts: u32,
    failback_ms: u64,
}

#[derive(Debug, Clone)]
enum Op {
    Picks(u32),
    PickWithout(Vec<usize>),
    Join(usize, u8, u32),
    Leave(usize),
    SetNodes(Vec<(usize, u8, u32)>),
    Weight(usize, u32),
    Drain(usize, bool),
    Report(usize, bool),
    Failover(usize),
    Reset,
    Time(u64),
    Maintain,
}

#[derive(Debug, Clone)]
struct Node {
    tier: u8,
    weight: u32,
    draining: bool,
    failures: u32,
    down: bool,
}

impl Node {
    fn new(tier: u8, weight: u32) -> Self {
        Self { tier, weight, draining: false, failures: 0, down: false }
    }

    fn takes_new(&self) -> bool {
        !self.down && !self.draining && self.weight > 0
    }
}

struct Model<'a> {
    setup: &'a Setup,
    pool: Pool,
    nodes: BTreeMap<usize, Node>,
    forced: Option<u8>,
    now: u64,
    seen: &'a mut Seen,
    /// A wrong model, to see that it is found.
    mutant: bool,
}

fn spec(id: usize, tier: u8, weight: u32) -> NodeSpec {
    NodeSpec::new(IDS[id]).tier(tier).weight(weight)
}

impl Model<'_> {
    /// What each tier could take of all; `None` without members that count.
    fn takes(&self) -> [Option<f64>; TIERS] {
        std::array::from_fn(|tier| {
            let counted = || self.nodes.values().filter(|n| usize::from(n.tier) == tier && !n.draining && n.weight > 0);
            let all: u64 = counted().map(|n| u64::from(n.weight)).sum();
            let up: u64 = counted().filter(|n| !n.down).map(|n| u64::from(n.weight)).sum();
            let over = if self.mutant { 1.0 } else { self.setup.overprovisioning };
            (all > 0).then(|| (up as f64 / all as f64 * over).min(1.0))
        })
    }

    /// The shares if each tier takes `settled` of what is left, and the last that can the rest.
    fn shares(&self, settled: [f64; TIERS]) -> [f64; TIERS] {
        let takes = self.takes();
        let from = usize::from(self.forced.unwrap_or(0));
        let up: Vec<usize> = (from..TIERS).filter(|&k| takes[k].is_some_and(|t| t > 0.0)).collect();
        let (mut shares, mut left) = ([0.0; TIERS], 1.0);
        for &k in &up {
            shares[k] = if Some(&k) == up.last() { left } else { left * settled[k] };
            left -= shares[k];
        }
        shares
    }

    /// How many tiers have members.
    fn tiers(&self) -> usize {
        (0..TIERS).filter(|&k| self.nodes.values().any(|n| usize::from(n.tier) == k)).count()
    }

    /// Who may be picked without these: of the tiers that a request may try, whichever its first.
    fn may_have(&self, without: &[usize]) -> Vec<usize> {
        self.nodes.iter().filter(|(id, n)| n.takes_new() && !without.contains(id)).map(|(id, _)| *id).collect()
    }

    fn pick(&mut self, without: &[usize]) -> Result<Option<u8>, String> {
        let excluded: Vec<&str> = without.iter().map(|&id| IDS[id]).collect();
        let picked = self.pool.pick(&Request::new().exclude(&excluded).now_ns(self.now));
        let may = self.may_have(without);
        let attempts = self.setup.max_attempts as usize;
        match picked {
            // Where the tier that was forced has nobody, those above it are tried from the top, as many as may be.
            Err(_) if self.tiers() > attempts && (!without.is_empty() || self.forced.is_some()) => Ok(None),
            Err(_) if may.is_empty() => Ok(None),
            Err(none) => Err(format!("{none}, where {may:?} may be had")),
            Ok(pick) => {
                let id = IDS.iter().position(|i| *i == pick.id().as_str()).ok_or("no member")?;
                if may.contains(&id) {
                    Ok(Some(self.nodes[&id].tier))
                } else {
                    Err(format!("picked {}, which is not among {may:?}", IDS[id]))
                }
            }
        }
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now;
        match op {
            Op::Picks(count) => {
                let shares = self.pool.stats_at(now).tier_shares;
                for _ in 0..*count {
                    let Some(tier) = self.pick(&[])? else { continue };
                    // Where the tier that was forced has nobody, those above it are better than none.
                    let is_shared = shares.iter().any(|share| *share > 0.0);
                    if is_shared && shares.len() == TIERS && shares[usize::from(tier)] == 0.0 {
                        return Err(format!("a pick of tier {tier}, whose share is 0 of {shares:?}"));
                    }
                }
            }
            Op::PickWithout(without) => drop(self.pick(without)?),
            Op::Join(id, tier, weight) => {
                let done = self.pool.register(spec(*id, *tier, *weight)).is_ok();
                same("register", done, !self.nodes.contains_key(id))?;
                self.nodes.entry(*id).or_insert(Node::new(*tier, *weight));
            }
            Op::Leave(id) => {
                same("deregister", self.pool.deregister(IDS[*id]).is_ok(), self.nodes.remove(id).is_some())?;
            }
            Op::SetNodes(nodes) => {
                let specs: BTreeMap<usize, (u8, u32)> = nodes.iter().map(|&(id, tier, w)| (id, (tier, w))).collect();
                let list = specs.iter().map(|(&id, &(tier, w))| spec(id, tier, w));
                self.pool.set_nodes(list).map_err(|e| e.to_string())?;
                let kept = std::mem::take(&mut self.nodes);
                for (id, (tier, weight)) in specs {
                    // Being declared anew ends draining, and keeps what is known of health.
                    let known = kept.get(&id).cloned().unwrap_or(Node::new(tier, weight));
                    self.nodes.insert(id, Node { tier, weight, draining: false, ..known });
                }
            }
            Op::Weight(id, weight) => {
                let done = self.pool.set_weight(IDS[*id], *weight).is_ok();
                same("set_weight", done, self.nodes.contains_key(id))?;
                if let Some(node) = self.nodes.get_mut(id) {
                    node.weight = *weight;
                }
            }
            Op::Drain(id, on) => {
                let done = self.pool.drain_at(IDS[*id], *on, now).is_ok();
                same("drain", done, self.nodes.contains_key(id))?;
                if let Some(node) = self.nodes.get_mut(id) {
                    node.draining = *on;
                }
            }
            Op::Report(id, ok) => {
                let report = if *ok { Report::success() } else { Report::failure(FailureKind::Other) };
                let done = self.pool.report(IDS[*id], report.now_ns(now)).is_ok();
                same("report", done, self.nodes.contains_key(id))?;
                if let Some(node) = self.nodes.get_mut(id) {
                    node.failures = if *ok { 0 } else { node.failures + 1 };
                    node.down = !*ok && (node.down || node.failures >= 2);
                }
            }
            Op::Failover(id) => {
                let done = self.pool.failover(IDS[*id]).is_ok();
                same("failover", done, self.nodes.contains_key(id))?;
                self.forced = self.nodes.get(id).map(|n| n.tier).or(self.forced);
            }
            Op::Reset => same("reset_failover", self.pool.reset_failover(), self.forced.take().is_some())?,
            Op::Time(ns) => self.now += ns,
            Op::Maintain => drop(self.pool.maintain(now)),
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        let told = self.pool.stats_at(self.now);
        let available = self.nodes.values().filter(|n| n.takes_new()).count() as u64;
        same("available", told.available, available)?;
        let shown: Vec<(String, u32, u32)> = told.nodes.iter().map(|n| (n.id.clone(), n.tier, n.weight)).collect();
        let mut shown = shown;
        shown.sort();
        let known = self.nodes.iter().map(|(&id, n)| (IDS[id].to_owned(), u32::from(n.tier), n.weight)).collect();
        same("members", shown, known)?;
        let takes = self.takes();
        if self.tiers() < 2 && self.nodes.values().all(|n| n.tier == 0) {
            return Ok(());
        }
        if self.nodes.is_empty() || told.tier_shares.len() < TIERS {
            return Ok(());
        }
        if self.setup.failback_ms == 0 {
            let exact = self.shares(takes.map(|t| t.unwrap_or(0.0)));
            for k in 0..TIERS {
                if (told.tier_shares[k] - exact[k]).abs() > 3e-4 {
                    return Err(format!("shares {:?}, not {exact:?}", told.tier_shares));
                }
            }
            if exact.iter().filter(|share| **share > 0.0).count() > 1 {
                self.seen.note("shared");
            }
            if self.forced.is_some() {
                self.seen.note("by hand");
            }
            return Ok(());
        }
        // With a wait, the uppermost tier takes no more than it could take now.
        let first = (usize::from(self.forced.unwrap_or(0))..TIERS).find(|&k| takes[k].is_some_and(|t| t > 0.0));
        let sum: f64 = told.tier_shares.iter().sum();
        if let Some(first) = first {
            let others_up = (first + 1..TIERS).any(|k| takes[k].is_some_and(|t| t > 0.0));
            if (sum - 1.0).abs() > 1e-9 {
                return Err(format!("shares {:?} are not all", told.tier_shares));
            }
            if others_up && told.tier_shares[first] > takes[first].unwrap_or(0.0) + 3e-4 {
                return Err(format!("shares {:?}, where {first} takes {takes:?}", told.tier_shares));
            }
            if others_up && told.tier_shares[first] + 3e-4 < takes[first].unwrap_or(0.0) {
                self.seen.note("waits");
            }
        }
        Ok(())
    }
}

fn run(setup: &Setup, ops: &[Op], seen: &mut Seen, mutant: bool) -> Result<(), String> {
    let config = PoolConfig {
        seed: Some(5),
        tiers: TiersConfig {
            overprovisioning: setup.overprovisioning,
            max_attempts: setup.max_attempts,
            failback_ms: setup.failback_ms,
        },
        health: HealthConfig {
            failure_threshold: 2,
            recovery_successes: 1,
            live_probes: false,
            min_success_rate: 0.0,
            ..HealthConfig::default()
        },
        ..PoolConfig::default()
    };
    let pool = Pool::builder().config(config).build().map_err(|e| e.to_string())?;
    let nodes = BTreeMap::new();
    let mut model = Model { setup, pool, nodes, forced: None, now: 1000 * S, seen, mutant };
    for (at, op) in ops.iter().enumerate() {
        let step = model.apply(op).and_then(|()| model.compare());
        step.map_err(|why| format!("operation {at}, {op:?}: {why}"))?;
    }
    Ok(())
}

struct Tiers;

impl Lockstep for Tiers {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        Setup {
            overprovisioning: random.of(&[1.4, 1.0, 2.0]),
            max_attempts: random.of(&[3, 1, 8]),
            failback_ms: random.of(&[0, 30_000]),
        }
    }

    fn op(random: &mut Random) -> Op {
        let id = random.below(IDS.len() as u64) as usize;
        let (tier, weight) = (random.of(&[0, 0, 0, 1, 1, 2, 5, 7]), random.of(&[1, 1, 1, 3, 0]));
        match random.below(24) {
            0..=5 => Op::Picks(1 + random.below(4) as u32),
            6..=7 => Op::PickWithout((0..IDS.len()).filter(|_| random.chance(2)).collect()),
            8..=10 => Op::Join(id, tier, weight),
            11 => Op::Leave(id),
            12 if random.chance(3) => {
                let nodes = (0..random.below(8)).map(|_| {
                    (random.below(IDS.len() as u64) as usize, random.of(&[0, 1, 1, 3]), random.of(&[1, 2, 0]))
                });
                Op::SetNodes(nodes.collect())
            }
            12 => Op::Weight(id, weight),
            13 => Op::Drain(id, random.chance(2)),
            14..=18 => Op::Report(id, random.chance(2)),
            19 => match random.below(4) {
                0 => Op::Failover(id),
                1 => Op::Reset,
                _ => Op::Maintain,
            },
            _ => Op::Time(random.of(&[0, S / 10, S, 10 * S, 31 * S])),
        }
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, false)
    }
}

/// The same with a model without overprovisioning.
struct Mutant;

impl Lockstep for Mutant {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        Setup { overprovisioning: 1.4, failback_ms: 0, ..Tiers::setup(random) }
    }

    fn op(random: &mut Random) -> Op {
        Tiers::op(random)
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, true)
    }
}

#[test]
fn tiers_do_as_the_model_does() {
    check::<Tiers>().must_have(&["shared", "by hand", "waits"]);
}

#[test]
fn tiers_without_overprovisioning_are_found() {
    finds::<Mutant>(12);
}
