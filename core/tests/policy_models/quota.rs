//! Quotas and limits of a pool's nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use loadwise::config::{PoolConfig, QuotaLimit};
use loadwise::{Lease, NoNodeReason, NodeSpec, Pool, Report, Request};

use crate::lists::{Lockstep, Random, Seen, check, finds, same};

const S: u64 = 1_000_000_000;
const IDS: [&str; 3] = ["a", "b", "c"];
const DIMENSIONS: [&str; 2] = ["rpm", "tpm"];

#[derive(Debug, Clone)]
struct Setup {
    quotas: Vec<QuotaLimit>,
    /// Node by node: own limits by dimension, most in flight (0: any).
    nodes: Vec<([Option<u64>; 2], u32)>,
    max_in_flight: u64,
}

#[derive(Debug, Clone)]
enum Op {
    /// Costs by dimension; `None`: not named.
    Pick([Option<u64>; 2]),
    Finish {
        back: usize,
        end: End,
    },
    Time(u64),
    Maintain,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// What was used by dimension; `None`: not named.
    Done([Option<u64>; 2]),
    Cancelled([Option<u64>; 2]),
    RateLimited {
        retry_after_ns: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Held {
    lease: Lease,
    node: usize,
    /// The bucket and the amount in each dimension.
    reserved: [(u64, u64); 2],
    open: bool,
}

struct Model<'a> {
    setup: &'a Setup,
    pool: Pool,
    /// What was used, by node, dimension and bucket.
    used: BTreeMap<(usize, usize, u64), u64>,
    exhausted_until: Vec<u64>,
    held: Vec<Held>,
    now: u64,
    seen: &'a mut Seen,
    /// A wrong model, to see that it is found.
    mutant: bool,
}

impl Model<'_> {
    fn bucket_ns(&self, dimension: usize) -> u64 {
        let quota = &self.setup.quotas[dimension];
        (quota.window_ms * 1_000_000).div_ceil(u64::from(quota.buckets))
    }

    fn used_at(&self, node: usize, dimension: usize, now: u64) -> u64 {
        let (number, buckets) = (now / self.bucket_ns(dimension), u64::from(self.setup.quotas[dimension].buckets));
        let window = (node, dimension, (number + 1).saturating_sub(buckets))..=(node, dimension, number);
        self.used.range(window).map(|(_, amount)| amount).sum()
    }

    fn limit(&self, node: usize, dimension: usize) -> u64 {
        self.setup.nodes[node].0[dimension].unwrap_or(self.setup.quotas[dimension].limit)
    }

    fn cost(&self, costs: [Option<u64>; 2], dimension: usize) -> u64 {
        costs[dimension].unwrap_or(self.setup.quotas[dimension].default_cost)
    }

    fn has_quota(&self, node: usize, costs: [Option<u64>; 2], now: u64) -> bool {
        self.exhausted_until[node] <= now
            && (0..self.setup.quotas.len()).all(|d| {
                let cost = self.cost(costs, d);
                cost == 0 || self.used_at(node, d, now) + cost <= self.limit(node, d)
            })
    }

    /// The first time from now on with room, tried bucket by bucket; `None`: never.
    fn quota_at(&self, node: usize, costs: [Option<u64>; 2]) -> Option<u64> {
        if (0..self.setup.quotas.len()).any(|d| self.cost(costs, d) > self.limit(node, d)) {
            return None;
        }
        let mut times = vec![self.now, self.exhausted_until[node]];
        for d in 0..self.setup.quotas.len() {
            let bucket = self.bucket_ns(d);
            times.extend((1..=17).map(|i| (self.now / bucket + i) * bucket));
        }
        times.sort_unstable();
        times.into_iter().filter(|&at| at >= self.now).find(|&at| self.has_quota(node, costs, at))
    }

    fn in_flight(&self, node: usize) -> u64 {
        self.held.iter().filter(|h| h.open && h.node == node).count() as u64
    }

    fn has_room(&self, node: usize) -> bool {
        let limit = u64::from(self.setup.nodes[node].1);
        limit == 0 || self.in_flight(node) < limit
    }

    fn pick(&mut self, costs: [Option<u64>; 2]) -> Result<(), String> {
        let named: Vec<(&str, u64)> =
            DIMENSIONS.iter().zip(costs).filter_map(|(name, cost)| Some((*name, cost?))).collect();
        let picked = self.pool.acquire(&Request::new().cost(&named).now_ns(self.now));
        let nodes = 0..self.setup.nodes.len();
        let total: u64 = nodes.clone().map(|node| self.in_flight(node)).sum();
        let is_full = self.setup.max_in_flight != 0 && total >= self.setup.max_in_flight;
        let with_quota: Vec<usize> = nodes.clone().filter(|&n| self.has_quota(n, costs, self.now)).collect();
        let eligible: Vec<usize> = with_quota.iter().copied().filter(|&n| self.has_room(n)).collect();
        let expected = match () {
            () if !eligible.is_empty() && is_full => Err((NoNodeReason::Saturated, None)),
            () if !eligible.is_empty() => Ok(()),
            () if !with_quota.is_empty() => Err((NoNodeReason::Saturated, None)),
            () => Err((NoNodeReason::RateLimited, nodes.filter_map(|n| self.quota_at(n, costs)).min())),
        };
        match picked {
            Err(none) => {
                self.seen.note(none.reason.as_str());
                same("no node", Err((none.reason, none.retry_at_ns)), expected)
            }
            Ok(lease) => {
                same("a node", Ok(()), expected)?;
                let id = self.pool.id_of(lease.node);
                let node = IDS.iter().position(|i| *i == id.as_str()).ok_or("no member")?;
                if !eligible.contains(&node) {
                    return Err(format!("picked {id}, which is not among {eligible:?}"));
                }
                let mut reserved = [(0, 0); 2];
                for (d, reserved) in reserved.iter_mut().enumerate().take(self.setup.quotas.len()) {
                    let (number, cost) = (self.now / self.bucket_ns(d), self.cost(costs, d));
                    *self.used.entry((node, d, number)).or_default() += cost;
                    *reserved = (number, cost);
                }
                self.held.push(Held { lease, node, reserved, open: true });
                Ok(())
            }
        }
    }

    fn finish(&mut self, back: usize, end: End) -> Result<(), String> {
        let Some(at) = self.held.len().checked_sub(back + 1) else { return Ok(()) };
        let held = self.held[at];
        self.held[at].open = false;
        let usage = match end {
            End::Done(usage) | End::Cancelled(usage) => usage,
            End::RateLimited { .. } => [None; 2],
        };
        let named: Vec<(&str, u64)> =
            DIMENSIONS.iter().zip(usage).filter_map(|(name, amount)| Some((*name, amount?))).collect();
        let report = match end {
            End::Done(_) => Report::success(),
            End::Cancelled(_) => Report::cancelled(),
            End::RateLimited { retry_after_ns } => Report::rate_limited(Some(Duration::from_nanos(retry_after_ns))),
        };
        let closed = self.pool.release(held.lease.ticket, report.usage(&named).now_ns(self.now)).is_ok();
        same("finish", closed, held.open)?;
        if !held.open {
            return Ok(());
        }
        let gives_back = matches!(end, End::Cancelled(_)) && named.is_empty();
        for (d, quota) in self.setup.quotas.iter().enumerate() {
            let (bucket, reserved) = held.reserved[d];
            let actual = usage[d].unwrap_or(if gives_back && !self.mutant { 0 } else { reserved });
            let number = self.now / self.bucket_ns(d);
            let counts = reserved > 0 && bucket + u64::from(quota.buckets) > number;
            let still_there = self.used.contains_key(&(held.node, d, bucket));
            let into = if actual < reserved || counts && still_there { bucket } else { number };
            let amount = self.used.entry((held.node, d, into)).or_default();
            *amount = (*amount + actual.saturating_sub(reserved)).saturating_sub(reserved.saturating_sub(actual));
            if actual > reserved {
                self.seen.note("more than reserved");
            }
        }
        if let End::RateLimited { retry_after_ns } = end {
            self.exhausted_until[held.node] = self.now + retry_after_ns.min(300 * S);
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        let told = self.pool.stats_at(self.now);
        for (node, shown) in told.nodes.iter().enumerate() {
            let shown_used: Vec<(u64, u64)> = shown.quotas.iter().map(|q| (q.used, q.limit)).collect();
            let dimensions = 0..self.setup.quotas.len();
            let used = dimensions.map(|d| (self.used_at(node, d, self.now), self.limit(node, d))).collect();
            same(IDS[node], shown_used, used)?;
            same(IDS[node], shown.in_flight, self.in_flight(node))?;
        }
        Ok(())
    }
}

fn run(setup: &Setup, ops: &[Op], seen: &mut Seen, mutant: bool) -> Result<(), String> {
    let node = |(at, (limits, max)): (usize, &([Option<u64>; 2], u32))| {
        let spec = NodeSpec::new(IDS[at]).max_in_flight(*max);
        let own = setup.quotas.iter().zip(limits).filter_map(|(q, limit)| Some((q.dimension.clone(), (*limit)?)));
        own.fold(spec, |spec, (dimension, limit)| spec.quota(dimension, limit))
    };
    let config = PoolConfig {
        seed: Some(5),
        quotas: setup.quotas.clone(),
        max_in_flight: setup.max_in_flight,
        nodes: setup.nodes.iter().enumerate().map(node).collect(),
        ..PoolConfig::default()
    };
    let pool = Pool::builder().config(config).build().map_err(|e| e.to_string())?;
    let exhausted_until = vec![0; setup.nodes.len()];
    let (used, held) = (BTreeMap::new(), Vec::new());
    let mut model = Model { setup, pool, used, exhausted_until, held, now: 1000 * S, seen, mutant };
    for (at, op) in ops.iter().enumerate() {
        let step = match *op {
            Op::Pick(costs) => model.pick(costs),
            Op::Finish { back, end } => model.finish(back, end),
            Op::Time(ns) => {
                model.now += ns;
                Ok(())
            }
            Op::Maintain => {
                model.pool.maintain(model.now);
                Ok(())
            }
        };
        step.and_then(|()| model.compare()).map_err(|why| format!("operation {at}, {op:?}: {why}"))?;
    }
    Ok(())
}

struct Quotas;

impl Lockstep for Quotas {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        let count = 1 + random.below(2) as usize;
        let quota = |random: &mut Random, dimension: &str| QuotaLimit {
            dimension: dimension.to_owned(),
            limit: random.of(&[10, 100, 5]),
            window_ms: random.of(&[60_000, 1_000, 7_001]),
            buckets: random.of(&[6, 1, 16]),
            default_cost: random.of(&[1, 0, 5]),
        };
        let quotas = DIMENSIONS[..count].iter().map(|d| quota(random, d)).collect();
        let own = |random: &mut Random| if random.chance(3) { Some(random.of(&[5, 50, 7])) } else { None };
        let mut limits = [None; 2];
        let nodes = (0..1 + random.below(3))
            .map(|_| {
                limits[..count].iter_mut().for_each(|limit| *limit = own(random));
                (limits, random.of(&[0, 0, 1, 4]))
            })
            .collect();
        Setup { quotas, nodes, max_in_flight: random.of(&[0, 0, 3]) }
    }

    fn op(random: &mut Random) -> Op {
        let amount = |random: &mut Random| if random.chance(2) { Some(random.of(&[0, 1, 2, 7, 40])) } else { None };
        match random.below(10) {
            0..=3 => Op::Pick([amount(random), amount(random)]),
            4..=6 => {
                let usage = if random.chance(2) { [amount(random), amount(random)] } else { [None; 2] };
                let end = match random.below(8) {
                    0..=3 => End::Done(usage),
                    4..=6 => End::Cancelled(usage),
                    _ => End::RateLimited { retry_after_ns: random.of(&[0, 1, S, 20 * S, 400 * S, u64::MAX]) },
                };
                Op::Finish { back: random.below(6) as usize, end }
            }
            7..=8 => Op::Time(random.of(&[0, 1, S / 10, S, 10 * S, 61 * S, 400 * S])),
            _ => Op::Maintain,
        }
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, false)
    }
}

/// The same with a model in which a cancelled pick gives nothing back.
struct Mutant;

impl Lockstep for Mutant {
    type Setup = Setup;
    type Op = Op;

    fn setup(random: &mut Random) -> Setup {
        Quotas::setup(random)
    }

    fn op(random: &mut Random) -> Op {
        Quotas::op(random)
    }

    fn run(setup: &Setup, ops: &[Op], seen: &mut Seen) -> Result<(), String> {
        run(setup, ops, seen, true)
    }
}

#[test]
fn quotas_and_limits_do_as_the_model_does() {
    check::<Quotas>().must_have(&["saturated", "rate_limited", "more than reserved"]);
}

#[test]
fn a_refund_that_is_forgotten_is_found() {
    finds::<Mutant>(3);
}
