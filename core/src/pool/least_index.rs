//! The hints who has the least in flight, as a pool keeps and uses them: only while its plan says so.

use super::decision::Decision;
use super::{AVAILABLE_MASK, Pool};
use crate::state::layout::pool_word;
use crate::sync::Ordering;
use crate::vocabulary::rng::Draws;

/// Draws from the index before everybody is asked.
const TRIES: usize = crate::strategy::draw::REDRAWS;

impl Decision<'_> {
    /// One of those with the least in flight, each with the same probability, if `accepts` does; of available members of
    /// one weight. Every refusal draws anew, so those that are accepted stay equally likely. `None`: ask everybody.
    #[inline(always)]
    pub(crate) fn least_by_index(self, draws: &mut Draws, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let used = self.memory.pool(pool_word::NODES_USED).load(Ordering::Relaxed) as usize;
        for _ in 0..TRIES {
            let (c, room) = self.memory.index().draw(used, draws.next_u64())?;
            if self.memory.room(c, AVAILABLE_MASK) < room {
                // A hint from before a change that is being made known.
                self.pool.renew_hint(c);
            } else if accepts(c) {
                return Some(c);
            }
        }
        None
    }
}

impl Pool {
    /// Whether hints are kept. Who asks after a change finds that they are, or whoever begins to keep them finds the
    /// change: see `publish_with_hints`.
    #[inline(always)]
    pub(crate) fn keeps_hints(&self) -> bool {
        self.memory.pool(pool_word::KEEPS_INDEX).load(Ordering::SeqCst) != 0
    }

    /// Brings the hints of a node up to date.
    #[inline(never)]
    pub(crate) fn renew_hint(&self, index: usize) {
        self.memory.index().renew(index, || self.memory.room(index, AVAILABLE_MASK));
    }

    /// [`renew_hint`](Self::renew_hint) after a change of what it is made of, if there are hints.
    #[inline(always)]
    pub(crate) fn renew_hint_if_kept(&self, index: usize) {
        if self.keeps_hints() {
            self.renew_hint(index);
        }
    }

    /// For `maintain`: mends what a process that was killed left half done.
    pub(crate) fn renew_hints_if_kept(&self) {
        if self.keeps_hints() {
            self.renew_hints();
        }
    }

    fn renew_hints(&self) {
        let used = self.memory.nodes_used();
        self.memory.index().renew_all(used, |c| self.memory.room(c, AVAILABLE_MASK));
    }

    /// Publishes the plan of `generation`. Hints that it begins to keep are right before it is used, and once more after:
    /// picks by the plan before it did not renew them.
    pub(crate) fn publish_with_hints(&self, generation: u64) {
        let word = self.memory.pool(pool_word::KEEPS_INDEX);
        let keeps = self.plan_at(generation).lead().keeps_index();
        if keeps && !self.keeps_hints() {
            word.store(1, Ordering::SeqCst);
            self.renew_hints();
        }
        self.generation().publish(generation);
        if keeps {
            self.renew_hints();
        } else {
            word.store(0, Ordering::SeqCst);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use super::*;
    use crate::control::config::{StrategyConfig, StrategyKind};
    use crate::plan::step::SCAN_MAX;
    use crate::vocabulary::node::{NodeRef, NodeSpec};
    use crate::vocabulary::outcome::Report;
    use crate::{Limits, Outcome, Request, Ticket};

    const NOW_NS: u64 = 1_000_000_000;

    fn exact() -> StrategyConfig {
        StrategyKind::LeastRequest { exact: true }.into()
    }

    fn pool(nodes: usize, seed: u64) -> Pool {
        let nodes = (0..nodes).map(|i| format!("n{i}"));
        Pool::builder().strategy(exact()).unwrap().nodes(nodes).seed(seed).build().unwrap()
    }

    fn keeps_index(pool: &Pool) -> bool {
        pool.plan_at(pool.generation().current()).lead().keeps_index()
    }

    fn assert_hints_right(pool: &Pool) {
        let used = pool.memory.pool(pool_word::NODES_USED).load(Ordering::SeqCst) as usize;
        pool.memory.index().assert_right(used, |c| pool.memory.room(c, AVAILABLE_MASK));
    }

    /// What a naive look at all members allows: those with the least in flight for their weight.
    fn least(pool: &Pool, excluded: &[NodeRef]) -> Vec<usize> {
        let share = |c: usize| (pool.memory.in_flight(c) as f64) / f64::from(pool.memory.node(c).weight());
        let mut fit = pool.members();
        fit.retain(|&c| {
            pool.memory.node(c).state().fit(AVAILABLE_MASK) && !excluded.iter().any(|node| node.index as usize == c)
        });
        let lowest = fit.iter().map(|&c| share(c)).fold(f64::INFINITY, f64::min);
        fit.retain(|&c| share(c) == lowest);
        fit
    }

    /// A pool and whatever may be done to it.
    struct World {
        pool: Pool,
        draws: Draws,
        held: Vec<Ticket>,
        by_index: u64,
    }

    impl World {
        fn below(&mut self, n: usize) -> usize {
            self.draws.below(n as u64) as usize
        }

        fn some_member(&mut self) -> usize {
            let members = self.pool.members();
            members[self.below(members.len())]
        }

        fn pick(&mut self, excluding: bool) {
            let unwanted: Vec<usize> = (0..if excluding { 3 } else { 0 }).map(|_| self.some_member()).collect();
            let excluded: Vec<NodeRef> = unwanted.into_iter().map(|c| self.pool.reference(c)).collect();
            let allowed = least(&self.pool, &excluded);
            let request = Request::new().exclude_nodes(&excluded).now_ns(NOW_NS);
            let exact = self.pool.plan_at(self.pool.generation().current()).lead().rule()
                == Some(crate::plan::step::Rule::LeastRequestExact);
            self.by_index += u64::from(keeps_index(&self.pool));
            match self.pool.acquire(&request) {
                Ok(lease) => {
                    let chosen = lease.node.index as usize;
                    assert!(!exact || allowed.contains(&chosen), "{chosen} is not among {allowed:?}");
                    self.held.push(lease.ticket);
                }
                Err(none) => assert!(allowed.is_empty(), "{none:?}, but there is {allowed:?}"),
            }
        }

        fn finish(&mut self) {
            if self.held.is_empty() {
                return;
            }
            let at = self.below(self.held.len());
            let ticket = self.held.swap_remove(at);
            let report = match self.below(8) {
                0 => Report::from(Outcome::Failure),
                1 => Report::cancelled(),
                _ => Report::from(Outcome::Success),
            };
            self.pool.release(ticket, report.now_ns(NOW_NS)).unwrap();
        }

        fn step(&mut self) {
            match self.below(100) {
                0..=54 => self.pick(false),
                55..=59 => self.pick(true),
                60..=89 => self.finish(),
                90..=92 => {
                    let c = self.some_member();
                    let id = self.pool.memory.record(c).id();
                    let draining = self.below(2) == 0;
                    self.pool.drain_at(id.as_str(), draining, NOW_NS).unwrap();
                }
                93 => {
                    let c = self.some_member();
                    let id = self.pool.memory.record(c).id();
                    let weight = [0, 1, 1, 1, 2][self.below(5)];
                    self.pool.set_weight(id.as_str(), weight).unwrap();
                }
                94 => {
                    // All of one weight again, some of them others.
                    let (first, count) = (self.below(20), 1 + self.below(80));
                    self.pool.set_nodes((first..first + count).map(|i| NodeSpec::new(format!("n{i}")))).unwrap();
                }
                95 => {
                    let c = self.some_member();
                    let id = self.pool.memory.record(c).id();
                    for _ in 0..3 {
                        let ok = [Outcome::Failure, Outcome::Success][self.below(2)];
                        self.pool.report(id.as_str(), Report::from(ok).now_ns(NOW_NS)).unwrap();
                    }
                }
                96 => self.pool.set_strategy("p2c").unwrap(),
                97..=98 => self.pool.set_strategy(exact()).unwrap(),
                _ => {
                    self.pool.maintain(NOW_NS);
                }
            }
        }
    }

    #[test]
    fn it_chooses_what_a_look_at_everybody_would() {
        let mut by_index = 0;
        for seed in 0..40 {
            let mut draws = Draws::seeded(seed, 0);
            let pool = pool(1 + draws.below(100) as usize, seed);
            let mut world = World { pool, draws, held: Vec::new(), by_index: 0 };
            for step in 0..1000 {
                world.step();
                if step % 16 == 0 && keeps_index(&world.pool) {
                    assert_hints_right(&world.pool);
                }
            }
            by_index += world.by_index;
        }
        assert!(by_index > 10_000, "only {by_index} picks had an index");
    }

    #[test]
    fn threads_leave_right_hints() {
        let picks = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
        let pool = pool(100, 1);
        let (held, stop, refused) = (Mutex::new(Vec::<Ticket>::new()), AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let pickers: Vec<_> = (0..4u64)
                .map(|seed| {
                    let (pool, held, refused) = (&pool, &held, &refused);
                    scope.spawn(move || {
                        let mut draws = Draws::seeded(seed, 0);
                        for _ in 0..picks {
                            // Whoever comes finishes: mostly another thread's.
                            let late = {
                                let mut held = held.lock().unwrap();
                                let many = held.len() as u64 > 100 + draws.below(200);
                                let at = draws.below(held.len().max(1) as u64) as usize;
                                many.then(|| held.swap_remove(at))
                            };
                            match late {
                                Some(ticket) => pool.release(ticket, Outcome::Success).unwrap(),
                                None => match pool.acquire(&Request::new()) {
                                    Ok(lease) => held.lock().unwrap().push(lease.ticket),
                                    Err(_) => _ = refused.fetch_add(1, Ordering::Relaxed),
                                },
                            }
                        }
                    })
                })
                .collect();
            let (pool, stop) = (&pool, &stop);
            let changer = scope.spawn(move || {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    pool.drain(&format!("n{}", round % 90), round % 3 != 0).unwrap();
                    pool.report("n95", if round % 7 < 4 { Outcome::Failure } else { Outcome::Success }).unwrap();
                    match round % 10 {
                        3 => pool.set_strategy("p2c").unwrap(),
                        5 => pool.set_strategy(exact()).unwrap(),
                        _ => {}
                    }
                }
                pool.set_strategy(exact()).unwrap();
            });
            pickers.into_iter().for_each(|p| p.join().unwrap());
            stop.store(true, Ordering::Relaxed);
            changer.join().unwrap();
        });
        assert_eq!(refused.into_inner(), 0, "ten nodes were always there");
        assert!(keeps_index(&pool));
        assert_hints_right(&pool);
        held.into_inner().unwrap().into_iter().for_each(|ticket| pool.release(ticket, Outcome::Success).unwrap());
        assert_hints_right(&pool);
        assert!((0..100).all(|c| pool.memory.in_flight(c) == 0));
    }

    #[test]
    fn ties_are_even_also_among_those_a_request_accepts() {
        const DRAWS: u32 = 60_000;
        let pool = pool(70, 11);
        // Ten are busier, and three are not wanted.
        let busy: Vec<_> = (0..10).map(|_| pool.acquire(&Request::new()).unwrap()).collect();
        let idle: Vec<NodeRef> =
            least(&pool, &[]).into_iter().map(|c| NodeRef { index: c as u32, generation: 1 }).collect();
        assert_eq!(idle.len(), 60);
        for excluded in [&idle[..0], &idle[5..8], &idle[..58]] {
            let mut counts = [0u32; 70];
            for _ in 0..DRAWS {
                counts[pool.choose(&Request::new().exclude_nodes(excluded)).unwrap().index as usize] += 1;
            }
            let allowed = least(&pool, excluded);
            let expected = f64::from(DRAWS) / allowed.len() as f64;
            let chi_square: f64 = allowed.iter().map(|&c| (f64::from(counts[c]) - expected).powi(2) / expected).sum();
            // At most 59 degrees of freedom: above 112 once in 30 000 seeds; this seed is fixed.
            assert!(chi_square < 112.0, "χ² = {chi_square} without {}", excluded.len());
            assert_eq!(allowed.iter().map(|&c| counts[c]).sum::<u32>(), DRAWS);
        }
        busy.into_iter().for_each(|lease| pool.release(lease.ticket, Outcome::Success).unwrap());
    }

    #[test]
    fn hints_that_lie_are_found_out() {
        let pool = pool(40, 1);
        let index = pool.memory.index();
        let lease = pool.acquire(&Request::new()).unwrap();
        // The busy one seems to be idle, as the others are.
        index.renew(lease.node.index as usize, || crate::state::index::ROOM_MAX);
        for _ in 0..500 {
            assert_ne!(pool.choose(&Request::new()).unwrap().index, lease.node.index, "the row says that it is not");
        }
        assert_hints_right(&pool);
        // The others seem to be busier.
        (0..40).filter(|&c| c != lease.node.index as usize).for_each(|c| index.renew(c, || 7));
        pool.maintain(NOW_NS);
        assert_hints_right(&pool);
        // Nobody seems to be there.
        (0..40).for_each(|c| index.renew(c, || 0));
        assert!(least(&pool, &[]).contains(&(pool.choose(&Request::new()).unwrap().index as usize)));
        pool.release(lease.ticket, Outcome::Success).unwrap();
    }

    #[test]
    fn more_in_flight_than_hints_can_tell_is_compared_all_the_same() {
        let pool = pool(SCAN_MAX + 1, 1);
        for c in 0..=SCAN_MAX {
            pool.memory.row(c, 0).store(100_000 + c as u64 % 7, Ordering::SeqCst);
            pool.renew_hint(c);
        }
        for _ in 0..100 {
            assert_eq!(pool.choose(&Request::new()).unwrap().index % 7, 0);
        }
    }

    #[test]
    fn a_forked_child_begins_with_idle_nodes() {
        let pool = pool(40, 1);
        let before: Vec<_> = (0..30).map(|_| pool.acquire(&Request::new()).unwrap()).collect();
        // What a fork looks like: the process is not the one that the pool was used in.
        pool.incarnation.fetch_add(1, Ordering::SeqCst);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..40 {
            seen.insert(pool.acquire(&Request::new()).unwrap().node.index);
        }
        assert_eq!(seen.len(), 40);
        assert!(before.iter().all(|lease| pool.release(lease.ticket, Outcome::Success).is_err()));
        assert_hints_right(&pool);
    }

    #[test]
    fn hints_are_kept_only_where_they_tell() {
        assert!(!keeps_index(&pool(SCAN_MAX, 1)) && keeps_index(&pool(SCAN_MAX + 1, 1)));
        let pool = Pool::builder()
            .strategy(exact())
            .unwrap()
            .nodes((0..40).map(|i| NodeSpec::new(format!("n{i}")).weight(3).tier(u8::from(i > 20))))
            .limits(Limits { max_nodes: 64, ..Limits::default() })
            .build()
            .unwrap();
        assert!(!keeps_index(&pool), "tiers are parts of all");
        pool.set_nodes((0..40).map(|i| NodeSpec::new(format!("n{i}")).weight(3))).unwrap();
        assert!(keeps_index(&pool));
        pool.set_weight("n7", 2).unwrap();
        assert!(!keeps_index(&pool), "weights differ");
        pool.set_weight("n7", 0).unwrap();
        assert!(keeps_index(&pool), "a node that takes no picks does not count");
    }
}
