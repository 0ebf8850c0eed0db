use std::collections::BTreeMap;
use std::sync::Barrier;

use super::*;
use crate::vocabulary::rng::Draws;

/// Ten buckets into the clock, 10 ns each.
const T0: Nanos = 100;

struct Node(AtomicU64, Vec<AtomicU64>);

impl Node {
    fn new(dimensions: usize) -> Self {
        Self(AtomicU64::new(0), (0..words(dimensions)).map(|_| AtomicU64::new(0)).collect())
    }

    fn quotas(&self) -> Quotas<'_> {
        Quotas::new(&self.0, &self.1)
    }
}

/// Six buckets of 10 ns.
fn sixty(limit: u64) -> Dimension {
    Dimension::new(limit, 60, 6)
}

fn refused(dimension: usize, retry_at_ns: Option<Nanos>) -> Result<Reserved, Refused> {
    Err(Refused { dimension: Some(dimension), retry_at_ns })
}

#[test]
fn a_reservation_counts_until_its_bucket_leaves_the_window() {
    let node = Node::new(1);
    let (q, dims) = (node.quotas(), [sixty(12)]);
    assert!(q.try_reserve(&dims, &[5], T0 + 9).is_ok());
    assert!(q.try_reserve(&dims, &[7], T0 + 10).is_ok());
    assert_eq!(q.used(&dims, 0, T0 + 59), 12);
    assert_eq!(q.used(&dims, 0, T0 + 60), 7);
    assert_eq!(q.used(&dims, 0, T0 + 69), 7);
    assert_eq!(q.used(&dims, 0, T0 + 70), 0);
    assert_eq!(q.remaining(&dims, 0, T0 + 60), 5);
}

#[test]
fn a_refusal_tells_when_enough_has_rolled_out() {
    let node = Node::new(1);
    let (q, dims) = (node.quotas(), [sixty(12)]);
    assert!(q.try_reserve(&dims, &[5], T0).is_ok());
    assert!(q.try_reserve(&dims, &[7], T0 + 30).is_ok());
    assert_eq!(q.try_reserve(&dims, &[5], T0 + 31), refused(0, Some(T0 + 60)));
    assert_eq!(q.try_reserve(&dims, &[6], T0 + 31), refused(0, Some(T0 + 90)));
    assert_eq!(q.try_reserve(&dims, &[13], T0 + 31), refused(0, None));
    assert_eq!(q.try_reserve(&dims, &[u64::MAX], T0 + 31), refused(0, None));
    assert!(!q.has_room(&dims, &[5], T0 + 59));
    assert!(q.try_reserve(&dims, &[5], T0 + 60).is_ok());
}

#[test]
fn all_dimensions_or_none() {
    let node = Node::new(3);
    let (q, dims) = (node.quotas(), [sixty(2), sixty(100), Dimension::new(10, 1000, 1)]);
    assert_eq!(q.try_reserve(&dims, &[1, 101, 1], T0), refused(1, None));
    assert_eq!((q.used(&dims, 0, T0), q.used(&dims, 1, T0), q.used(&dims, 2, T0)), (0, 0, 0));
    assert!(q.try_reserve(&dims, &[2, 50, 10], T0).is_ok());
    assert_eq!(q.try_reserve(&dims, &[1, 50, 1], T0), refused(0, Some(1000)), "the last of them has room at 1000");
    assert_eq!((q.used(&dims, 0, T0), q.used(&dims, 1, T0), q.used(&dims, 2, T0)), (2, 50, 10));
}

#[test]
fn a_cost_of_nothing_touches_nothing() {
    let node = Node::new(3);
    let (q, dims) = (node.quotas(), [sixty(0), sixty(UNLIMITED), sixty(5)]);
    assert!(q.try_reserve(&dims, &[0, 7], T0).expect("no limit is asked").is_empty());
    assert!(node.1.iter().chain([&node.0]).all(|w| w.load(Ordering::Relaxed) == 0));
    assert_eq!(q.try_reserve(&dims, &[1], T0), refused(0, None), "a limit of 0 has no room at any time");
    assert_eq!((q.remaining(&dims, 1, T0), q.used(&dims, 1, T0)), (u64::MAX, 0));
    assert_eq!((q.remaining(&dims, 9, T0), q.used(&dims, 9, T0)), (u64::MAX, 0));
}

#[test]
fn what_was_used_replaces_what_was_reserved() {
    let node = Node::new(2);
    let (q, dims) = (node.quotas(), [sixty(10), sixty(10)]);
    let held = q.try_reserve(&dims, &[8, 3], T0).unwrap();
    assert_eq!((held.amount(0), held.amount(1), held.amount(8)), (8, 3, 0));
    q.commit(&dims, &held, &[5], T0 + 20);
    assert_eq!((q.used(&dims, 0, T0 + 20), q.used(&dims, 1, T0 + 20)), (5, 3), "the second stays as it was reserved");
    let held = q.try_reserve(&dims, &[5], T0 + 20).unwrap();
    q.commit(&dims, &held, &[30, 2], T0 + 50);
    assert_eq!((q.used(&dims, 0, T0 + 50), q.used(&dims, 1, T0 + 50)), (35, 5), "facts may be over the limit");
    assert_eq!((q.used(&dims, 0, T0 + 79), q.used(&dims, 1, T0 + 79)), (30, 2));
    assert_eq!(q.used(&dims, 0, T0 + 80), 0, "the surplus counts with its reservation");
    assert_eq!(q.used(&dims, 1, T0 + 109), 2, "without a reservation, from when it is told");
}

#[test]
fn what_is_told_after_the_bucket_has_left_counts_now_or_not_at_all() {
    let node = Node::new(1);
    let (q, dims) = (node.quotas(), [sixty(10)]);
    let early = q.try_reserve(&dims, &[4], T0).unwrap();
    let now_ns = T0 + 160;
    assert!(q.try_reserve(&dims, &[6], now_ns).is_ok(), "in the word where the first was");
    q.refund(&dims, &early);
    assert_eq!(q.used(&dims, 0, now_ns), 6);
    q.commit(&dims, &early, &[7], now_ns);
    assert_eq!((q.used(&dims, 0, now_ns), q.used(&dims, 0, now_ns + 60)), (9, 0));
}

#[test]
fn an_exhausted_node_reserves_nothing_until_its_time() {
    let node = Node::new(1);
    let (q, dims) = (node.quotas(), [sixty(10)]);
    q.exhaust(T0 + 30);
    let until = |at| Err(Refused { dimension: None, retry_at_ns: at });
    assert_eq!(q.try_reserve(&dims, &[1], T0 + 29), until(Some(T0 + 30)));
    assert_eq!(q.try_reserve(&[], &[], T0 + 29), until(Some(T0 + 30)), "also without any limits");
    assert_eq!(q.try_reserve(&dims, &[11], T0), until(None));
    assert_eq!((q.remaining_ratio(&dims, T0 + 29), q.remaining(&dims, 0, T0 + 29)), (0.0, 10));
    assert!(q.try_reserve(&dims, &[10], T0 + 30).is_ok());
    q.exhaust(T0 + 40);
    assert_eq!(q.room_at(&dims, &[1], T0 + 31), Some(T0 + 90), "the later of the two");
    q.exhaust(0);
    assert_eq!(q.exhausted_until(), 0, "the last word counts");
}

#[test]
fn the_ratio_is_that_of_the_dimension_nearest_to_its_limit() {
    let node = Node::new(4);
    let (q, dims) = (node.quotas(), [sixty(10), sixty(100), sixty(0), sixty(UNLIMITED)]);
    assert_eq!(q.remaining_ratio(&dims, T0), 1.0);
    let held = q.try_reserve(&dims, &[2, 75], T0).unwrap();
    assert_eq!(q.remaining_ratio(&dims, T0), 0.25);
    q.commit(&dims, &held, &[2, 500], T0);
    assert_eq!(q.remaining_ratio(&dims, T0), 0.0);
    assert_eq!(q.remaining_ratio(&[], T0), 1.0);
}

#[test]
fn a_clock_behind_others_counts_what_is_ahead_of_it() {
    let node = Node::new(1);
    let (q, dims) = (node.quotas(), [sixty(10)]);
    assert!(q.try_reserve(&dims, &[6], T0 + 60).is_ok());
    assert_eq!(q.try_reserve(&dims, &[5], T0), refused(0, Some(T0 + 120)));
    assert!(q.try_reserve(&dims, &[4], T0).is_ok());
    assert_eq!((q.used(&dims, 0, T0), q.used(&dims, 0, T0 + 60)), (10, 6));
    // Sixteen buckets ahead is the same word: what comes late goes where the word is now, and can be taken back there.
    assert!(q.try_reserve(&dims, &[1], T0 + 160).is_ok());
    let late = q.try_reserve(&dims, &[2], T0).unwrap();
    assert_eq!(q.used(&dims, 0, T0 + 160), 3);
    q.refund(&dims, &late);
    assert_eq!(q.used(&dims, 0, T0 + 160), 1);
}

#[test]
fn a_clock_that_went_far_back_forgets_what_was_ahead() {
    let dims = [Dimension::new(10, 60 * 1_000_000_000, 6)];
    let minutes = |n: u64| n * 60_000_000_000;
    let node = Node::new(1);
    let q = node.quotas();
    assert!(q.try_reserve(&dims, &[10], minutes(30)).is_ok());
    assert!(!q.has_room(&dims, &[1], minutes(20)), "ten minutes ahead");
    assert!(q.has_room(&dims, &[1], minutes(19)), "eleven minutes ahead");
    assert!(q.try_reserve(&dims, &[10], minutes(19)).is_ok());
    q.sweep(&dims, minutes(19));
    assert_eq!(q.used(&dims, 0, minutes(30)), 0);
}

#[test]
fn the_end_of_time_saturates() {
    let node = Node::new(2);
    for dims in [[Dimension::new(10, 1, 1), sixty(10)], [Dimension::new(10, u64::MAX, 16), Dimension::new(10, 0, 0)]] {
        let q = node.quotas();
        q.reset();
        assert!(q.try_reserve(&dims, &[10, 10], u64::MAX).is_ok());
        assert_eq!(q.try_reserve(&dims, &[1, 1], u64::MAX), refused(0, Some(u64::MAX)));
        q.exhaust(u64::MAX);
        assert!(q.try_reserve(&dims, &[1], u64::MAX - 1).is_err());
        q.sweep(&dims, u64::MAX);
        assert_eq!(q.used(&dims, 0, u64::MAX), 10);
    }
}

#[test]
fn a_leap_to_the_end_and_back_leaves_a_node_that_can_be_used() {
    for bucket_ns in [1, 62_500, 10_000_000_000, 14_400_000_000_000] {
        let dims = [Dimension::in_buckets(10, bucket_ns, 6)];
        let node = Node::new(1);
        let q = node.quotas();
        assert!(q.try_reserve(&dims, &[10], u64::MAX).is_ok());
        let hour = 3_600_000_000_000;
        // What it left is counted for ten minutes or two buckets at most, once it is near.
        let free = (0..).map(|i| hour + i * (600_000_000_000 + 9 * bucket_ns)).find(|&t| q.has_room(&dims, &[10], t));
        assert!(free.is_some_and(|t| t <= hour + 2 * (600_000_000_000 + 9 * bucket_ns)), "{bucket_ns}: {free:?}");
    }
}

#[test]
fn stamps_that_come_round_are_swept_before() {
    let dims = [Dimension::in_buckets(10, 1, 4)];
    let node = Node::new(1);
    let q = node.quotas();
    assert!(q.try_reserve(&dims, &[10], 5).is_ok());
    let round = 5 + (1 << 24);
    assert_eq!(q.used(&dims, 0, round), 10, "24 bits cannot tell");
    q.sweep(&dims, 5 + (1 << 23));
    assert_eq!(q.used(&dims, 0, round), 0);
    // Across the wrap itself, nothing is lost or kept too long.
    assert!(q.try_reserve(&dims, &[10], (1 << 24) - 1).is_ok());
    assert_eq!((q.used(&dims, 0, (1 << 24) + 2), q.used(&dims, 0, (1 << 24) + 3)), (10, 0));
}

#[test]
fn buckets_can_be_more_or_fewer_at_any_time() {
    let node = Node::new(1);
    let q = node.quotas();
    let of = |buckets| [Dimension::in_buckets(100, 10, buckets)];
    for i in 0..16 {
        assert!(q.try_reserve(&of(16), &[1], T0 + 10 * i).is_ok());
    }
    let now_ns = T0 + 150;
    assert_eq!([1, 4, 16].map(|b| q.used(&of(b), 0, now_ns)), [1, 4, 16]);
    assert_eq!([0, u32::MAX].map(|b| q.used(&of(b), 0, now_ns)), [1, 16], "brought into range");
    q.reset_dimension(0);
    q.reset_dimension(5);
    assert_eq!(q.used(&of(16), 0, now_ns), 0);
}

#[test]
fn amounts_stop_at_what_a_word_holds() {
    let node = Node::new(1);
    let (q, dims) = (node.quotas(), [sixty(1 << 50)]);
    assert_eq!(q.remaining(&dims, 0, T0), LIMIT_MAX);
    assert_eq!(q.try_reserve(&dims, &[LIMIT_MAX + 1], T0), refused(0, None));
    let held = q.try_reserve(&dims, &[LIMIT_MAX], T0).unwrap();
    q.refund(&dims, &held);
    assert_eq!(q.used(&dims, 0, T0), 0);
    let held = q.try_reserve(&dims, &[5], T0).unwrap();
    q.commit(&dims, &held, &[u64::MAX], T0);
    q.refund(&dims, &held);
    assert!(!q.has_room(&dims, &[1], T0 + 59), "how much more it was is not known, so it stays full");
    assert!(q.has_room(&dims, &[LIMIT_MAX], T0 + 60));
}

#[test]
fn words_of_any_content_harm_nobody() {
    for seed in 0..500 {
        let mut draws = Draws::seeded(seed, 7);
        let node = Node::new(2);
        node.1.iter().chain([&node.0]).for_each(|w| w.store(draws.next_u64(), Ordering::Relaxed));
        let mut any = || Dimension {
            limit: draws.next_u64() >> draws.below(64),
            bucket_ns: draws.below(3) * draws.below(1 << 40),
            buckets: draws.next_u64() as u32 >> draws.below(32),
            ahead: draws.next_u64() as u32 >> draws.below(32),
        };
        let (q, dims) = (node.quotas(), [any(), any(), any()]);
        let now_ns = draws.next_u64();
        let costs = [draws.next_u64() >> draws.below(64), 1, 1];
        let held = q.try_reserve(&dims, &costs, now_ns).unwrap_or(Reserved([draws.next_u64(); DIMENSIONS_MAX]));
        q.commit(&dims, &held, &[draws.next_u64(); 9], draws.next_u64());
        let ratio = q.remaining_ratio(&dims, now_ns);
        assert!((0.0..=1.0).contains(&ratio), "seed {seed}: {ratio}");
        q.sweep(&dims, now_ns);
    }
}

#[test]
fn a_record_belongs_to_its_ticket() {
    use crate::state::lease::Ticket;
    let words: Vec<AtomicU64> = (0..RECORD_WORDS).map(|_| AtomicU64::new(u64::MAX)).collect();
    let record = Record::new(&words);
    let (first, second) = (Ticket::from_u64(3 << 21 | 5), Ticket::from_u64(4 << 21 | 5));
    assert!(record.read(first).is_empty());
    let node = Node::new(8);
    let dims = [sixty(100); 8];
    let all = node.quotas().try_reserve(&dims, &[1, 2, 3, 4, 5, 6, 7, 8], T0).unwrap();
    record.write(first, &all);
    assert_eq!((record.read(first), record.read(second)), (all, Reserved::default()));
    let some = node.quotas().try_reserve(&dims, &[0, 9, 0, 0, 0, 0, 0, 1], T0 + 10).unwrap();
    record.write(second, &some);
    assert_eq!((record.read(first), record.read(second)), (Reserved::default(), some));
}

/// What is in which bucket, summed up on each question.
struct Model {
    dimension: Dimension,
    exhausted_until: Nanos,
    buckets: BTreeMap<u64, u64>,
}

impl Model {
    fn number(&self, now_ns: Nanos) -> u64 {
        now_ns / self.dimension.bucket_ns
    }

    fn counting(&self, number: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let window = u64::from(self.dimension.buckets);
        self.buckets.iter().map(|(&n, &amount)| (n, amount)).filter(move |&(n, _)| n + window > number)
    }

    fn used(&self, now_ns: Nanos) -> u64 {
        self.counting(self.number(now_ns)).map(|(_, amount)| amount).sum()
    }

    fn fits(&self, cost: u64, now_ns: Nanos) -> bool {
        cost == 0 || self.used(now_ns) + cost <= self.dimension.limit
    }

    /// The first bucket's begin at which it fits.
    fn room_at(&self, cost: u64, now_ns: Nanos) -> Option<Nanos> {
        if self.fits(cost, now_ns) {
            return Some(now_ns);
        }
        let begins = self.number(now_ns) + 1..=self.number(now_ns) + 64;
        (cost <= self.dimension.limit).then(|| {
            begins.map(|n| n * self.dimension.bucket_ns).find(|&at| self.fits(cost, at)).expect("all has rolled out")
        })
    }

    fn add(&mut self, amount: u64, number: u64) {
        *self.buckets.entry(number).or_default() += amount;
    }
}

/// Reservations, ends, sweeps and looks in any order, by clocks that advance and that are late.
fn run_list(seed: u64) {
    let mut draws = Draws::seeded(seed, 3);
    let count = 1 + draws.below(3) as usize;
    let limits: Vec<u64> = (0..count).map(|_| draws.below(60)).collect();
    let dims: Vec<Dimension> =
        limits.iter().map(|&limit| Dimension::new(limit, 1 + draws.below(300), 1 + draws.below(16) as u32)).collect();
    let new_model = |&dimension: &Dimension| Model { dimension, exhausted_until: 0, buckets: BTreeMap::new() };
    let mut models: Vec<Model> = dims.iter().map(new_model).collect();
    // Within this, no bucket that counts has lost its word to a later one.
    let late_max = dims.iter().map(|d| u64::from(16 - d.buckets) * d.bucket_ns).min().unwrap();
    let node = Node::new(count);
    let q = node.quotas();
    let mut held: Vec<(Reserved, [Option<u64>; 3])> = Vec::new();
    let shortest_ns = dims.iter().map(|d| d.bucket_ns).min().unwrap();
    let mut newest = 16 * 300;
    for step in 0..draws.below(1000) {
        let pace = draws.below(count as u64) as usize;
        newest += draws.below(2 * dims[pace].bucket_ns);
        let now_ns = if draws.below(4) == 0 { newest - draws.below(late_max + 1) } else { newest };
        let costs: Vec<u64> = (0..count).map(|_| draws.below(3) * draws.below(12)).collect();
        match draws.below(8) {
            0..4 => {
                let open = now_ns >= models[0].exhausted_until;
                let short = models.iter().zip(&costs).position(|(m, &cost)| !m.fits(cost, now_ns));
                assert_eq!(q.has_room(&dims, &costs, now_ns), open && short.is_none(), "seed {seed}, step {step}");
                match q.try_reserve(&dims, &costs, now_ns) {
                    Ok(reserved) => {
                        assert!(open && short.is_none(), "seed {seed}, step {step}: {costs:?} were given");
                        let mut numbers = [None; 3];
                        for ((model, &cost), number) in models.iter_mut().zip(&costs).zip(&mut numbers) {
                            if cost > 0 {
                                *number = Some(model.number(now_ns));
                                model.add(cost, model.number(now_ns));
                            }
                        }
                        held.push((reserved, numbers));
                    }
                    Err(refused) => {
                        let from = Some(now_ns.max(models[0].exhausted_until));
                        let room =
                            |at: Option<Nanos>, (m, &cost): (&Model, &u64)| Some(at?.max(m.room_at(cost, now_ns)?));
                        let retry_at_ns = models.iter().zip(&costs).fold(from, room);
                        let dimension = if open { short } else { None };
                        assert_eq!(refused, Refused { dimension, retry_at_ns }, "seed {seed}, step {step}");
                    }
                }
            }
            4 | 5 if !held.is_empty() => {
                let (reserved, numbers) = held.swap_remove(draws.below(held.len() as u64) as usize);
                let actual: Vec<u64> = (0..count).map(|_| draws.below(20)).collect();
                q.commit(&dims, &reserved, &actual, now_ns);
                for (i, model) in models.iter_mut().enumerate() {
                    let (number, amount) = (model.number(now_ns), reserved.amount(i));
                    let own = numbers[i].filter(|n| model.buckets.contains_key(n));
                    let counts = own.filter(|n| n + u64::from(model.dimension.buckets) > number);
                    match (own, counts) {
                        _ if actual[i] > amount => model.add(actual[i] - amount, counts.unwrap_or(number)),
                        (Some(own), _) => *model.buckets.get_mut(&own).unwrap() -= amount - actual[i],
                        (None, _) => (),
                    }
                }
            }
            6 => {
                // An eighth of the way that stamps take to come round, now and then.
                newest += draws.below(2) * (shortest_ns << 21);
                q.sweep(&dims, newest);
                // What nobody can be late enough to see.
                models.iter_mut().for_each(|m| m.buckets = m.buckets.split_off(&(m.number(newest) - 16)));
                continue;
            }
            7 if draws.below(8) == 0 => {
                models[0].exhausted_until = now_ns + draws.below(50);
                q.exhaust(models[0].exhausted_until);
            }
            _ => (),
        }
        for (i, model) in models.iter().enumerate() {
            assert_eq!(q.used(&dims, i, now_ns), model.used(now_ns), "seed {seed}, step {step}, dimension {i}");
            let left = model.dimension.limit.saturating_sub(model.used(now_ns));
            assert_eq!(q.remaining(&dims, i, now_ns), left, "seed {seed}, step {step}, dimension {i}");
        }
    }
}

#[test]
fn agrees_with_a_list_of_events() {
    (0..2000).for_each(run_list);
}

/// Eight threads, one node; each is told its number.
fn eight(node: &Node, work: impl Fn(Quotas<'_>, u64) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let work = &work;
            scope.spawn(move || work(node.quotas(), thread));
        }
    });
}

#[test]
fn eight_threads_are_never_over_one_limit() {
    for round in 0..50 {
        let (node, dims) = (Node::new(2), [sixty(1000), sixty(700)]);
        let granted = [AtomicU64::new(0), AtomicU64::new(0)];
        eight(&node, |q, thread| {
            let mut draws = Draws::seeded(round, thread);
            for _ in 0..300 {
                let costs = [draws.below(8), draws.below(6)];
                if q.try_reserve(&dims, &costs, T0).is_ok() {
                    granted.iter().zip(costs).for_each(|(sum, cost)| _ = sum.fetch_add(cost, Ordering::Relaxed));
                }
            }
        });
        let granted = granted.map(|g| g.load(Ordering::Relaxed));
        assert!(granted[0] <= 1000 && granted[1] <= 700, "{granted:?}");
        assert_eq!([0, 1].map(|i| node.quotas().used(&dims, i, T0)), granted, "the refused have left nothing");
        let rest = [1000 - granted[0], 700 - granted[1]];
        assert!(node.quotas().try_reserve(&dims, &rest, T0).is_ok(), "and all that is left can be had");
    }
}

#[test]
fn refunds_lose_nothing() {
    let (node, dims) = (Node::new(2), [sixty(20), sixty(30)]);
    let (in_use, most) = (AtomicU64::new(0), AtomicU64::new(0));
    eight(&node, |q, thread| {
        let mut draws = Draws::seeded(thread, 5);
        for _ in 0..20_000 {
            // All of these buckets count together.
            let now_ns = T0 + draws.below(60);
            let costs = [draws.below(9), draws.below(9)];
            if let Ok(held) = q.try_reserve(&dims, &costs, now_ns) {
                most.fetch_max(in_use.fetch_add(costs[0], Ordering::SeqCst) + costs[0], Ordering::Relaxed);
                let actual = [costs[0].min(draws.below(9)), costs[1]];
                in_use.fetch_sub(costs[0], Ordering::SeqCst);
                // First to what was used, then the rest of it: a commit is a refund of a part.
                q.commit(&dims, &held, &actual, now_ns);
                let rest = Reserved(std::array::from_fn(|i| {
                    let amount = actual.get(i).copied().unwrap_or(0);
                    if amount == 0 { 0 } else { held.0[i] >> 40 << 40 | amount }
                }));
                q.refund(&dims, &rest);
            }
        }
    });
    let most = most.into_inner();
    assert!((1..=20).contains(&most), "{most}");
    assert_eq!([0, 1].map(|i| node.quotas().used(&dims, i, T0)), [0, 0]);
}

#[test]
fn no_window_is_over_while_the_clock_goes_on() {
    let (node, dims) = (Node::new(1), [Dimension::in_buckets(50, 10, 4)]);
    const ROUNDS: u64 = 300;
    let granted: Vec<AtomicU64> = (0..ROUNDS + 12).map(|_| AtomicU64::new(0)).collect();
    let barrier = Barrier::new(8);
    eight(&node, |q, thread| {
        let mut draws = Draws::seeded(thread, 6);
        for round in 0..ROUNDS {
            barrier.wait();
            for _ in 0..20 {
                // Clocks of a round differ by one bucket; none is later than the words remember.
                let bucket = 10 + round + draws.below(2);
                if q.try_reserve(&dims, &[3], bucket * 10 + draws.below(10)).is_ok() {
                    granted[bucket as usize].fetch_add(3, Ordering::Relaxed);
                }
            }
        }
    });
    let granted: Vec<u64> = granted.into_iter().map(|g| g.into_inner()).collect();
    assert!(granted.windows(4).all(|w| w.iter().sum::<u64>() <= 50), "{granted:?}");
    assert!(granted.iter().sum::<u64>() >= 48 * ROUNDS / 8, "and most of it was given out: {granted:?}");
}
