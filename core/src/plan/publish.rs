//! Two slots and a generation: how a plan changes under readers that hold nothing.
//!
//! ```text
//! read:    g = generation; decide from slot[g & 1]; if generation ≠ g, begin again
//! publish: write everything into slot[(g + 1) & 1]; generation := g + 1
//! ```
//!
//! A slot is written again only after the other was published, so a reader that met a half-written word also meets the
//! new generation: every word of a slot is stored with release and loaded with acquire, and the load of such a word
//! synchronizes with a store that came after the publication. Nothing is pinned, so nothing has to be reclaimed, and a
//! reader that stops in the middle holds up nobody.

use crate::sync::{AtomicU64, Ordering};

/// The generation word of a pool's plans.
#[derive(Clone, Copy)]
pub(crate) struct Generation<'a>(pub(crate) &'a AtomicU64);

impl Generation<'_> {
    /// The published plan's number.
    #[inline(always)]
    pub(crate) fn current(self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether `generation` is still the published one.
    ///
    /// A pick is counted in flight before this call, by a read-modify-write with acquire. Whoever publishes a new plan and
    /// then looks for a free index does so by a read-modify-write on the same row: either it finds the pick, or the pick's
    /// own comes later in the row's order, has acquired the publication, and is told of it here.
    #[inline(always)]
    pub(crate) fn is_still(self, generation: u64) -> bool {
        self.0.load(Ordering::SeqCst) == generation
    }

    /// Publishes what was written into the idle slot. Only the holder of the build lease calls it.
    pub(crate) fn publish(self, generation: u64) {
        self.0.store(generation, Ordering::SeqCst);
    }
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::state::arena::Packed16;

    struct Plans {
        generation: AtomicU64,
        slots: [Vec<AtomicU64>; 2],
        row: AtomicU64,
    }

    impl Plans {
        fn new() -> Arc<Self> {
            let slot = || (0..2).map(|_| AtomicU64::new(0)).collect();
            Arc::new(Self { generation: AtomicU64::new(0), slots: [slot(), slot()], row: AtomicU64::new(0) })
        }

        fn build(&self, generation: u64, slot: u64) {
            let value = generation as u16;
            Packed16(&self.slots[(slot & 1) as usize]).store(&[value, value, value, value, value]);
            Generation(&self.generation).publish(generation);
        }

        /// Entries of both words of the published slot.
        fn read(&self, generation: u64) -> (u16, u16) {
            let entries = Packed16(&self.slots[(generation & 1) as usize]);
            (entries.get(0), entries.get(4))
        }
    }

    /// Two plans are published under a reader; whatever it accepts is of one plan.
    fn accepted_plans_are_whole(slot: fn(u64) -> u64, recheck: bool) {
        loom::model(move || {
            let plans = Plans::new();
            let builder = {
                let plans = plans.clone();
                thread::spawn(move || (1..=2).for_each(|g| plans.build(g, slot(g))))
            };
            let generation = Generation(&plans.generation).current();
            let (first, second) = plans.read(generation);
            if !recheck || Generation(&plans.generation).is_still(generation) {
                assert_eq!((u64::from(first), u64::from(second)), (generation, generation));
            }
            builder.join().unwrap();
        });
    }

    /// A node leaves while a pick is made: its index is not free if the pick stands.
    fn picked_index_is_not_reused(settled: fn(&AtomicU64) -> u64) {
        loom::model(move || {
            let plans = Plans::new();
            let picker = {
                let plans = plans.clone();
                thread::spawn(move || {
                    plans.row.fetch_add(1, Ordering::AcqRel);
                    let stands = Generation(&plans.generation).is_still(0);
                    if !stands {
                        plans.row.fetch_sub(1, Ordering::AcqRel);
                    }
                    stands
                })
            };
            Generation(&plans.generation).publish(1);
            let free = settled(&plans.row) == 0;
            assert!(!(picker.join().unwrap() && free));
        });
    }

    #[test]
    fn a_reader_accepts_whole_plans_only() {
        accepted_plans_are_whole(|g| g, true);
    }

    #[test]
    #[should_panic]
    fn mutant_without_a_second_look_mixes_plans() {
        accepted_plans_are_whole(|g| g, false);
    }

    #[test]
    #[should_panic]
    fn mutant_with_one_slot_mixes_plans() {
        accepted_plans_are_whole(|_| 0, true);
    }

    #[test]
    fn a_picked_index_is_not_given_away() {
        picked_index_is_not_reused(crate::state::memory::settled);
    }

    #[test]
    #[should_panic]
    fn mutant_that_only_loads_the_row_gives_it_away() {
        picked_index_is_not_reused(|row| row.load(Ordering::Acquire));
    }
}
