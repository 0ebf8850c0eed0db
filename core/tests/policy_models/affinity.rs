//! Sessions, while nodes come and go, drain and fail.

use std::collections::BTreeMap;

use loadwise::config::{AffinityConfig, HealthConfig, PoolConfig};
use loadwise::{FailureKind, NodeRef, NodeSpec, Pool, Report, Request};

use crate::lists::{Lockstep, Random, Seen, check, finds, same};

const S: u64 = 1_000_000_000;
const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Times are kept in units of 2²⁶ ns.
const UNIT_SHIFT: u32 = 26;

#[derive(Debug, Clone)]
struct Setup {
    ttl_ms: u64,
    drain_timeout_ms: u64,
}

#[derive(Debug, Clone)]
enum Op {
    Pick(u64),
    /// A retry, after having failed at this node.
    PickWithout(u64, usize),
    Look(u64),
    Set(u64, usize),
    Clear(u64),
    Join(usize),
    Leave(usize),
    Drain(usize, bool),
    Weight(usize, u32),
    Report(usize, bool),
    Time(u64),
    Maintain,
}

#[derive(Debug, Clone)]
struct Node {
    node: NodeRef,
    draining_since: Option<u64>,
    weight: u32,
    failures: u32,
    down: bool,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    node: NodeRef,
    /// In units of time.
    stamp: u64,
}

struct Model<'a> {
    setup: &'a Setup,
    pool: Pool,
    nodes: BTreeMap<usize, Node>,
    sessions: BTreeMap<u64, Session>,
    now: u64,
    seen: &'a mut Seen,
    /// A wrong model, to see that it is found.
    mutant: bool,
}

fn name(session: u64) -> String {
    format!("user-{session}")
}

impl Model<'_> {
    fn units(&self) -> u64 {
        self.now >> UNIT_SHIFT
    }

    fn ttl(&self) -> u64 {
        (self.setup.ttl_ms * 1_000_000).div_ceil(1 << UNIT_SHIFT).max(1)
    }

    /// What is remembered of a session, and that somebody asked.
    fn remembered(&mut self, session: u64) -> Option<NodeRef> {
        let (units, ttl) = (self.units(), self.ttl());
        let found = self.sessions.get_mut(&session).filter(|s| units - s.stamp <= ttl)?;
        if units - found.stamp > ttl / 64 {
            found.stamp = units;
        }
        Some(found.node)
    }

    fn remember(&mut self, session: u64, node: NodeRef) {
        let (units, ttl) = (self.units(), self.ttl());
        let found = self.sessions.entry(session).or_insert(Session { node, stamp: units });
        if found.node != node || units - found.stamp > ttl / 64 {
            *found = Session { node, stamp: units };
        }
    }

    fn member(&self, node: NodeRef) -> Option<usize> {
        self.nodes.iter().find(|(_, n)| n.node == node).map(|(id, _)| *id)
    }

    fn keeps(&self, id: usize) -> bool {
        let node = &self.nodes[&id];
        let timeout = self.setup.drain_timeout_ms * 1_000_000;
        !node.down && node.draining_since.is_none_or(|since| self.now - since < timeout)
    }

    fn pick(&mut self, session: u64, without: Option<usize>) -> Result<(), String> {
        let excluded: Vec<&str> = without.iter().map(|&id| IDS[id]).collect();
        let name = name(session);
        let picked = self.pool.pick(&Request::new().session(&name).exclude(&excluded).now_ns(self.now));
        let picked = picked.ok().map(|pick| pick.node());
        let known = self.remembered(session).and_then(|node| self.member(node));
        let sticks = known.filter(|&id| Some(id) != without && self.keeps(id));
        let takes_new =
            |(id, n): (&usize, &Node)| Some(*id) != without && !n.down && n.draining_since.is_none() && n.weight > 0;
        let others: Vec<usize> = self.nodes.iter().filter(|&entry| takes_new(entry)).map(|(id, _)| *id).collect();
        let chosen = picked.and_then(|node| self.member(node));
        match (sticks, chosen) {
            (Some(id), _) => {
                let node = &self.nodes[&id];
                self.seen.note(match () {
                    () if node.draining_since.is_some() => "stays while draining",
                    () if node.weight == 0 => "stays at weight 0",
                    () => "stays",
                });
                same("the session's node", chosen, Some(id))
            }
            (None, Some(id)) if others.contains(&id) => {
                if known.is_some() {
                    self.seen.note("moves on");
                }
                if !self.mutant {
                    self.remember(session, self.nodes[&id].node);
                }
                Ok(())
            }
            (None, None) if others.is_empty() => Ok(()),
            _ => Err(format!("picked {chosen:?} of {others:?}")),
        }
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now;
        match *op {
            Op::Pick(session) => return self.pick(session, None),
            Op::PickWithout(session, id) => return self.pick(session, Some(id)),
            Op::Look(session) => {
                let shown = self.pool.affinity_at(name(session), now);
                let known = self.remembered(session).filter(|&node| self.member(node).is_some());
                return same("affinity", shown, known);
            }
            Op::Set(session, id) => {
                let done = self.pool.set_affinity_at(name(session), IDS[id], now).is_ok();
                same("set_affinity", done, self.nodes.contains_key(&id))?;
                if let Some(node) = self.nodes.get(&id) {
                    self.remember(session, node.node);
                }
            }
            Op::Clear(session) => {
                // What is long over is still there to be cleared.
                let was = self.sessions.remove(&session).is_some();
                return same("clear_affinity", self.pool.clear_affinity(name(session)), was);
            }
            Op::Join(id) => {
                if let Ok(node) = self.pool.register(NodeSpec::new(IDS[id])) {
                    let new = Node { node, draining_since: None, weight: 1, failures: 0, down: false };
                    same("register", self.nodes.insert(id, new).is_none(), true)?;
                }
            }
            Op::Leave(id) => {
                same("deregister", self.pool.deregister(IDS[id]).is_ok(), self.nodes.remove(&id).is_some())?;
            }
            Op::Drain(id, on) => {
                let done = self.pool.drain_at(IDS[id], on, now).is_ok();
                same("drain", done, self.nodes.contains_key(&id))?;
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.draining_since = on.then(|| node.draining_since.unwrap_or(now));
                }
            }
            Op::Weight(id, weight) => {
                let done = self.pool.set_weight(IDS[id], weight).is_ok();
                same("set_weight", done, self.nodes.contains_key(&id))?;
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.weight = weight;
                }
            }
            Op::Report(id, ok) => {
                let report = if ok { Report::success() } else { Report::failure(FailureKind::Other) };
                let done = self.pool.report(IDS[id], report.now_ns(now)).is_ok();
                same("report", done, self.nodes.contains_key(&id))?;
                if let Some(node) = self.nodes.get_mut(&id) {
                    // One success brings a node back.
                    node.failures = if ok { 0 } else { node.failures + 1 };
                    node.down = !ok && (node.down || node.failures >= 3);
                }
            }
            Op::Time(ns) => self.now += ns,
            Op::Maintain => drop(self.pool.maintain(now)),
        }
        Ok(())
    }
}

fn run(setup: &Setup, ops: &[Op], seen: &mut Seen, mutant: bool) -> Result<(), String> {
    let config = PoolConfig {
        seed: Some(5),
        affinity: Some(AffinityConfig {
            entries: 1024,
            ttl_ms: setup.ttl_ms,
            // Sessions that move by themselves have scenarios of their own.
            rebalance: loadwise::config::Rebalance::Manual,
            ..AffinityConfig::default()
        }),
        drain_timeout_ms: setup.drain_timeout_ms,
        health: HealthConfig {
            recovery_successes: 1,
            live_probes: false,
            min_success_rate: 0.0,
            ..HealthConfig::default()
        },
        ..PoolConfig::default()
    };
    let pool = Pool::builder().config(config).build().map_err(|e| e.to_string())?;
    let (nodes, sessions) = (BTreeMap::new(), BTreeMap::new());
    let mut model = Model { setup, pool, nodes, sessions, now: 1000 * S, seen, mutant };
    for (at, op) in ops.iter().enumerate() {
        model.apply(op).map_err(|why| format!("operation {at}, {op:?}: {why}"))?;
    }
    Ok(())
}

struct Sessions;

impl Lockstep for Sessions {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        Setup { ttl_ms: random.of(&[3_600_000, 10_000, 1_000]), drain_timeout_ms: random.of(&[5_000, 0, 60_000]) }
    }

    fn op(random: &mut Random) -> Op {
        let (session, id) = (random.below(8), random.below(IDS.len() as u64) as usize);
        match random.below(24) {
            0..=7 => Op::Pick(session),
            8 => Op::PickWithout(session, id),
            9..=10 => Op::Look(session),
            11 => Op::Set(session, id),
            12 => Op::Clear(session),
            13..=14 => Op::Join(id),
            15 => Op::Leave(id),
            16..=17 => Op::Drain(id, !random.chance(3)),
            18 => Op::Weight(id, random.below(2) as u32),
            19 => Op::Report(id, random.chance(2)),
            20 => Op::Maintain,
            _ => Op::Time(random.of(&[0, 1, S / 100, S / 10, S, 4 * S, 30 * S, 2000 * S])),
        }
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, false)
    }
}

/// The same with a model that forgets where it sent a session.
struct Mutant;

impl Lockstep for Mutant {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        Sessions::setup(random)
    }

    fn op(random: &mut Random) -> Op {
        Sessions::op(random)
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, true)
    }
}

#[test]
fn sessions_do_as_the_model_does() {
    check::<Sessions>().must_have(&["stays", "stays while draining", "stays at weight 0", "moves on"]);
}

#[test]
fn a_session_that_is_forgotten_is_found() {
    finds::<Mutant>(4);
}
