//! Run with `make loom`.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::state::lease::{Leased, Leases, RUN_WORDS, SLOT_WORDS, Ticket};

fn words(n: usize) -> Vec<AtomicU64> {
    (0..n).map(|_| AtomicU64::new(0)).collect()
}

/// Two buckets of 1 ns.
fn window(words: &[AtomicU64], limit: u64) -> Rolling<'_> {
    Rolling::new(words.first_chunk().unwrap(), Dimension::in_buckets(limit, 1, 2))
}

type Take = fn(Rolling<'_>, u64, Nanos) -> Option<Bucket>;

/// Threads at these times, in buckets that all count together, want all of the limit.
fn one_gets_it(take: Take, times: &'static [Nanos], limit: u64) {
    loom::model(move || {
        let shared = Arc::new(words(SLOTS));
        let takers: Vec<_> = times
            .iter()
            .map(|&now_ns| {
                let shared = shared.clone();
                thread::spawn(move || take(window(&shared, limit), limit, now_ns).is_some())
            })
            .collect();
        let taken: u64 = takers.into_iter().map(|t| u64::from(t.join().unwrap())).sum();
        assert!(taken <= 1);
        // Whoever was refused has taken back what it added.
        assert_eq!(window(&shared, limit).used(times[0]), taken * limit);
    });
}

/// One of two units is given back while two others are wanted.
fn refunds_race(take: Take) {
    loom::model(move || {
        let shared = Arc::new(words(SLOTS));
        let first = take(window(&shared, 2), 1, 4).expect("nobody else is there");
        let back = {
            let shared = shared.clone();
            thread::spawn(move || window(&shared, 2).take_back(first, 1))
        };
        let other = {
            let shared = shared.clone();
            thread::spawn(move || take(window(&shared, 2), 1, 4).is_some())
        };
        let own = take(window(&shared, 2), 1, 5).is_some();
        let taken = u64::from(own) + u64::from(other.join().unwrap());
        back.join().unwrap();
        assert_eq!(window(&shared, 2).used(5), taken);
    });
}

fn check_then_add(window: Rolling<'_>, cost: u64, now_ns: Nanos) -> Option<Bucket> {
    if window.has_room(cost, now_ns) { window.add(cost, window.number(now_ns), u64::MAX) } else { None }
}

/// Adds and looks, but in no one order with others.
fn unordered(window: Rolling<'_>, cost: u64, now_ns: Nanos) -> Option<Bucket> {
    let number = window.number(now_ns);
    let held = window.add(cost, number, window.limit())?;
    if window.sum(number) <= window.limit() {
        return Some(held);
    }
    window.take_back(held, cost);
    None
}

#[test]
fn one_bucket_is_never_over() {
    one_gets_it(|w, cost, now_ns| w.try_take(cost, now_ns), &[4, 4], 1);
}

#[test]
fn the_largest_amounts_are_taken_back_whole() {
    one_gets_it(|w, cost, now_ns| w.try_take(cost, now_ns), &[4, 4], LIMIT_MAX);
}

#[test]
fn two_buckets_are_never_over() {
    one_gets_it(|w, cost, now_ns| w.try_take(cost, now_ns), &[4, 5], 1);
}

#[test]
fn three_threads_are_never_over() {
    one_gets_it(|w, cost, now_ns| w.try_take(cost, now_ns), &[4, 5, 4], 1);
}

#[test]
fn no_refund_is_lost() {
    refunds_race(|w, cost, now_ns| w.try_take(cost, now_ns));
}

#[test]
#[should_panic]
fn mutant_check_then_add_is_over() {
    one_gets_it(check_then_add, &[4, 5], 1);
}

#[test]
#[should_panic]
fn mutant_without_one_order_is_over() {
    one_gets_it(unordered, &[4, 5], 1);
}

struct Picks {
    runs: Vec<AtomicU64>,
    slots: Vec<AtomicU64>,
    runs_used: AtomicU64,
    record: Vec<AtomicU64>,
}

impl Picks {
    fn leases(&self) -> Leases<'_> {
        Leases { runs: &self.runs, slots: &self.slots, runs_used: &self.runs_used }
    }

    /// Opens slot 1 and records `amount` for it.
    fn pick(&self, amount: u64) -> Ticket {
        let lease = Leased {
            node: 1,
            row: 0,
            node_generation: 1,
            epoch: 0,
            opener: 0,
            started_ns: 1,
            in_total: false,
            noted: false,
            answered: false,
            probe_ns: 0,
        };
        let ticket = self.leases().open_next(0, lease).expect("the slot is free");
        let mut reserved = Reserved::default();
        reserved.0[..2].fill(amount);
        Record::new(&self.record).write(ticket, &reserved);
        ticket
    }
}

type Finish = fn(&Picks, Ticket) -> Option<Reserved>;

/// A ticket is finished twice at once, and its slot is used again as soon as it is free.
fn reservation_is_taken_once(finish: Finish) {
    loom::model(move || {
        let picks = Arc::new(Picks {
            runs: words(RUN_WORDS),
            slots: words(2 * SLOT_WORDS),
            runs_used: AtomicU64::new(0),
            record: words(RECORD_WORDS),
        });
        let first = picks.pick(7);
        let other = {
            let picks = picks.clone();
            thread::spawn(move || finish(&picks, first))
        };
        let own = finish(&picks, first);
        if own.is_some() || picks.leases().look(first, 0).is_err() {
            let second = picks.pick(9);
            let taken = finish(&picks, second).expect("nobody else has the second ticket");
            assert_eq!((taken.amount(0), taken.amount(1)), (9, 9));
        }
        let taken: Vec<Reserved> = own.into_iter().chain(other.join().unwrap()).collect();
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].amount(0), taken[0].amount(1)), (7, 7));
    });
}

#[test]
fn a_reservation_ends_once_and_whole() {
    reservation_is_taken_once(|picks, ticket| {
        let held = Record::new(&picks.record).read(ticket);
        picks.leases().close(ticket, 0).ok().map(|_| held)
    });
}

#[test]
#[should_panic]
fn mutant_reading_after_the_close_finds_the_next_reservation() {
    reservation_is_taken_once(|picks, ticket| {
        picks.leases().close(ticket, 0).ok().map(|_| Record::new(&picks.record).read(ticket))
    });
}
