//! A lease in a word that dies with its process: who builds, who works something out, who changes a directory.
//!
//! ```text
//! take:       nobody, or somebody who is gone → cas(what was seen → me)      acquire
//! give back:  cas(me → nobody)                                               release
//! ```
//!
//! A claim is never given twice, so a holder that is gone stays gone, and what was seen is still there or somebody else
//! was faster.

use super::seat::Holder;
use crate::sync::{AtomicU64, Ordering};

#[derive(Clone, Copy)]
pub(crate) struct Held<'a>(pub(crate) &'a AtomicU64);

/// What came of an attempt to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nobody had it.
    Free,
    /// Somebody had it who is gone, and may have left something half done.
    After(Holder),
    /// Somebody has it.
    By(Holder),
}

impl Held<'_> {
    pub(crate) fn take(self, me: Holder, is_gone: impl Fn(Holder) -> bool) -> Taken {
        let seen = self.0.load(Ordering::Relaxed);
        let before = Holder::from_word(seen);
        if let Some(holder) = before.filter(|&holder| !is_gone(holder)) {
            return Taken::By(holder);
        }
        // Acquire pairs with the release of whoever had it before: what it left is ours to go on with.
        match self.0.compare_exchange(seen, me.word(), Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => before.map_or(Taken::Free, Taken::After),
            Err(now) => Taken::By(Holder::from_word(now).unwrap_or(me)),
        }
    }

    /// By whoever took it, if it was not taken over since.
    pub(crate) fn give_back(self, me: Holder) {
        let _ = self.0.compare_exchange(me.word(), 0, Ordering::Release, Ordering::Relaxed);
    }
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    const DEAD: Holder = Holder::new(9, 0);

    struct Shared {
        lease: AtomicU64,
        /// Written by the holder alone.
        plan: AtomicU64,
    }

    type Take = fn(&AtomicU64, Holder) -> bool;

    fn take(lease: &AtomicU64, me: Holder) -> bool {
        !matches!(Held(lease).take(me, |holder| holder == DEAD), Taken::By(_))
    }

    /// A builder was killed; two others build after it, as often as they get to. Nothing that is built is lost.
    fn one_builds_at_a_time(take: Take) {
        loom::model(move || {
            let shared = Arc::new(Shared { lease: AtomicU64::new(DEAD.word()), plan: AtomicU64::new(0) });
            let builders: Vec<_> = [1, 2]
                .into_iter()
                .map(|row| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let me = Holder::new(1, row);
                        let taken = take(&shared.lease, me);
                        if taken {
                            let plan = shared.plan.load(Ordering::Relaxed);
                            shared.plan.store(plan + 1, Ordering::Relaxed);
                            Held(&shared.lease).give_back(me);
                        }
                        u64::from(taken)
                    })
                })
                .collect();
            let built: u64 = builders.into_iter().map(|builder| builder.join().unwrap()).sum();
            assert!(built >= 1);
            assert_eq!(shared.plan.load(Ordering::Relaxed), built);
        });
    }

    #[test]
    fn a_lease_is_taken_over_by_one() {
        one_builds_at_a_time(take);
    }

    #[test]
    #[should_panic]
    fn mutant_that_takes_without_a_swap_builds_twice() {
        one_builds_at_a_time(|lease, me| {
            let seen = lease.load(Ordering::Acquire);
            let free = seen == 0 || seen == DEAD.word();
            if free {
                lease.store(me.word(), Ordering::Release);
            }
            free
        });
    }

    #[test]
    #[should_panic]
    fn mutant_that_takes_from_the_living_builds_twice() {
        one_builds_at_a_time(|lease, me| !matches!(Held(lease).take(me, |_| true), Taken::By(_)));
    }
}
