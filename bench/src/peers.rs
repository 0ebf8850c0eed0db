//! What others have, at what they are made for. Each is used as its documentation shows, with ready services, no health
//! checks, and the same nodes, weights and keys.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Ready, ready};
use futures_util::task::noop_waker_ref;
use hashring::HashRing;
use maglev::{ConsistentHasher, Maglev};
use pingora_load_balancing::selection::{BackendIter, BackendSelection, Consistent, Random, RoundRobin};
use pingora_load_balancing::{Backend, Backends, LoadBalancer, discovery};
use rand::rngs::SmallRng;
use rand_distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwma, PendingRequests};
use tower::{Service, balance::p2c::Balance};
use weighted_rs::{SmoothWeight, Weight};

use crate::harness::{Body, Case, many, one};
use crate::input::{address, keys, weight};
use crate::{LOADWISE_01, SIZES};

pub const PINGORA: &str = "pingora 0.9";
pub const TOWER: &str = "tower 0.5";
pub const HASHRING: &str = "hashring 0.3";
pub const MAGLEV: &str = "maglev 0.2";
pub const RAND: &str = "rand_distr 0.6";
pub const WEIGHTED_RS: &str = "weighted-rs 0.1";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |what: &str, n, who, body| cases.push(Case { what: what.into(), n, who, body, bound: None });
    for n in SIZES {
        add("choose: random", n, PINGORA, pingora::<Random>(n, false, 1));
        add("choose: weighted_random", n, PINGORA, pingora::<Random>(n, true, 1));
        add("choose: weighted_random", n, RAND, alias(n));
        add("choose: round_robin", n, PINGORA, pingora::<RoundRobin>(n, false, 1));
        add("choose: weighted_round_robin", n, PINGORA, pingora::<RoundRobin>(n, true, 1));
        add("choose: weighted_round_robin", n, WEIGHTED_RS, smooth(n));
        add("choose: ring_hash", n, PINGORA, pingora::<Consistent>(n, false, 1));
        add("choose: ring_hash", n, HASHRING, ring(n));
        add("pick + finish: p2c", n, TOWER, tower_pending(n));
        add("pick + finish: peak_ewma", n, TOWER, tower_ewma(n));
        if n <= 1000 {
            // A table of 65 537 for 10 000 nodes takes it minutes, and half a megabyte a node.
            add("choose: maglev", n, MAGLEV, maglev(n));
        }
    }
    for n in [16, 1000] {
        add("choose: round_robin", n, PINGORA, pingora::<RoundRobin>(n, false, 2));
    }
    for n in SIZES {
        for (what, body) in over_slices_of_01(n) {
            add(what, n, LOADWISE_01, body);
        }
    }
    cases
}

/// What users of 0.1 had for a pool: a strategy over the slice they keep.
fn over_slices_of_01(n: usize) -> Vec<(&'static str, Body)> {
    use loadwise01::Strategy;
    use loadwise01::strategy::*;
    let servers = crate::input::servers(n);
    let contexts = Arc::new(crate::input::contexts_01());
    macro_rules! body {
        ($strategy:expr) => {{
            let (strategy, servers, contexts) = ($strategy, servers.clone(), contexts.clone());
            one(move |i| strategy.select(&servers, &contexts[i as usize % contexts.len()]))
        }};
    }
    vec![
        ("choose: random", body!(Random::new())),
        ("choose: weighted_random", body!(WeightedRandom::new())),
        ("choose: p2c", body!(PowerOfTwoChoices::new())),
        ("choose: round_robin", body!(RoundRobin::new())),
        ("choose: weighted_round_robin", body!(WeightedRoundRobin::new())),
        ("choose: ring_hash", body!(ConsistentHash::default())),
        ("choose: least_load", body!(LeastLoad::new())),
    ]
}

pub fn balancer<S>(n: usize, weighted: bool) -> LoadBalancer<S>
where
    S: BackendSelection + 'static,
    S::Iter: BackendIter,
{
    let backend = |i| Backend::new_with_weight(&address(i), if weighted { weight(i) as usize } else { 1 });
    let backends = (0..n).map(|i| backend(i).unwrap_or_else(|e| panic!("{e}"))).collect();
    let balancer = LoadBalancer::from_backends(Backends::new(discovery::Static::new(backends)));
    // Static discovery does not wait for anything.
    let updated = pin!(balancer.update()).poll_once();
    assert!(matches!(updated, Poll::Ready(Ok(()))), "{updated:?}");
    balancer
}

fn pingora<S>(n: usize, weighted: bool, threads: usize) -> Body
where
    S: BackendSelection + Send + Sync + 'static,
    S::Iter: BackendIter,
{
    let (balancer, keys) = (balancer::<S>(n, weighted), keys());
    if threads == 1 {
        one(move |i| balancer.select(keys.at(i), 256))
    } else {
        many(threads, move |i| balancer.select(keys.at(i), 256))
    }
}

fn alias(n: usize) -> Body {
    let weights: Vec<f64> = (0..n).map(|i| f64::from(weight(i))).collect();
    let alias = WeightedAliasIndex::new(weights).unwrap_or_else(|e| panic!("{e}"));
    let mut rng: SmallRng = rand::make_rng();
    one(move |_| alias.sample(&mut rng))
}

fn smooth(n: usize) -> Body {
    let mut smooth = SmoothWeight::new();
    (0..n).for_each(|i| smooth.add(i, weight(i) as isize));
    one(move |_| smooth.next())
}

/// As many points a node as `ring_hash` has at this n.
pub fn ring_points(n: usize) -> usize {
    if n > 2048 { 104 } else { 512 }
}

pub fn points_of(i: usize, points: usize) -> impl Iterator<Item = (u32, u32)> {
    (0..points).map(move |point| (i as u32, point as u32))
}

fn ring(n: usize) -> Body {
    let mut ring = HashRing::new();
    ring.batch_add((0..n).flat_map(|i| points_of(i, ring_points(n))).collect());
    let keys = keys();
    one(move |i| ring.get(&keys.text(i)).copied())
}

fn maglev(n: usize) -> Body {
    let (table, keys) = (Maglev::with_capacity((0..n).map(address), 65_537), keys());
    one(move |i| table.get(keys.text(i)).map(String::len))
}

type Answer = Ready<Result<(), Infallible>>;

#[derive(Clone)]
struct AlwaysReady;

impl Service<()> for AlwaysReady {
    type Response = ();
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Answer {
        ready(Ok(()))
    }
}

fn tower_pending(n: usize) -> Body {
    let services = (0..n).map(|_| PendingRequests::new(AlwaysReady, CompleteOnResponse::default()));
    call_by_turns(Balance::new(ServiceList::new::<()>(services.collect::<Vec<_>>())))
}

fn tower_ewma(n: usize) -> Body {
    let (rtt, decay_ns) = (Duration::from_millis(30), 10e9);
    let services = (0..n).map(|_| PeakEwma::new(AlwaysReady, rtt, decay_ns, CompleteOnResponse::default()));
    call_by_turns(Balance::new(ServiceList::new::<()>(services.collect::<Vec<_>>())))
}

fn call_by_turns<S: Service<(), Response = (), Error = tower::BoxError> + 'static>(mut balance: S) -> Body {
    one(move |_| {
        let mut context = Context::from_waker(noop_waker_ref());
        match balance.poll_ready(&mut context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(e)) => panic!("{e}"),
            Poll::Pending => panic!("a service that is always ready is not"),
        }
        pin!(balance.call(())).poll_once().is_ready()
    })
}

trait PollOnce: Future {
    fn poll_once(self: std::pin::Pin<&mut Self>) -> Poll<Self::Output>;
}

impl<F: Future> PollOnce for F {
    fn poll_once(self: std::pin::Pin<&mut Self>) -> Poll<Self::Output> {
        self.poll(&mut Context::from_waker(noop_waker_ref()))
    }
}
