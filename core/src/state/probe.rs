//! The words of probes: who looks at the nodes that are down, and who probes one.
//!
//! ```text
//! look:   next: cas(due → LOOKING); look at all that are down; next := the earliest that was found or entered meanwhile
//! probe:  lease: cas(what was seen → own deadline); the end: cas(own deadline → 0)
//! ```

use crate::sync::{AtomicU64, Ordering};

/// Stands in the word of the next probe while somebody looks at the nodes that are down.
pub(crate) const LOOKING: u64 = u64::MAX;

/// Begins a look at the nodes that are down; whether this caller is the one.
pub(crate) fn begin_look(next: &AtomicU64, due_ns: u64) -> bool {
    // Acquire pairs with whoever was entered before: the look finds that node down.
    next.compare_exchange(due_ns, LOOKING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Ends a look that found the next probe due then; [`LOOKING`]: none.
pub(crate) fn end_look(next: &AtomicU64, at_ns: u64) {
    enter(next, at_ns);
    let _ = next.compare_exchange(LOOKING, 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// Enters a time at which to look, if it is earlier; [`LOOKING`]: none. Writes in any case: who begins a look afterwards sees what the caller
/// did before, and who has begun one already is found out here.
pub(crate) fn enter(next: &AtomicU64, at_ns: u64) {
    if at_ns == LOOKING {
        return;
    }
    let at = at_ns.max(1);
    let mut seen = next.load(Ordering::Relaxed);
    loop {
        let new = if seen == 0 { at } else { seen.min(at) };
        match next.compare_exchange_weak(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// Takes a probe whose lease was seen free or timed out; whether this caller is the one.
pub(crate) fn take_lease(probe: &AtomicU64, seen: u64, deadline_ns: u64) -> bool {
    // Acquire pairs with the end of the lease before: what its report changed is seen.
    probe.compare_exchange(seen, deadline_ns, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Frees a lease that is still this caller's.
pub(crate) fn end_lease(probe: &AtomicU64, deadline_ns: u64) {
    let _ = probe.compare_exchange(deadline_ns, 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::{LOOKING, begin_look, end_lease, end_look, enter, take_lease};
    use crate::sync::{AtomicU64, Ordering};

    type Take = fn(&AtomicU64, u64, u64) -> bool;
    type End = fn(&AtomicU64, u64);

    /// A probe has timed out; two look at the node at the same time, while the late one reports.
    fn one_probe_at_a_time(take: Take, end: End) {
        loom::model(move || {
            let word = Arc::new(AtomicU64::new(10));
            let takers: Vec<_> = [20, 21]
                .into_iter()
                .map(|deadline| {
                    let word = word.clone();
                    thread::spawn(move || take(&word, 10, deadline).then_some(deadline))
                })
                .collect();
            end(&word, 10);
            let taken: Vec<u64> = takers.into_iter().filter_map(|t| t.join().unwrap()).collect();
            assert!(taken.len() <= 1, "{taken:?}");
            // A late report frees its own lease, and only that: then nobody can take what was seen any more.
            let held = word.load(Ordering::Relaxed);
            assert_eq!(held, taken.first().copied().unwrap_or(0), "whoever took it still has it");
        });
    }

    fn take_without_swap(word: &AtomicU64, seen: u64, deadline: u64) -> bool {
        let free = word.load(Ordering::Acquire) == seen;
        if free {
            word.store(deadline, Ordering::Release);
        }
        free
    }

    fn end_whatever_is_there(word: &AtomicU64, _: u64) {
        word.store(0, Ordering::Release);
    }

    #[test]
    fn one_takes_a_probe_that_timed_out() {
        one_probe_at_a_time(take_lease, end_lease);
    }

    #[test]
    #[should_panic]
    fn mutant_that_takes_without_a_swap_probes_twice() {
        one_probe_at_a_time(take_without_swap, end_lease);
    }

    #[test]
    #[should_panic]
    fn mutant_that_ends_whatever_is_there_frees_anothers_probe() {
        one_probe_at_a_time(take_lease, end_whatever_is_there);
    }

    type EndLook = fn(&AtomicU64, u64);

    /// A look that found nobody down, while a node goes down that is to be probed at 50: it is not forgotten.
    fn no_probe_is_lost(end_look: EndLook) {
        loom::model(move || {
            let (next, down) = (Arc::new(AtomicU64::new(10)), Arc::new(AtomicU64::new(0)));
            let holder = {
                let (next, down) = (next.clone(), down.clone());
                thread::spawn(move || {
                    down.store(1, Ordering::Release);
                    enter(&next, 50);
                })
            };
            if begin_look(&next, 10) {
                let found = down.load(Ordering::Acquire) == 1;
                end_look(&next, if found { 50 } else { LOOKING });
            }
            holder.join().unwrap();
            let due = next.load(Ordering::Relaxed);
            assert!(due != 0 && due <= 50, "{due}");
        });
    }

    #[test]
    fn who_goes_down_during_a_look_is_probed() {
        no_probe_is_lost(end_look);
    }

    #[test]
    #[should_panic]
    fn mutant_that_overwrites_what_was_entered_loses_a_probe() {
        no_probe_is_lost(|next, at| next.store(if at == LOOKING { 0 } else { at }, Ordering::Release));
    }
}
