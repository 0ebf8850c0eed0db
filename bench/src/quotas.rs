//! Picks that reserve quotas, and one reservation beside what others have.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use governor::{Quota, RateLimiter};
use loadwise::quota::{QuotaConfig, QuotaDimension, QuotaTracker};
use loadwise::{Report, Request};

use crate::OURS;
use crate::bound::Bound;
use crate::guarded::{self, HISTOGRAMS, everything_and, placed_and_limited, plain, used_pool};
use crate::harness::{Body, Case, one};
use crate::pools::{self, pick_and_finish};

const GOVERNOR: &str = "governor 0.10";
const BUCKETS: &str = "mutex, token bucket";
const RESERVE: &str = "quota: take one unit of one node";
const NODES: usize = 1000;
/// More than this benchmark takes: what is full is another way.
const LIMIT: u64 = 1 << 39;
const NAMES: [&str; 8] = ["requests", "tokens", "images", "seconds", "bytes", "batches", "sessions", "searches"];

/// So many quotas, as configured.
pub fn quotas(count: usize) -> String {
    let quota = |name: &&str| format!("  - {{dimension: {name}, limit: {LIMIT}}}\n");
    format!("quotas:\n{}", NAMES[..count].iter().map(quota).collect::<String>())
}

fn name(of: &str, count: usize) -> String {
    pools::verb_of(guarded::PICK, &format!("{of}, {count} quota{}", if count == 1 { "" } else { "s" }))
}

pub fn cases() -> Vec<Case> {
    let case = |what: String, who, body, bound| Case { what, n: NODES, who, body, bound };
    let mut cases = Vec::new();
    for count in [1, 2, 4, 8] {
        let config = format!("strategy: p2c\n{}", quotas(count));
        let further = Bound::Over { what: name("p2c", count / 2), f: count as f64 };
        cases.push(case(name("p2c", count), OURS, picks(config, false), (count > 1).then_some(further)));
    }
    let first = Bound::Over { what: pools::verb_of(guarded::PICK, "everything on"), f: 2.0 };
    let config = everything_and(&(HISTOGRAMS.to_owned() + &quotas(1)));
    cases.push(case(name("everything on", 1), OURS, picks(config, true), Some(first)));
    cases.push(case(name("p2c", 2) + ", cost and usage told", OURS, Body::Fresh(1, Box::new(told)), None));
    cases.push(case(RESERVE.into(), OURS, tracker(), None));
    cases.push(case(RESERVE.into(), GOVERNOR, governor(), None));
    cases.push(case(RESERVE.into(), BUCKETS, buckets(), None));
    cases
}

fn picks(config: String, placed: bool) -> Body {
    let node = if placed { placed_and_limited } else { plain };
    Body::Fresh(1, Box::new(move || pools::pick(&used_pool(&config, NODES, node), false, 1)))
}

/// What a request is expected to cost, and what it did.
fn told() -> Body {
    let pool = used_pool(&format!("strategy: p2c\n{}", quotas(2)), NODES, plain);
    one(move |_| {
        let request = Request::new().cost(&[("tokens", 500)]);
        pick_and_finish(&pool, &request, Report::success().usage(&[("tokens", 350)]))
    })
}

/// Nodes in no order.
fn node(i: u64) -> usize {
    i.wrapping_mul(7919) as usize % NODES
}

fn tracker() -> Body {
    let tracker = QuotaTracker::new();
    let minute = QuotaDimension::builder().name(NAMES[0].into()).window(Duration::from_secs(60)).limit(LIMIT).build();
    let config = QuotaConfig::builder().dimensions(vec![minute]).build();
    (0..NODES).for_each(|node| tracker.register(&node, config.clone()));
    one(move |i| assert!(tracker.try_reserve(&node(i), &[(NAMES[0], 1)]), "a quota is full"))
}

fn governor() -> Body {
    let limiter = RateLimiter::keyed(Quota::per_second(NonZeroU32::MAX));
    one(move |i| assert!(limiter.check_key(&node(i)).is_ok(), "a quota is full"))
}

/// A token bucket as many write it themselves.
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    const PER_S: f64 = 1e12;

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = (now - self.filled).as_secs_f64() * Self::PER_S;
        (self.tokens, self.filled) = ((self.tokens + gained).min(Self::PER_S), now);
        let has = self.tokens >= 1.0;
        self.tokens -= if has { 1.0 } else { 0.0 };
        has
    }
}

fn buckets() -> Body {
    let bucket = |_| Mutex::new(Bucket { tokens: Bucket::PER_S, filled: Instant::now() });
    let buckets: Vec<_> = (0..NODES).map(bucket).collect();
    one(move |i| {
        let mut bucket = buckets[node(i)].lock().unwrap_or_else(|e| e.into_inner());
        assert!(bucket.take(), "a quota is full");
    })
}
