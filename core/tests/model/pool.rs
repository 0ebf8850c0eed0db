//! The model: what a pool does, in the plainest data there is.

use std::collections::{BTreeSet, HashMap};

use loadwise::config::{StrategyConfig, StrategyKind};
use loadwise::{HealthStatus, NodeSpec};

use super::ops::{End, Own, Setup};

/// Statuses of refused calls.
pub const CONFIG: u32 = 100;
pub const LIMIT: u32 = 101;
pub const UNKNOWN_NODE: u32 = 200;
pub const DUPLICATE_NODE: u32 = 201;

const SECOND: u64 = 1_000_000_000;

/// A node's identity: ids can come back, these never do.
pub type Uid = u64;

#[derive(Debug, Clone)]
pub struct Member {
    pub uid: Uid,
    pub spec: NodeSpec,
    pub draining: bool,
    pub health: Health,
    /// How often the health status has changed.
    pub epoch: u64,
    pub in_flight: u64,
    pub load: Option<f64>,
    pub ratio: Option<f64>,
}

/// Failures and successes in a row, and whether the node has been given up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Health {
    down: bool,
    pub failures: u32,
    successes: u32,
}

/// A pick that may still be finished.
#[derive(Debug, Clone, Copy)]
struct Lease {
    uid: Uid,
    epoch: u64,
    started_ns: u64,
}

pub struct Model {
    pub setup: Setup,
    pub now_ns: u64,
    /// In declared order.
    pub members: Vec<Member>,
    /// Nodes that left with picks under way.
    pub left: Vec<Member>,
    pub chain: Vec<StrategyConfig>,
    pub own: Option<Own>,
    leases: HashMap<u64, Lease>,
    next_uid: Uid,
    due_ns: u64,
    /// Health transitions so far, and at the last plan.
    changes: u64,
    planned: u64,
    /// Who was fit at the last plan.
    pub cycle: Vec<Uid>,
    /// Where in the cycle the round robin is, if that is known.
    pub turn: Option<usize>,
    /// Which node a key went to, and among which.
    owners: HashMap<u32, Vec<(BTreeSet<Uid>, Uid)>>,
}

impl Health {
    pub fn status(self, setup: &Setup) -> HealthStatus {
        match (self.down, self.successes) {
            (true, 0) => HealthStatus::Unhealthy,
            (true, _) => HealthStatus::Recovering,
            (false, _) if self.failures * 2 >= setup.failure_threshold => HealthStatus::Degraded,
            (false, _) => HealthStatus::Healthy,
        }
    }

    fn see(self, end: End, setup: &Setup) -> Self {
        let mut next = self;
        match end {
            End::Success => {
                (next.failures, next.successes) = (0, self.successes + 1);
                next.down &= next.successes < setup.recovery_successes;
            }
            End::Failure => {
                (next.failures, next.successes) = (self.failures + 1, 0);
                next.down |= next.failures >= setup.failure_threshold;
            }
            End::RateLimited | End::Cancelled => {}
        }
        next
    }
}

impl Member {
    pub fn is_withdrawn(&self) -> bool {
        self.draining || self.spec.weight == 0
    }

    fn is_fit(&self, setup: &Setup) -> bool {
        !self.is_withdrawn() && self.health.status(setup) != HealthStatus::Unhealthy
    }
}

impl Model {
    pub fn new(setup: Setup, chain: Vec<StrategyConfig>) -> Self {
        Self {
            setup,
            now_ns: 1_000_000 * SECOND,
            members: Vec::new(),
            left: Vec::new(),
            chain,
            own: None,
            leases: HashMap::new(),
            next_uid: 1,
            due_ns: 0,
            changes: 0,
            planned: 0,
            cycle: Vec::new(),
            turn: None,
            owners: HashMap::new(),
        }
    }

    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.spec.id == id)
    }

    fn member_mut(&mut self, id: &str) -> Result<&mut Member, u32> {
        self.members.iter_mut().find(|m| m.spec.id == id).ok_or(UNKNOWN_NODE)
    }

    /// A node that is a member, or left with picks under way.
    pub fn known(&self, uid: Uid) -> Option<&Member> {
        self.members.iter().chain(&self.left).find(|m| m.uid == uid)
    }

    pub fn total_in_flight(&self) -> u64 {
        self.leases.len() as u64
    }

    pub fn is_open(&self, ticket: u64) -> bool {
        self.leases.contains_key(&ticket)
    }

    /// Whether the pick is of before the node's last health transition, or its node has left.
    pub fn is_late(&self, ticket: u64) -> bool {
        let in_time = |l: &Lease| self.members.iter().any(|m| m.uid == l.uid && m.epoch == l.epoch);
        self.leases.get(&ticket).is_some_and(|l| !in_time(l))
    }

    /// The health status that the last plan was made for is still everybody's.
    pub fn plan_is_current(&self) -> bool {
        self.changes == self.planned
    }

    // Picks

    pub fn open(&mut self, ticket: u64, uid: Uid) {
        if let Some(member) = self.members.iter_mut().find(|m| m.uid == uid) {
            member.in_flight += 1;
            self.leases.insert(ticket, Lease { uid, epoch: member.epoch, started_ns: self.now_ns });
        }
    }

    /// Whether the pick was still open.
    pub fn finish(&mut self, ticket: u64, end: End) -> bool {
        let is_late = self.is_late(ticket);
        let Some(lease) = self.close(ticket) else { return false };
        if !is_late {
            self.learn(lease.uid, end);
        }
        true
    }

    fn close(&mut self, ticket: u64) -> Option<Lease> {
        let lease = self.leases.remove(&ticket)?;
        if let Some(member) = self.members.iter_mut().chain(&mut self.left).find(|m| m.uid == lease.uid) {
            member.in_flight -= 1;
        }
        self.left.retain(|m| m.in_flight > 0);
        Some(lease)
    }

    // Health and time

    /// Whether the node's status changed.
    fn learn(&mut self, uid: Uid, end: End) -> bool {
        let setup = &self.setup;
        let Some(member) = self.members.iter_mut().find(|m| m.uid == uid) else { return false };
        let before = member.health.status(setup);
        member.health = member.health.see(end, setup);
        let changed = member.health.status(setup) != before;
        member.epoch += u64::from(changed);
        self.changes += u64::from(changed);
        changed
    }

    pub fn report(&mut self, id: &str, end: End) -> Result<bool, u32> {
        let uid = self.member_mut(id)?.uid;
        let changed = self.learn(uid, end);
        if changed && self.member_mut(id)?.clone().is_fit(&self.setup) {
            self.maintain();
        }
        Ok(changed)
    }

    pub fn report_load(&mut self, id: &str, load: Option<f64>, ratio: Option<f64>) -> Result<(), u32> {
        if ratio.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
            return Err(CONFIG);
        }
        let member = self.member_mut(id)?;
        member.load = load.or(member.load);
        member.ratio = ratio.or(member.ratio);
        Ok(())
    }

    /// How many leases were given up, and whether there is a new plan.
    pub fn maintain(&mut self) -> (u64, bool) {
        let timeout_ns = self.setup.lease_timeout_ms * 1_000_000;
        let is_over = |l: &Lease| timeout_ns != 0 && self.now_ns.saturating_sub(l.started_ns) >= timeout_ns;
        let over: Vec<u64> = self.leases.iter().filter(|(_, l)| is_over(l)).map(|(ticket, _)| *ticket).collect();
        over.iter().for_each(|&ticket| {
            self.close(ticket);
        });
        let stale = !self.plan_is_current();
        if stale {
            self.plan();
        }
        self.due_ns = self.now_ns.saturating_add(SECOND);
        (over.len() as u64, stale)
    }

    /// What a look at the nodes does first. A due time further off than it can be is of a clock that went back.
    pub fn maintain_if_due(&mut self) {
        if self.now_ns >= self.due_ns || self.due_ns > self.now_ns.saturating_add(2 * SECOND) {
            self.maintain();
        }
    }

    fn plan(&mut self) {
        self.planned = self.changes;
        let fit: Vec<Uid> = self.members.iter().filter(|m| m.is_fit(&self.setup)).map(|m| m.uid).collect();
        if fit != self.cycle {
            self.turn = None;
            self.cycle = fit;
        }
    }

    // Membership

    pub fn set_nodes(&mut self, specs: &[NodeSpec]) -> Result<(), u32> {
        self.check_nodes(specs)?;
        self.check_nginx(&self.chain, specs.iter().map(|s| s.weight))?;
        let fresh = specs.iter().filter(|s| self.member(&s.id).is_none()).count();
        self.check_room(fresh)?;
        let mut before = std::mem::take(&mut self.members);
        for spec in specs {
            match before.iter().position(|m| m.spec.id == spec.id) {
                Some(at) => {
                    let kept = before.remove(at);
                    self.members.push(Member { spec: spec.clone(), draining: false, ..kept });
                }
                None => self.add(spec),
            }
        }
        self.left.extend(before.into_iter().filter(|m| m.in_flight > 0));
        self.changed();
        Ok(())
    }

    pub fn register_batch(&mut self, specs: &[NodeSpec]) -> Result<(), u32> {
        self.check_nodes(specs)?;
        if specs.iter().any(|s| self.member(&s.id).is_some()) {
            return Err(DUPLICATE_NODE);
        }
        let weights = || self.members.iter().map(|m| m.spec.weight).chain(specs.iter().map(|s| s.weight));
        check_weights(weights())?;
        self.check_nginx(&self.chain, weights())?;
        self.check_room(specs.len())?;
        specs.iter().for_each(|spec| self.add(spec));
        self.changed();
        Ok(())
    }

    pub fn deregister(&mut self, id: &str) -> Result<(), u32> {
        let uid = self.member_mut(id)?.uid;
        let (gone, stay) = std::mem::take(&mut self.members).into_iter().partition(|m| m.uid == uid);
        self.members = stay;
        self.left.extend(Vec::into_iter(gone).filter(|m: &Member| m.in_flight > 0));
        self.changed();
        Ok(())
    }

    pub fn set_weight(&mut self, id: &str, weight: u32) -> Result<(), u32> {
        self.member_mut(id)?;
        let weights = || self.members.iter().map(|m| if m.spec.id == id { weight } else { m.spec.weight });
        check_weights(weights())?;
        self.check_nginx(&self.chain, weights())?;
        self.member_mut(id)?.spec.weight = weight;
        self.changed();
        Ok(())
    }

    pub fn drain(&mut self, id: &str, on: bool) -> Result<(), u32> {
        self.member_mut(id)?.draining = on;
        self.plan();
        Ok(())
    }

    pub fn set_user_data(&mut self, id: &str, user_data: u64) -> Result<(), u32> {
        self.member_mut(id)?.spec.user_data = user_data;
        Ok(())
    }

    fn add(&mut self, spec: &NodeSpec) {
        let (uid, spec) = (self.next_uid, spec.clone());
        self.next_uid += 1;
        let (health, load, ratio) = (Health::default(), None, None);
        self.members.push(Member { uid, spec, draining: false, health, epoch: 0, in_flight: 0, load, ratio });
    }

    /// Nodes, weights or strategy are others now.
    fn changed(&mut self) {
        self.owners.clear();
        self.plan();
    }

    /// Places are kept by members, and by nodes that left with picks under way.
    fn check_room(&self, fresh: usize) -> Result<(), u32> {
        let taken = self.members.len() + self.left.len();
        if taken + fresh > self.setup.max_nodes as usize { Err(LIMIT) } else { Ok(()) }
    }

    fn check_nodes(&self, specs: &[NodeSpec]) -> Result<(), u32> {
        for (i, spec) in specs.iter().enumerate() {
            if spec.id.is_empty() || spec.id.len() > 255 || spec.id.contains('\n') {
                return Err(CONFIG);
            }
            if i >= self.setup.max_nodes as usize {
                return Err(LIMIT);
            }
            if specs[..i].iter().any(|s| s.id == spec.id) {
                return Err(CONFIG);
            }
            check_weights(specs[..=i].iter().map(|s| s.weight))?;
        }
        Ok(())
    }

    // Strategy

    pub fn points(&self) -> u32 {
        self.setup.points.unwrap_or(512)
    }

    pub fn set_strategy(&mut self, chain: &[StrategyConfig]) -> Result<(), u32> {
        self.check_chain(chain)?;
        self.check_nginx(chain, self.members.iter().map(|m| m.spec.weight))?;
        self.chain = chain.to_vec();
        self.turn = None;
        self.changed();
        Ok(())
    }

    pub fn set_own_strategy(&mut self, own: Own, fallback: &[StrategyConfig]) -> Result<(), u32> {
        let mut chain = vec![StrategyConfig::from(StrategyKind::Custom)];
        chain.extend(fallback);
        self.set_strategy(&chain)?;
        self.own = Some(own);
        Ok(())
    }

    fn check_chain(&self, chain: &[StrategyConfig]) -> Result<(), u32> {
        if chain.is_empty() || chain.len() > 4 {
            return Err(LIMIT);
        }
        for (i, s) in chain.iter().enumerate() {
            if s.bounded_load.is_some_and(|factor| factor < 1.0) {
                return Err(CONFIG);
            }
            match s.kind {
                StrategyKind::PeakEwma { decay_ms: 0 } | StrategyKind::RingHash { points: Some(0), .. } => {
                    return Err(CONFIG);
                }
                StrategyKind::MostAvailable { epsilon } if epsilon.is_nan() => return Err(CONFIG),
                StrategyKind::Maglev { table_size } if table_size > self.setup.max_table_size => return Err(LIMIT),
                StrategyKind::Maglev { table_size } if table_size % 2 == 0 => return Err(CONFIG),
                _ => {}
            }
            if chain[..i].iter().any(|before| before.kind.name() == s.kind.name()) {
                return Err(CONFIG);
            }
        }
        let other =
            |s: &StrategyConfig| matches!(s.kind, StrategyKind::RingHash { points: Some(p), .. } if p != self.points());
        if chain.iter().any(other) { Err(CONFIG) } else { Ok(()) }
    }

    /// The ring of nginx has 160 points a weight, in the room of all others.
    fn check_nginx(&self, chain: &[StrategyConfig], weights: impl Iterator<Item = u32>) -> Result<(), u32> {
        let is_nginx = |s: &StrategyConfig| matches!(s.kind, StrategyKind::RingHash { compat: Some(_), .. });
        let room = u64::from(self.setup.max_nodes) * u64::from(self.points() + 1);
        let points = 160 * weights.map(u64::from).sum::<u64>();
        if chain.iter().any(is_nginx) && points > room { Err(LIMIT) } else { Ok(()) }
    }

    // Keys

    /// Notes that a key went to `uid` among `among`; an earlier choice that this contradicts. A key stays with its node
    /// however the others come and go in health.
    pub fn owns(&mut self, key: u32, among: &BTreeSet<Uid>, uid: Uid) -> Result<(), String> {
        let seen = self.owners.entry(key).or_default();
        for (others, owner) in &*seen {
            let stays = others.is_superset(among) && among.contains(owner);
            let stayed = among.is_superset(others) && others.contains(&uid);
            if (stays || stayed) && *owner != uid {
                return Err(format!("key {key} went to {owner} of {others:?}, and now to {uid} of {among:?}"));
            }
        }
        if seen.len() < 8 && !seen.iter().any(|(others, _)| others == among) {
            seen.push((among.clone(), uid));
        }
        Ok(())
    }
}

fn check_weights(weights: impl Iterator<Item = u32>) -> Result<(), u32> {
    if weights.map(u64::from).sum::<u64>() > u64::from(u32::MAX) { Err(LIMIT) } else { Ok(()) }
}
