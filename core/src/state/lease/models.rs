//! Every interleaving of a few threads on a slot or two. Run with `make loom`.

use loom::sync::Arc;
use loom::thread;

use super::*;

struct Slots {
    runs: Vec<AtomicU64>,
    slots: Vec<AtomicU64>,
    runs_used: AtomicU64,
}

impl Slots {
    fn new() -> Arc<Self> {
        let words = |n| (0..n).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { runs: words(RUN_WORDS), slots: words(2 * SLOT_WORDS), runs_used: AtomicU64::new(0) })
    }

    fn leases(&self) -> Leases<'_> {
        Leases { runs: &self.runs, slots: &self.slots, runs_used: &self.runs_used }
    }

    /// Opens slot 0 for node `node`, whose generation is made to match.
    fn open(&self, node: u32) -> Ticket {
        let state = State(u64::from(node) << 32);
        let lease = Leased::new(node as usize, 0, 0, state, u64::from(node), false);
        self.leases().try_open(0, lease).expect("the slot is free")
    }
}

type Close = fn(Leases<'_>, Ticket) -> Result<Leased, Refused>;

/// Two threads close one ticket; exactly one may count it off, and it finds the details of its own pick.
fn closed_once(close: Close) {
    loom::model(move || {
        let slots = Slots::new();
        let ticket = slots.open(7);
        let closers: Vec<_> = (0..2)
            .map(|_| {
                let slots = slots.clone();
                thread::spawn(move || close(slots.leases(), ticket))
            })
            .collect();
        let closed: Vec<Leased> = closers.into_iter().filter_map(|c| c.join().unwrap().ok()).collect();
        assert_eq!(closed.len(), 1);
        assert_eq!((closed[0].node, closed[0].node_generation, closed[0].started_ns), (7, 7, 7));
    });
}

/// A slot is closed and used again by its owner, while somebody closes the first ticket late.
fn late_close_leaves_the_next_pick_alone(close: Close) {
    loom::model(move || {
        let slots = Slots::new();
        let first = slots.open(1);
        let late = {
            let slots = slots.clone();
            thread::spawn(move || close(slots.leases(), first).is_ok())
        };
        let early = close(slots.leases(), first).is_ok();
        if early {
            let second = slots.open(2);
            let leased = slots.leases().close(second, 0).expect("nobody else has the second ticket");
            assert_eq!((leased.node, leased.node_generation, leased.started_ns), (2, 2, 2));
        }
        assert!(early ^ late.join().unwrap());
    });
}

/// A process that is taken for dead finishes a pick all the same, while its row is reclaimed: one of them counts it off.
fn finished_or_reclaimed(close_all_of: fn(Leases<'_>, &mut dyn FnMut(Leased))) {
    loom::model(move || {
        let slots = Slots::new();
        slots.runs_used.store(1, Ordering::Relaxed);
        let (ticket, in_flight) = (slots.open(7), Arc::new(AtomicU64::new(1)));
        let finisher = {
            let (slots, in_flight) = (slots.clone(), in_flight.clone());
            thread::spawn(move || {
                if slots.leases().close(ticket, 0).is_ok() {
                    in_flight.fetch_sub(1, Ordering::SeqCst);
                }
            })
        };
        close_all_of(slots.leases(), &mut |leased| {
            assert_eq!((leased.node, leased.node_generation), (7, 7));
            in_flight.fetch_sub(1, Ordering::SeqCst);
        });
        finisher.join().unwrap();
        assert_eq!(in_flight.load(Ordering::SeqCst), 0);
        assert_eq!(slots.leases().close(ticket, 0), Err(Refused::Stale));
    });
}

#[test]
fn a_pick_is_finished_or_reclaimed() {
    finished_or_reclaimed(|leases, each| leases.close_all_of(0, each));
}

#[test]
#[should_panic]
fn mutant_that_reclaims_without_a_swap_counts_off_twice() {
    finished_or_reclaimed(|leases, each| {
        for (ticket, _) in leases.open_tickets() {
            if let Ok(leased) = close_without_swap(leases, ticket) {
                each(leased);
            }
        }
    });
}

fn close_without_swap(leases: Leases<'_>, ticket: Ticket) -> Result<Leased, Refused> {
    let words = &leases.slots[..SLOT_WORDS];
    let word = words[0].load(Ordering::Acquire);
    if word >> 32 != ticket.generation() || word & OPEN == 0 {
        return Err(Refused::Stale);
    }
    let leased = Leased::of(words, word, Ordering::Relaxed);
    words[0].store(word & !OPEN, Ordering::Release);
    Ok(leased)
}

type Answer = fn(Leases<'_>, Ticket) -> Result<Option<Leased>, Refused>;

/// A first token comes while the pick is finished: the finish succeeds, and knows whether the latency is recorded.
fn finished_beside_a_first_token(answer: Answer, close: Close) {
    loom::model(move || {
        let slots = Slots::new();
        let ticket = slots.open(7);
        let answerers: Vec<_> = (0..2)
            .map(|_| {
                let slots = slots.clone();
                thread::spawn(move || answer(slots.leases(), ticket))
            })
            .collect();
        let closed = close(slots.leases(), ticket).expect("nobody else finishes it");
        let answered = answerers.into_iter().filter_map(|a| a.join().unwrap().ok().flatten()).count();
        assert_eq!(answered, usize::from(closed.answered));
        assert_eq!(slots.leases().answer(ticket, 0), Err(Refused::Stale));
    });
}

/// A slot is closed and used again by its owner, while the first ticket's first token comes late.
fn late_first_token_leaves_the_next_pick_alone(answer: Answer) {
    loom::model(move || {
        let slots = Slots::new();
        let first = slots.open(1);
        let late = {
            let slots = slots.clone();
            thread::spawn(move || answer(slots.leases(), first))
        };
        let closed = slots.leases().close(first, 0).expect("nobody else finishes it");
        let second = slots.open(2);
        let leased = slots.leases().close(second, 0).expect("nobody else has the second ticket");
        assert_eq!((leased.node, leased.answered), (2, false));
        let answered = late.join().unwrap().ok().flatten();
        assert_eq!(answered.is_some(), closed.answered);
        if let Some(leased) = answered {
            assert_eq!((leased.node, leased.node_generation, leased.started_ns), (1, 1, 1));
        }
    });
}

#[test]
fn a_first_token_does_not_disturb_a_finish() {
    finished_beside_a_first_token(|leases, ticket| leases.answer(ticket, 0), |leases, ticket| leases.close(ticket, 0));
}

#[test]
fn a_late_first_token_is_refused() {
    late_first_token_leaves_the_next_pick_alone(|leases, ticket| leases.answer(ticket, 0));
}

fn answer_without_swap(leases: Leases<'_>, ticket: Ticket) -> Result<Option<Leased>, Refused> {
    let (words, word) = leases.opened(ticket).ok_or(Refused::Stale)?;
    let leased = Leased::of(words, word, Ordering::Relaxed);
    let before = words[0].fetch_or(ANSWERED, Ordering::AcqRel);
    Ok((before & ANSWERED == 0).then_some(leased))
}

fn close_that_tries_once(leases: Leases<'_>, ticket: Ticket) -> Result<Leased, Refused> {
    let (words, word) = leases.opened(ticket).ok_or(Refused::Stale)?;
    let leased = Leased::of(words, word, Ordering::Relaxed);
    let closed = words[0].compare_exchange(word, word & !OPEN, Ordering::AcqRel, Ordering::Relaxed);
    closed.map(|_| leased).map_err(|_| Refused::Stale)
}

#[test]
#[should_panic]
fn mutant_close_that_tries_once_loses_the_finish() {
    finished_beside_a_first_token(|leases, ticket| leases.answer(ticket, 0), close_that_tries_once);
}

#[test]
#[should_panic]
fn mutant_answer_without_swap_answers_the_next_pick() {
    late_first_token_leaves_the_next_pick_alone(answer_without_swap);
}

#[test]
fn a_ticket_is_closed_once() {
    closed_once(|leases, ticket| leases.close(ticket, 0));
}

#[test]
fn a_late_close_is_refused() {
    late_close_leaves_the_next_pick_alone(|leases, ticket| leases.close(ticket, 0));
}

#[test]
#[should_panic]
fn mutant_close_without_swap_closes_twice() {
    closed_once(close_without_swap);
}

#[test]
#[should_panic]
fn mutant_close_without_swap_closes_the_next_pick() {
    late_close_leaves_the_next_pick_alone(close_without_swap);
}
