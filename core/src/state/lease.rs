//! Leases: a pick is a slot that is open until it is finished, once, by whoever finishes it first.
//!
//! Slots come in runs of 64. A run belongs to one thread, which alone opens its slots, so opening is a plain store;
//! closing is one compare-and-swap from any thread. A thread goes round its slots in order, so a slot rests as long as
//! possible before its next use, and 32 bits of generation tell a late finish from the slot's present holder.
//!
//! ```text
//! open:   word = slot[i]; if open(word) → next i
//!         detail[i] := …; slot[i] := (generation(word) + 1, node, row, OPEN)      release
//! close:  word = slot[i]; generation differs or not open → stale                  acquire
//!         cas(slot[i], word → word without OPEN); failed, but for ANSWERED → stale
//! answer: word = slot[i]; generation differs or not open → stale                  acquire
//!         cas(slot[i], word → word with ANSWERED); failed, but for ANSWERED → stale
//! ```
//!
//! While a slot is open, nothing changes in it but that bit, once.

#[cfg(all(test, loom))]
mod models;

use super::node::State;
use super::thread::Owner;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::error::TicketError;

/// Slots of a run.
pub(crate) const RUN_SLOTS: usize = 64;
/// Words of a run: its owner (see [`super::thread::Owner`]), the next run of the same owner plus one.
pub(crate) const RUN_WORDS: usize = 2;
/// Words of a slot: state, node generation with epoch and opener, time of the pick, probe deadline.
pub(crate) const SLOT_WORDS: usize = 4;

const OPEN: u64 = 1;
/// Its latency is recorded: its first token came.
const ANSWERED: u64 = 8;
/// Slots that a thread looks at before it claims another run.
const BUSY_MAX: usize = RUN_SLOTS;

/// A number that fits a double: slot (21 bits), generation (32 bits). Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The number, for hosts that keep tickets as numbers. Below 2⁵³.
    #[inline(always)]
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// A ticket from its number; any number may be given, a wrong one is refused when it is used.
    #[inline(always)]
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    #[inline(always)]
    fn new(slot: usize, generation: u32) -> Self {
        Self(u64::from(generation) << 21 | slot as u64)
    }

    #[inline(always)]
    pub(crate) fn slot(self) -> usize {
        (self.0 & ((1 << 21) - 1)) as usize
    }

    #[inline(always)]
    fn generation(self) -> u64 {
        self.0 >> 21
    }
}

/// What an open slot says of its pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) node: u32,
    pub(crate) row: u32,
    pub(crate) node_generation: u32,
    /// The node's health epoch at the pick.
    pub(crate) epoch: u8,
    /// The number, in its process, of the pool that it was opened through.
    pub(crate) opener: u16,
    /// When it was picked, 0 if nobody needed the time.
    pub(crate) started_ns: u64,
    /// Whether the pick was added to the pool's total in flight.
    pub(crate) in_total: bool,
    /// Whether its end has to be looked at, whatever it is: it holds a reservation, or somebody watches.
    pub(crate) noted: bool,
    /// Whether its first token came, and its latency is recorded by that.
    pub(crate) answered: bool,
    /// The deadline of the node's probe lease that the pick holds, 0 if it is no probe.
    pub(crate) probe_ns: u64,
}

impl Leased {
    #[inline(always)]
    pub(crate) fn new(node: usize, row: usize, opener: usize, state: State, started_ns: u64, in_total: bool) -> Self {
        let (node_generation, epoch) = (state.generation(), state.epoch());
        let (node, row, opener) = (node as u32, row as u32, opener as u16);
        let (noted, answered, probe_ns) = (false, false, 0);
        Self { node, row, node_generation, epoch, opener, started_ns, in_total, noted, answered, probe_ns }
    }

    #[inline(always)]
    fn word(self, generation: u64) -> u64 {
        generation << 32
            | u64::from(self.node & 0xFFFF) << 16
            | u64::from(self.row & 0xFF) << 8
            | u64::from(self.noted) << 2
            | u64::from(self.in_total) << 1
            | OPEN
    }

    /// Generation and epoch, in their places of the node's state word, and the opener.
    #[inline(always)]
    fn detail(self) -> u64 {
        u64::from(self.node_generation) << 32 | u64::from(self.epoch) << 24 | u64::from(self.opener)
    }

    /// What the slot `words` held when its state was `word`.
    #[inline(always)]
    fn of(words: &[AtomicU64], word: u64, order: Ordering) -> Self {
        Closed::of(words, word, order).leased()
    }
}

/// The words of a slot, for ends that look at few of their bits: most do. Taken apart they would be stores between two
/// locked operations, which wait for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    word: u64,
    detail: u64,
    started_ns: u64,
    probe_ns: u64,
}

impl Closed {
    #[inline(always)]
    fn of(words: &[AtomicU64], word: u64, order: Ordering) -> Self {
        let (detail, started_ns, probe_ns) = (words[1].load(order), words[2].load(order), words[3].load(order));
        Self { word, detail, started_ns, probe_ns }
    }

    #[inline(always)]
    pub(crate) fn node(self) -> usize {
        (self.word >> 16) as usize & 0xFFFF
    }

    #[inline(always)]
    fn row(self) -> usize {
        (self.word >> 8) as usize & 0xFF
    }

    #[inline(always)]
    pub(crate) fn in_total(self) -> bool {
        self.word & 2 != 0
    }

    #[inline(always)]
    pub(crate) fn is_noted(self) -> bool {
        self.word & 4 != 0
    }

    /// Whether it has a time, and its latency is not recorded yet.
    #[inline(always)]
    pub(crate) fn may_have_latency(self) -> bool {
        self.started_ns != 0 && self.word & ANSWERED == 0
    }

    /// To be handed on in registers.
    #[inline(always)]
    pub(crate) fn words(self) -> (u64, u64, u64, u64) {
        (self.word, self.detail, self.started_ns, self.probe_ns)
    }

    #[inline(always)]
    pub(crate) fn from_words((word, detail, started_ns, probe_ns): (u64, u64, u64, u64)) -> Self {
        Self { word, detail, started_ns, probe_ns }
    }

    #[inline(always)]
    pub(crate) fn leased(self) -> Leased {
        Leased {
            node: self.node() as u32,
            row: self.row() as u32,
            node_generation: (self.detail >> 32) as u32,
            epoch: (self.detail >> 24) as u8,
            opener: self.detail as u16,
            started_ns: self.started_ns,
            in_total: self.in_total(),
            noted: self.is_noted(),
            answered: self.word & ANSWERED != 0,
            // Only a pick whose end is looked at may be a probe; the word is older otherwise.
            probe_ns: if self.is_noted() { self.probe_ns } else { 0 },
        }
    }
}

/// The slot that a thread opened last, while it has opened none.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// Where a thread goes on in its runs.
#[derive(Debug, Clone, Copy)]
struct Position {
    /// The run plus one.
    run: u32,
    slot: u32,
}

/// All leases of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Leases<'a> {
    pub(crate) runs: &'a [AtomicU64],
    pub(crate) slots: &'a [AtomicU64],
    /// One past the highest run ever claimed, for those who look at all of them.
    pub(crate) runs_used: &'a AtomicU64,
}

/// What claiming a run depends on.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'a> {
    /// Whether a run's owner still lives.
    pub(crate) lives: &'a dyn Fn(u64) -> bool,
    /// Whether a run can be written to.
    pub(crate) ready: &'a dyn Fn(usize) -> bool,
}

/// Why a ticket cannot be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Stale,
    Invalid,
}

impl From<Refused> for TicketError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Stale => Self::Stale,
            Refused::Invalid => Self::Invalid,
        }
    }
}

impl<'a> Leases<'a> {
    /// Opens the slot after `last`, the usual case; `None` if it is not free, or begins another run.
    #[inline(always)]
    pub(crate) fn open_next(self, last: u32, lease: Leased) -> Option<Ticket> {
        let slot = last.wrapping_add(1) as usize;
        if slot % RUN_SLOTS == 0 { None } else { self.try_open(slot, lease) }
    }

    /// Opens a slot for the thread `owner`, which opened `last` before. `None`: all slots are taken.
    pub(crate) fn open(self, last: &mut u32, owner: u64, claims: Claims<'_>, lease: Leased) -> Option<Ticket> {
        let runs = RUN_SLOTS as u32;
        let mut at = match *last {
            NO_SLOT => Position { run: self.find_or_claim_run(owner, claims)?, slot: 0 },
            last => Position { run: last / runs + 1, slot: last % runs + 1 },
        };
        let ticket = self.open_from(&mut at, owner, claims, lease);
        *last = (at.run - 1) * runs + at.slot.max(1) - 1;
        ticket
    }

    /// Whether the thread `owner` would find a slot.
    pub(crate) fn has_free(self, owner: u64, claims: Claims<'_>) -> bool {
        let is_free = |slot: usize| {
            self.slots.get(slot * SLOT_WORDS).is_some_and(|word| word.load(Ordering::Acquire) & OPEN == 0)
        };
        self.runs.chunks_exact(RUN_WORDS).enumerate().any(|(run, words)| match words[0].load(Ordering::Relaxed) {
            other if other == owner => (run * RUN_SLOTS..(run + 1) * RUN_SLOTS).any(is_free),
            0 => true,
            other => !(claims.lives)(other),
        })
    }

    /// Walks on over the thread's runs; claims another when 64 slots in a row are busy.
    fn open_from(self, at: &mut Position, token: u64, claims: Claims<'_>, lease: Leased) -> Option<Ticket> {
        let mut busy = 0;
        loop {
            if at.slot as usize >= RUN_SLOTS {
                *at = Position { run: self.next_run(at.run, token), slot: 0 };
            }
            let slot = (at.run as usize - 1) * RUN_SLOTS + at.slot as usize;
            at.slot += 1;
            if let Some(ticket) = self.try_open(slot, lease) {
                return Some(ticket);
            }
            busy += 1;
            if busy >= BUSY_MAX {
                match self.claim_run(token, claims) {
                    Some(run) => {
                        self.link_run(at.run, run);
                        *at = Position { run, slot: 0 };
                    }
                    // No run is left: look at every slot of the own ones once more.
                    None => return self.open_any(at, token, lease),
                }
                busy = 0;
            }
        }
    }

    #[inline(always)]
    fn try_open(self, slot: usize, lease: Leased) -> Option<Ticket> {
        let words = self.slots.get(slot * SLOT_WORDS..slot * SLOT_WORDS + SLOT_WORDS)?;
        // Acquire pairs with the close that freed the slot.
        let word = words[0].load(Ordering::Acquire);
        if word & OPEN != 0 {
            return None;
        }
        let generation = ((word >> 32) as u32).wrapping_add(1).max(1);
        words[1].store(lease.detail(), Ordering::Relaxed);
        words[2].store(lease.started_ns, Ordering::Relaxed);
        if lease.noted {
            words[3].store(lease.probe_ns, Ordering::Relaxed);
        }
        // Release pairs with the acquire of a close: it finds the details of this generation.
        words[0].store(lease.word(u64::from(generation)), Ordering::Release);
        Some(Ticket::new(slot, generation))
    }

    #[cold]
    fn open_any(self, at: &mut Position, token: u64, lease: Leased) -> Option<Ticket> {
        let first = at.run;
        // A ring has each run once, unless its links are damaged.
        for _ in 0..self.run_count() {
            let base = (at.run as usize - 1) * RUN_SLOTS;
            for i in 0..RUN_SLOTS {
                if let Some(ticket) = self.try_open(base + i, lease) {
                    at.slot = i as u32 + 1;
                    return Some(ticket);
                }
            }
            at.run = self.next_run(at.run, token);
            if at.run == first {
                return None;
            }
        }
        None
    }

    /// Closes a ticket of the process in `row`; tells what it held.
    pub(crate) fn close(self, ticket: Ticket, row: usize) -> Result<Leased, Refused> {
        self.end(ticket, row).map(Closed::leased)
    }

    /// [`close`](Self::close), with what it held as it was.
    #[inline(always)]
    pub(crate) fn end(self, ticket: Ticket, row: usize) -> Result<Closed, Refused> {
        let Some((words, word)) = self.opened(ticket) else { return Err(self.refused(ticket)) };
        let closed = Closed::of(words, word, Ordering::Relaxed);
        // What another process has in flight is in its row, which is its own.
        if closed.row() != row {
            return Err(Refused::Stale);
        }
        // Only one close of this generation succeeds; release pairs with the acquire of the next open.
        match words[0].compare_exchange(word, word & !OPEN, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(closed),
            Err(now) => Self::end_answered(words, closed, now),
        }
    }

    /// The end of a close that found the slot changed to `now`: by its first token, which leaves it open, or by another
    /// close.
    #[cold]
    fn end_answered(words: &[AtomicU64], closed: Closed, now: u64) -> Result<Closed, Refused> {
        if now != closed.word | ANSWERED {
            return Err(Refused::Stale);
        }
        match words[0].compare_exchange(now, now & !OPEN, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(Closed { word: now, ..closed }),
            Err(_) => Err(Refused::Stale),
        }
    }

    /// Notes that the first token of a ticket of the process in `row` came, and tells what it holds; `None` if that was
    /// noted before.
    pub(crate) fn answer(self, ticket: Ticket, row: usize) -> Result<Option<Leased>, Refused> {
        let Some((words, word)) = self.opened(ticket) else { return Err(self.refused(ticket)) };
        let leased = Leased::of(words, word, Ordering::Relaxed);
        if leased.row as usize != row {
            return Err(Refused::Stale);
        }
        if leased.answered {
            return Ok(None);
        }
        // Release pairs with the acquire of a close: what was read here is not yet of the slot's next life.
        match words[0].compare_exchange(word, word | ANSWERED, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(Some(leased)),
            Err(now) if now == word | ANSWERED => Ok(None),
            Err(_) => Err(Refused::Stale),
        }
    }

    /// What an open ticket of the process in `row` holds.
    pub(crate) fn look(self, ticket: Ticket, row: usize) -> Result<Leased, Refused> {
        let Some((words, word)) = self.opened(ticket) else { return Err(self.refused(ticket)) };
        // Acquire, so that the state is read again after the details.
        let leased = Leased::of(words, word, Ordering::Acquire);
        let is_still = (words[0].load(Ordering::Relaxed) ^ word) & !ANSWERED == 0;
        if is_still && leased.row as usize == row { Ok(leased) } else { Err(Refused::Stale) }
    }

    /// The words of a ticket's slot and its state, if it is open. No open slot has generation 0.
    #[inline(always)]
    fn opened(self, ticket: Ticket) -> Option<(&'a [AtomicU64], u64)> {
        let slot = ticket.slot();
        let words = self.slots.get(slot * SLOT_WORDS..slot * SLOT_WORDS + SLOT_WORDS)?;
        let word = words[0].load(Ordering::Acquire);
        (word >> 32 == ticket.generation() && word & OPEN != 0).then_some((words, word))
    }

    /// Why a ticket does not open its slot: stale if it could have been given out.
    #[cold]
    fn refused(self, ticket: Ticket) -> Refused {
        let slots = self.slots.len() / SLOT_WORDS;
        let possible = ticket.slot() < slots && ticket.generation() != 0 && ticket.0 >> 53 == 0;
        if possible { Refused::Stale } else { Refused::Invalid }
    }

    /// Every open ticket, with what it holds.
    pub(crate) fn open_tickets(self) -> impl Iterator<Item = (Ticket, Leased)> + 'a {
        let used = self.runs_used.load(Ordering::Acquire) as usize;
        self.slots.chunks_exact(SLOT_WORDS).take(used.saturating_mul(RUN_SLOTS)).enumerate().filter_map(
            |(slot, words)| {
                let word = words[0].load(Ordering::Acquire);
                let leased = Leased::of(words, word, Ordering::Acquire);
                (word & OPEN != 0).then(|| (Ticket::new(slot, (word >> 32) as u32), leased))
            },
        )
    }

    /// Closes every ticket of the process in `row`, and calls `each` with what it held; so often as this is the one to
    /// close it.
    pub(crate) fn close_all_of(self, row: usize, each: impl FnMut(Leased)) {
        self.close_those(row, |_| true, each);
    }

    /// The same of those of its tickets that were opened through pool `opener`.
    pub(crate) fn close_all_through(self, opener: usize, row: usize, each: impl FnMut(Leased)) {
        self.close_those(row, |leased| leased.opener as usize == opener, each);
    }

    fn close_those(self, row: usize, is_meant: impl Fn(&Leased) -> bool, mut each: impl FnMut(Leased)) {
        for (ticket, _) in self.open_tickets().filter(|(_, leased)| leased.row as usize == row && is_meant(leased)) {
            if let Ok(leased) = self.close(ticket, row) {
                each(leased);
            }
        }
    }

    /// Forgets the owners that are threads of the process in `row`: it is gone, or was forked.
    pub(crate) fn disown(self, row: usize) {
        let used = (self.runs_used.load(Ordering::Acquire) as usize).min(self.run_count());
        for run in self.runs.chunks_exact(RUN_WORDS).take(used) {
            let owner = run[0].load(Ordering::Relaxed);
            if owner != 0 && Owner::row_of(owner) == row {
                run[1].store(0, Ordering::Relaxed);
                run[0].store(0, Ordering::Release);
            }
        }
    }

    fn run_count(self) -> usize {
        self.runs.len() / RUN_WORDS
    }

    /// The run after `run` in its owner's chain, the first of the chain after the last.
    fn next_run(self, run: u32, token: u64) -> u32 {
        let Some(words) = self.runs.get((run as usize - 1) * RUN_WORDS..) else { return run };
        let next = words[1].load(Ordering::Relaxed) as u32;
        let owner = self.runs.get((next as usize).wrapping_sub(1).saturating_mul(RUN_WORDS));
        // The chain is a ring of the same owner's runs; a link that is not is as good as none.
        match owner {
            Some(owner) if next != 0 && owner.load(Ordering::Relaxed) == token => next,
            _ => run,
        }
    }

    /// Puts `new` behind `run` into the ring.
    fn link_run(self, run: u32, new: u32) {
        let after = self.runs[(run as usize - 1) * RUN_WORDS + 1].load(Ordering::Relaxed);
        let after = if after == 0 { u64::from(run) } else { after };
        self.runs[(new as usize - 1) * RUN_WORDS + 1].store(after, Ordering::Relaxed);
        self.runs[(run as usize - 1) * RUN_WORDS + 1].store(u64::from(new), Ordering::Relaxed);
    }

    /// A run that this thread owns already (it had to forget its position), or a new one.
    fn find_or_claim_run(self, token: u64, claims: Claims<'_>) -> Option<u32> {
        let used = (self.runs_used.load(Ordering::Acquire) as usize).min(self.run_count());
        (0..used)
            .find(|&run| self.runs[run * RUN_WORDS].load(Ordering::Relaxed) == token)
            .map(|run| run as u32 + 1)
            .or_else(|| self.claim_run(token, claims))
    }

    fn claim_run(self, token: u64, claims: Claims<'_>) -> Option<u32> {
        (0..self.run_count()).find_map(|run| {
            let owner = self.runs[run * RUN_WORDS].load(Ordering::Relaxed);
            if owner != 0 && (owner == token || (claims.lives)(owner)) || !(claims.ready)(run) {
                return None;
            }
            // First: whoever is killed after the next line is found among those in use.
            self.runs_used.fetch_max(run as u64 + 1, Ordering::AcqRel);
            // Acquire pairs with the death of the previous owner, whose slots stay open until they are closed.
            self.runs[run * RUN_WORDS].compare_exchange(owner, token, Ordering::AcqRel, Ordering::Relaxed).ok()?;
            self.runs[run * RUN_WORDS + 1].store(0, Ordering::Relaxed);
            Some(run as u32 + 1)
        })
    }
}
