//! Runs operations on a pool and on the model of it, and compares.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use loadwise::config::{HealthConfig, PoolConfig, StrategyConfig, StrategyKind};
use loadwise::{
    Candidate, Error, Lease, Limits, Load, NoNode, NoNodeReason, NodeRef, NodeSpec, Outcome, Pick, Pool, PoolNode,
    Report, Request, SelectionContext, Strategy, Ticket, TicketError,
};

use super::ops::{Ask, End, Op, Own, Predicate, Setup, Tick, id};
use super::pool::{Member, Model, Uid};

/// What was compared, beside what is compared after each operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Picked,
    Turn,
    Owner,
    Twin,
    NginxTwin,
    Bounded,
    Late,
    Stale,
    Expired,
    CallbackFailed,
    NoNode(NoNodeReason),
}

/// Runs all operations; the first disagreement, with its place.
pub fn run(setup: &Setup, ops: &[Op]) -> Result<(), String> {
    run_beside(setup, ops, setup, &mut |_| ())
}

/// The same with a model of `assumed`, telling `seen` what was compared.
pub fn run_beside(setup: &Setup, ops: &[Op], assumed: &Setup, seen: &mut dyn FnMut(Seen)) -> Result<(), String> {
    let first = match setup.points {
        Some(_) => StrategyKind::RingHash { points: setup.points, compat: None },
        None => StrategyKind::default(),
    };
    let chain = vec![StrategyConfig::from(first)];
    let pool = Pool::builder().config(config(setup, chain.clone())).build().map_err(|e| e.to_string())?;
    let model = Model::new(assumed.clone(), chain);
    let mut both = Both { pool: &pool, model, picks: Vec::new(), held: HashMap::new(), named: HashMap::new(), seen };
    for (at, op) in ops.iter().enumerate() {
        // A look at the nodes does what is due: after a change of time, the next operation comes first.
        let compare = |both: &mut Both<'_, '_>| if matches!(op, Op::Time(_)) { Ok(()) } else { both.compare() };
        let step = both.apply(op).and_then(|()| compare(&mut both));
        step.map_err(|why| format!("operation {at}, {op:?}: {why}"))?;
    }
    Ok(())
}

fn config(setup: &Setup, strategy: Vec<StrategyConfig>) -> PoolConfig {
    let Setup { seed, max_nodes, max_picks, max_table_size, lease_timeout_ms, .. } = *setup;
    PoolConfig {
        strategy,
        seed,
        lease_timeout_ms,
        limits: Limits { max_nodes, max_picks, max_table_size, ..Limits::default() },
        health: HealthConfig {
            failure_threshold: setup.failure_threshold,
            recovery_successes: setup.recovery_successes,
            // Probes and windows have models of their own.
            live_probes: false,
            min_success_rate: 0.0,
            ..HealthConfig::default()
        },
        ..PoolConfig::default()
    }
}

struct Both<'p, 's> {
    pool: &'p Pool,
    model: Model,
    /// Every pick ever made.
    picks: Vec<(Ticket, NodeRef, Uid)>,
    /// Those that are held as a `Pick`, by ticket.
    held: HashMap<u64, Pick<'p>>,
    /// Which node a place and generation named.
    named: HashMap<(u32, u32), Uid>,
    seen: &'s mut dyn FnMut(Seen),
}

/// Fails unless both are the same.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, pool: T, model: T) -> Result<(), String> {
    if pool == model { Ok(()) } else { Err(format!("{what}: the pool has {pool:?}, the model {model:?}")) }
}

fn code<T>(result: Result<T, Error>) -> Result<T, u32> {
    result.map_err(|e| e.code())
}

impl<'p> Both<'p, '_> {
    fn apply(&mut self, op: &Op) -> Result<(), String> {
        let (pool, now) = (self.pool, self.model.now_ns);
        match op {
            Op::Pick { ask, plain } => {
                let Some(pick) = self.pick(ask)? else { return Ok(()) };
                if *plain {
                    pick.into_lease();
                } else {
                    self.held.insert(pick.ticket().as_u64(), pick);
                }
                Ok(())
            }
            Op::PickAndDrop(ask) => {
                if let Some(pick) = self.pick(ask)? {
                    self.model.finish(pick.ticket().as_u64(), End::Cancelled);
                }
                Ok(())
            }
            Op::Choose(ask) => self.decide(ask, |request| pool.choose(request).map(|node| (node, None))).map(drop),
            Op::Finish { back, end } => self.finish(*back, *end),
            Op::Release(number) => {
                // A number can be that of an open pick by chance.
                let real = pool.release(Ticket::from_u64(*number), report(End::Failure, now)).is_ok();
                same("release", real, self.model.finish(*number, End::Failure))
            }
            Op::Report { id: number, end } => {
                let real = code(pool.report(&id(*number), report(*end, now)));
                same("report", real, self.model.report(&id(*number), *end))
            }
            Op::ReportLoad { id: number, load, ratio } => {
                let real = code(
                    pool.report_load(&id(*number), Load { load: *load, remaining_ratio: *ratio, ..Load::default() }),
                );
                same("report_load", real, self.model.report_load(&id(*number), *load, *ratio))
            }
            Op::SetNodes(specs) => self.set_nodes(&specs.iter().map(|s| s.node()).collect::<Vec<_>>()),
            Op::Redescribe(spec) => {
                let new = spec.node();
                let specs = self.model.members.iter().map(|m| if m.spec.id == new.id { &new } else { &m.spec });
                self.set_nodes(&specs.cloned().collect::<Vec<_>>())
            }
            Op::Register(spec) => {
                let real = code(pool.register(spec.node()).map(drop));
                same("register", real, self.model.register_batch(&[spec.node()]))
            }
            Op::RegisterBatch(specs) => {
                let nodes: Vec<NodeSpec> = specs.iter().map(|s| s.node()).collect();
                let real = code(pool.register_batch(nodes.clone()));
                same("register_batch", real.as_ref().map(drop).map_err(|c| *c), self.model.register_batch(&nodes))?;
                let added = self.model.members.iter().rev().take(nodes.len()).rev().map(|m| pool.node(&m.spec.id));
                real.map_or(Ok(()), |refs| {
                    same("places", refs.into_iter().map(Some).collect::<Vec<_>>(), added.collect())
                })
            }
            Op::Deregister(number) => {
                same("deregister", code(pool.deregister(&id(*number))), self.model.deregister(&id(*number)))
            }
            Op::Drain(number, on) => {
                same("drain", code(pool.drain(&id(*number), *on)), self.model.drain(&id(*number), *on))
            }
            Op::SetWeight(number, weight) => {
                let real = code(pool.set_weight(&id(*number), *weight));
                same("set_weight", real, self.model.set_weight(&id(*number), *weight))
            }
            Op::SetUserData(number, data) => {
                let real = code(pool.set_node_user_data(&id(*number), *data));
                same("set_node_user_data", real, self.model.set_user_data(&id(*number), *data))
            }
            Op::SetStrategy(chain) => {
                same("set_strategy", code(pool.set_strategy(chain.clone())), self.model.set_strategy(chain))
            }
            Op::SetOwnStrategy(own, fallback) => {
                let real = code(pool.set_own_strategy(Arc::new(*own), fallback.clone()));
                same("set_own_strategy", real, self.model.set_own_strategy(*own, fallback))
            }
            Op::Maintain => {
                let done = pool.maintain(now);
                same("maintain", (done.leases_expired, done.rebuilt), self.model.maintain())?;
                if done.leases_expired > 0 {
                    (self.seen)(Seen::Expired);
                }
                same("next_due_ns", done.next_due_ns, now.saturating_add(1_000_000_000))
            }
            Op::Time(tick) => {
                self.model.now_ns = match tick {
                    Tick::On(ns) => now.saturating_add(*ns),
                    Tick::Back(ns) => now.saturating_sub(*ns).max(1),
                    Tick::To(ns) => *ns,
                };
                Ok(())
            }
            Op::Twin(key) => self.twin(*key),
        }
    }

    fn set_nodes(&mut self, nodes: &[NodeSpec]) -> Result<(), String> {
        same("set_nodes", code(self.pool.set_nodes(nodes.to_vec())), self.model.set_nodes(nodes))
    }

    fn pick(&mut self, ask: &Ask) -> Result<Option<Pick<'p>>, String> {
        let pool = self.pool;
        let mut picked = None;
        let decided = self.decide(ask, |request| {
            let pick = pool.pick(request)?;
            let lease = Lease { ticket: pick.ticket(), node: pick.node(), callback_failed: pick.callback_failed() };
            picked = Some(pick);
            Ok((lease.node, Some(lease)))
        })?;
        let (Some(pick), Some((node, uid))) = (picked, decided) else { return Ok(None) };
        if self.model.is_open(pick.ticket().as_u64()) {
            return Err(format!("{:?} was given out twice", pick.ticket()));
        }
        self.model.open(pick.ticket().as_u64(), uid);
        self.picks.push((pick.ticket(), node, uid));
        same("node_of", pool.node_of(pick.ticket()), Ok(node))?;
        Ok(Some(pick))
    }

    /// One decision of both; the node, if there is one. Without a lease, nothing is counted.
    fn decide(
        &mut self,
        ask: &Ask,
        decide: impl FnOnce(&Request<'_>) -> Result<(NodeRef, Option<Lease>), NoNode>,
    ) -> Result<Option<(NodeRef, Uid)>, String> {
        let excluded_nodes: Vec<NodeRef> =
            ask.exclude_picked.iter().filter_map(|&b| self.pick_back(b)).map(|p| p.1).collect();
        let excluded: BTreeSet<Uid> =
            ask.exclude_picked.iter().filter_map(|&b| self.pick_back(b)).map(|p| p.2).collect();
        let expected = self.model.expect(ask, &excluded);
        let is_full = self.model.total_in_flight() >= u64::from(self.model.setup.max_picks);

        let ids: Vec<String> = ask.exclude.iter().map(|&e| id(e)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let key = ask.key.map(|key| key.to_le_bytes());
        let wrong = RefCell::new(None);
        let predicate = |c: &Candidate<'_>| self.look(ask.predicate, c, &wrong);
        let mut request = Request::new().exclude(&ids).exclude_nodes(&excluded_nodes).require(&ask.require);
        request = request.health_mask(ask.health_mask).now_ns(self.model.now_ns);
        request.key = key.as_ref().map(|key| key.as_slice());
        if ask.predicate.is_some() {
            request = request.predicate(&predicate);
        }
        let decided = decide(&request);
        if let Some(wrong) = wrong.take() {
            return Err(wrong);
        }

        let is_pick = !matches!(decided, Ok((_, None)));
        let none = expected.none.or((is_full && is_pick).then_some(NoNodeReason::Saturated));
        let (node, lease) = match decided {
            Ok(decided) if none.is_none() || (none == Some(NoNodeReason::Saturated) && decided.1.is_none()) => decided,
            Err(no_node) => {
                self.model.turn = None;
                // `choose` needs no lease.
                let expected_reason = if no_node.reason == NoNodeReason::Saturated { none } else { expected.none };
                same("the reason", Some(no_node.reason), expected_reason)?;
                if no_node.reason != NoNodeReason::Saturated {
                    same("callback_failed", Some(no_node.callback_failed), expected.callback_failed)?;
                }
                (self.seen)(Seen::NoNode(no_node.reason));
                return Ok(None);
            }
            Ok((node, _)) => {
                return Err(format!("picked {:?}, where there is no node: {none:?}", self.pool.id_of(node)));
            }
        };
        if let (Some(lease), Some(failed)) = (lease, expected.callback_failed) {
            same("callback_failed", lease.callback_failed, failed)?;
            if failed {
                (self.seen)(Seen::CallbackFailed);
            }
        }
        let chosen = self.model.member(&self.pool.id_of(node)).cloned().ok_or("picked what is no member")?;
        if !expected.allowed.contains(&chosen.uid) {
            return Err(format!("picked {}, which is not among {:?}", chosen.spec.id, expected.allowed));
        }
        self.name(node, chosen.uid)?;
        self.model.check_rule(ask, &expected.allowed, &chosen)?;
        self.check_turn(ask, chosen.uid)?;
        let first = self.model.chain.first().copied().unwrap_or_default();
        if let (true, None, Some(key)) = (first.kind.is_hash(), first.bounded_load, ask.key) {
            self.model.owns(key, &expected.allowed, chosen.uid)?;
            (self.seen)(Seen::Owner);
        }
        if first.bounded_load.is_some() && ask.key.is_some() && ask.is_plain() && self.model.is_whole() {
            (self.seen)(Seen::Bounded);
        }
        (self.seen)(Seen::Picked);
        Ok(Some((node, chosen.uid)))
    }

    /// A round robin over fit nodes, with nothing else in between, is in exact order.
    fn check_turn(&mut self, ask: &Ask, chosen: Uid) -> Result<(), String> {
        let is_round_robin = self.model.chain.first().is_some_and(|s| s.kind == StrategyKind::RoundRobin);
        let turn = self.model.turn.take();
        if !is_round_robin || !ask.is_plain() || !self.model.is_whole() {
            return Ok(());
        }
        let cycle = &self.model.cycle;
        let at = cycle.iter().position(|&uid| uid == chosen).ok_or("picked what is not in the cycle")?;
        if let Some(turn) = turn {
            same("the turn", at, turn)?;
            (self.seen)(Seen::Turn);
        }
        self.model.turn = Some((at + 1) % cycle.len());
        Ok(())
    }

    /// A predicate's look at a candidate, which must be what the model knows of it.
    fn look(&self, predicate: Option<Predicate>, c: &Candidate<'_>, wrong: &RefCell<Option<String>>) -> bool {
        let Some(m) = self.model.member(&c.id()) else {
            *wrong.borrow_mut() = Some(format!("{} is shown, and no member", c.id()));
            return false;
        };
        let shown = (c.weight(), c.in_flight(), c.health(), c.user_data(), c.has_label("region", "eu"));
        let known = (
            m.spec.weight,
            m.in_flight,
            m.health.status(&self.model.setup),
            m.spec.user_data,
            m.spec.labels.contains_key("region"),
        );
        if let Err(why) = same("a candidate", shown, known) {
            *wrong.borrow_mut() = Some(why);
        }
        match predicate {
            Some(Predicate::WeightFrom(least)) => c.weight() >= least,
            Some(Predicate::InFlightBelow(most)) => c.in_flight() < most,
            Some(Predicate::PanicsAt(bad)) if id(bad) == c.id().as_str() => panic!("as asked for"),
            _ => true,
        }
    }

    fn pick_back(&self, back: u32) -> Option<(Ticket, NodeRef, Uid)> {
        let at = self.picks.len().checked_sub(1)?.checked_sub(back as usize)?;
        self.picks.get(at).copied()
    }

    fn finish(&mut self, back: u32, end: End) -> Result<(), String> {
        let Some((ticket, node, uid)) = self.pick_back(back) else { return Ok(()) };
        if self.model.is_open(ticket.as_u64()) {
            // A node keeps its texts while picks are under way on it.
            let texts = self.model.known(uid).map(|m| (m.spec.id.clone(), m.spec.address.clone(), m.spec.name.clone()));
            let shown =
                [self.pool.id_of(node), self.pool.address_of(node), self.pool.name_of(node)].map(|t| t.to_string());
            same("the texts of a held node", Some(shown.into()), texts)?;
        }
        let report = report(end, self.model.now_ns);
        let real = match (self.held.remove(&ticket.as_u64()), end) {
            (Some(pick), End::Cancelled) => {
                drop(pick);
                self.model.finish(ticket.as_u64(), end);
                return Ok(());
            }
            (Some(pick), _) => pick.finish(report),
            (None, _) => self.pool.release(ticket, report),
        };
        if self.model.is_late(ticket.as_u64()) {
            (self.seen)(Seen::Late);
        }
        let modelled = if self.model.finish(ticket.as_u64(), end) { Ok(()) } else { Err(TicketError::Stale) };
        if modelled.is_err() {
            (self.seen)(Seen::Stale);
        }
        same("finish", real, modelled)
    }

    /// A place and generation name one node for good.
    fn name(&mut self, node: NodeRef, uid: Uid) -> Result<(), String> {
        same("the node of a place", *self.named.entry((node.index, node.generation)).or_insert(uid), uid)
    }

    /// The owner of a key depends on the key and on who may take it, and on nothing that was.
    fn twin(&mut self, key: u32) -> Result<(), String> {
        let model = &self.model;
        let mut first = model.chain.first().copied().unwrap_or_default();
        let mut addresses: Vec<&str> = model.members.iter().map(|m| m.spec.address.as_str()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if let StrategyKind::RingHash { points, compat } = &mut first.kind {
            // Of nodes at one address, it is not said whose the points are.
            if compat.is_some() && addresses.len() < model.members.len() {
                return Ok(());
            }
            *points = if compat.is_some() { None } else { Some(model.points()) };
        }
        let ask = Ask { key: Some(key), ..Ask::default() };
        let expected = model.expect(&ask, &BTreeSet::new());
        if !first.kind.is_hash() || first.bounded_load.is_some() || expected.none.is_some() {
            return Ok(());
        }
        let config = config(&Setup { max_nodes: 16, ..model.setup.clone() }, vec![first]);
        let nodes = model.members.iter().rev().map(|m| m.spec.clone());
        let twin = Pool::builder().config(config).nodes(nodes).build().map_err(|e| e.to_string())?;
        let allowed = |m: &&Member| expected.allowed.contains(&m.uid);
        let others: Vec<&str> = model.members.iter().filter(|m| !allowed(m)).map(|m| m.spec.id.as_str()).collect();
        let key = key.to_le_bytes();
        let elsewhere = twin.choose(&Request::new().key(&key).exclude(&others)).map_err(|e| e.to_string())?;
        let here = self.pool.choose(&Request::new().key(&key).now_ns(model.now_ns)).map_err(|e| e.to_string())?;
        let is_nginx = matches!(first.kind, StrategyKind::RingHash { compat: Some(_), .. });
        (self.seen)(if is_nginx { Seen::NginxTwin } else { Seen::Twin });
        same("the owner in a new pool", self.pool.id_of(here), twin.id_of(elsewhere))
    }

    /// All that there is to see of nodes.
    fn compare(&mut self) -> Result<(), String> {
        let nodes = self.pool.nodes_at(self.model.now_ns);
        self.model.maintain_if_due();
        let ids: Vec<&str> = nodes.iter().map(|n| n.id.as_str()).collect();
        let members = self.model.members.clone();
        same("the members", ids, members.iter().map(|m| m.spec.id.as_str()).collect())?;
        for (node, m) in nodes.iter().zip(&members) {
            let labels: Vec<(String, String)> = m.spec.labels.clone().into_iter().collect();
            same(
                &m.spec.id,
                (&node.name, &node.address, node.weight, &node.labels, node.user_data),
                (&m.spec.name, &m.spec.address, m.spec.weight, &labels, m.spec.user_data),
            )?;
            same(
                &m.spec.id,
                (node.health, node.draining, node.in_flight, node.consecutive_failures),
                (m.health.status(&self.model.setup), m.draining, m.in_flight, m.health.failures.min(255)),
            )?;
            let shown = (node.load.map(f64::to_bits), node.remaining_ratio);
            // −0.0 is shown as 0.0.
            same(&m.spec.id, shown, (m.load.map(|l| (l + 0.0).to_bits()), m.ratio))?;
            same("node", self.pool.node(&m.spec.id), Some(node.node))?;
            if node.latency_ns.is_some_and(|l| !l.is_finite() || l < 0.0) {
                return Err(format!("{}: latency {:?}", m.spec.id, node.latency_ns));
            }
            self.name(node.node, m.uid)?;
        }
        let first = self.model.chain.first().map_or("", |s| s.kind.name());
        same("the strategy", self.pool.strategy(), first)?;
        same("len", self.pool.len(), members.len())
    }
}

impl Strategy<PoolNode> for Own {
    fn select(&self, candidates: &[PoolNode], ctx: &SelectionContext) -> Option<usize> {
        let mut open = (0..candidates.len()).filter(|&i| !ctx.is_excluded(i));
        match self {
            Self::First => open.next(),
            Self::Last => open.next_back(),
            Self::Nobody => None,
            Self::Nonsense => Some(candidates.len()),
            Self::Panics => panic!("as asked for"),
        }
    }
}

fn report(end: End, now_ns: u64) -> Report<'static> {
    let report = match end {
        End::Success => Report::success(),
        End::Failure => Outcome::Failure.into(),
        End::RateLimited => Report::rate_limited(None),
        End::Cancelled => Report::cancelled(),
    };
    report.now_ns(now_ns)
}
