//! The processes that are attached to a segment, a row each.
//!
//! ```text
//! claim:   state free → cas(claiming, claim + 1, pid); write who it is; cas(claiming → active)
//! gone:    the state has another claim, or is not active, or its process does not live
//! reap:    reaper: cas(nobody, or somebody gone → me); active or claiming, and its process does not live →
//!          state := reaping; give back all that is counted in the row; state := free; reaper: cas(me → nobody)
//! ```
//!
//! A claim is never given twice, so whoever holds something in the name of a claim that is over is known to be gone. Of
//! all that find a process gone one reaps it; if that one is killed, the next takes over from the beginning, which does no
//! harm: what was given back is not there any more. The row is free only when all of it was given back.
//!
//! Whether a process lives is asked of the system, see [`super::liveness`], and given as an argument here.

use crate::state::layout::LINE;
use crate::state::seat::Holder;
use crate::sync::{AtomicU64, Ordering};

/// Words of a process.
pub(crate) const WORDS: usize = LINE;

const STATE: usize = 0;
const REAPER: usize = 1;
const STARTED: usize = 2;
const NAMESPACE: usize = 3;
const HEARTBEAT: usize = 4;
const SINCE: usize = 5;
const LOCKED: usize = 6;
const COMMAND: usize = 7;
const COMMAND_WORDS: usize = 2;
/// Attempts of picks that were made again because a plan changed under them.
const REPEATS: usize = 9;
/// Which pools the process has mapped, a bit each.
const MAPPED: usize = 10;
const MAPPED_WORDS: usize = 4;
const PROGRAM: usize = 14;

/// Bytes of a command's name.
pub(crate) const COMMAND_BYTES_MAX: usize = 8 * COMMAND_WORDS;

/// What is done with a row: a byte of the state word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    Claiming,
    Active,
    Reaping,
}

/// The state word of a row. From the lowest bit: phase (8 bits), process id (24), claim (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u64);

impl State {
    fn new(claim: u64, pid: u32, phase: Phase) -> Self {
        Self(claim << 32 | u64::from(pid & 0xFF_FFFF) << 8 | phase as u64)
    }

    /// What a word that was damaged says is no more than that the row cannot be used.
    pub(crate) fn phase(self) -> Phase {
        match self.0 & 0xFF {
            0 => Phase::Free,
            1 => Phase::Claiming,
            2 => Phase::Active,
            _ => Phase::Reaping,
        }
    }

    pub(crate) fn pid(self) -> u32 {
        (self.0 >> 8) as u32 & 0xFF_FFFF
    }

    pub(crate) fn claim(self) -> u64 {
        self.0 >> 32
    }

    fn in_phase(self, phase: Phase) -> Self {
        Self(self.0 & !0xFF | phase as u64)
    }
}

/// Who a process is, as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// When it was started, in ticks since the machine was; 0: unknown.
    pub(crate) started: u64,
    /// Which program it executes: where its stack begins, which is drawn anew for each; 0: unknown.
    pub(crate) program: u64,
    /// Its namespace of process ids; 0: unknown.
    pub(crate) namespace: u64,
    /// Whether it holds the lock of its row in the file.
    pub(crate) is_locked: bool,
    pub(crate) command: [u8; COMMAND_BYTES_MAX],
}

/// All rows.
#[derive(Clone, Copy)]
pub(crate) struct Processes<'a>(pub(crate) &'a [AtomicU64]);

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    words: &'a [AtomicU64],
    pub(crate) index: usize,
}

impl<'a> Processes<'a> {
    pub(crate) fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.0.chunks_exact(WORDS).enumerate().map(|(index, words)| Row { words, index })
    }

    pub(crate) fn row(self, index: usize) -> Option<Row<'a>> {
        Some(Row { words: self.0.get(index * WORDS..(index + 1) * WORDS)?, index })
    }

    /// Takes a free row for this process; `None` if there is none.
    pub(crate) fn claim(self, identity: &Identity, now_ns: u64) -> Option<Holder> {
        self.rows().find_map(|row| row.claim(identity, now_ns))
    }

    /// One past the highest row that is in use.
    pub(crate) fn needed(self) -> usize {
        self.rows().filter(|row| row.state().phase() != Phase::Free).map(|row| row.index + 1).max().unwrap_or(0)
    }

    /// Whether what was held in this name is nobody's any more; `lives` is asked of a process that seems to be there.
    pub(crate) fn is_gone(self, holder: Holder, lives: impl Fn(Row<'a>, State) -> bool) -> bool {
        let Some(row) = self.row(holder.row()) else { return true };
        let state = row.state();
        match state.phase() {
            _ if state.claim() != holder.claim() => true,
            Phase::Free | Phase::Reaping => true,
            Phase::Claiming | Phase::Active => !lives(row, state),
        }
    }
}

impl<'a> Row<'a> {
    pub(crate) fn state(self) -> State {
        State(self.words[STATE].load(Ordering::SeqCst))
    }

    fn claim(self, identity: &Identity, now_ns: u64) -> Option<Holder> {
        let seen = self.state();
        if seen.phase() != Phase::Free {
            return None;
        }
        // Not 0, which is nobody.
        let claim = ((seen.claim() + 1) & 0xFFFF_FFFF).max(1);
        let claiming = State::new(claim, identity.pid, Phase::Claiming);
        self.words[STATE].compare_exchange(seen.0, claiming.0, Ordering::SeqCst, Ordering::Relaxed).ok()?;
        self.words[HEARTBEAT].store(now_ns.max(1), Ordering::Relaxed);
        self.words[NAMESPACE].store(identity.namespace, Ordering::Relaxed);
        self.words[STARTED].store(identity.started, Ordering::Relaxed);
        self.words[PROGRAM].store(identity.program, Ordering::Relaxed);
        self.words[LOCKED].store(0, Ordering::Relaxed);
        for (word, eight) in self.words[COMMAND..COMMAND + COMMAND_WORDS].iter().zip(identity.command.chunks(8)) {
            word.store(eight.try_into().map_or(0, u64::from_le_bytes), Ordering::Relaxed);
        }
        self.words[REPEATS..MAPPED + MAPPED_WORDS].iter().for_each(|word| word.store(0, Ordering::Relaxed));
        self.words[SINCE].store(now_ns, Ordering::Relaxed);
        // Who was slow enough to be taken for dead looks for another row.
        let active = claiming.in_phase(Phase::Active);
        self.words[STATE].compare_exchange(claiming.0, active.0, Ordering::SeqCst, Ordering::Relaxed).ok()?;
        Some(Holder::new(claim, self.index))
    }

    /// The process holds the lock of its row.
    pub(crate) fn set_locked(self) {
        self.words[LOCKED].store(1, Ordering::Relaxed);
    }

    pub(crate) fn identity(self) -> Identity {
        let load = |at: usize| self.words[at].load(Ordering::Relaxed);
        let mut command = [0; COMMAND_BYTES_MAX];
        for (at, eight) in command.chunks_exact_mut(8).enumerate() {
            eight.copy_from_slice(&load(COMMAND + at).to_le_bytes());
        }
        Identity {
            pid: self.state().pid(),
            started: load(STARTED),
            program: load(PROGRAM),
            namespace: load(NAMESPACE),
            is_locked: load(LOCKED) != 0,
            command,
        }
    }

    /// When the process last maintained something.
    pub(crate) fn heartbeat_ns(self) -> u64 {
        self.words[HEARTBEAT].load(Ordering::Relaxed)
    }

    pub(crate) fn beat(self, now_ns: u64) {
        self.words[HEARTBEAT].fetch_max(now_ns, Ordering::Relaxed);
    }

    pub(crate) fn since_ns(self) -> u64 {
        self.words[SINCE].load(Ordering::Relaxed)
    }

    pub(crate) fn repeats(self) -> &'a AtomicU64 {
        &self.words[REPEATS]
    }

    /// Notes that the process maps pool `pool`, or does not any more.
    pub(crate) fn set_mapped(self, pool: usize, is_mapped: bool) {
        let (word, bit) = (&self.words[MAPPED + pool / 64 % MAPPED_WORDS], 1 << (pool % 64));
        if is_mapped {
            word.fetch_or(bit, Ordering::SeqCst);
        } else {
            word.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    pub(crate) fn maps(self, pool: usize) -> bool {
        self.words[MAPPED + pool / 64 % MAPPED_WORDS].load(Ordering::SeqCst) >> (pool % 64) & 1 != 0
    }

    /// Whether it is still the holder's.
    pub(crate) fn is_of(self, holder: Holder) -> bool {
        let state = self.state();
        state.claim() == holder.claim() && state.phase() == Phase::Active
    }

    /// Gives back a row by the process that has it, after it has given back what it counted there.
    pub(crate) fn leave(self, holder: Holder) {
        let state = self.state();
        if state.claim() == holder.claim() && state.phase() == Phase::Active {
            self.change(state, Phase::Free);
        }
    }

    /// Whether it was in `state` until now, and is in this phase from now on.
    fn change(self, state: State, phase: Phase) -> bool {
        let next = state.in_phase(phase).0;
        self.words[STATE].compare_exchange(state.0, next, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Begins to reap a row whose process `is_dead`, or to go on where another reaper was killed; whether the caller, who
    /// is `me`, is the one to do it. Then it ends with [`end_reaping`](Self::end_reaping).
    pub(crate) fn begin_reaping(
        self,
        me: Holder,
        is_gone: impl Fn(Holder) -> bool,
        is_dead: impl Fn(State) -> bool,
    ) -> bool {
        let needs_it = |state: State| match state.phase() {
            Phase::Free => false,
            Phase::Reaping => true,
            Phase::Claiming | Phase::Active => is_dead(state),
        };
        let reaper = self.words[REAPER].load(Ordering::SeqCst);
        let seen = self.state();
        if !needs_it(seen) || reaper_of(reaper, seen).is_some_and(|other| !is_gone(other)) {
            return false;
        }
        let mine = reaper_word(me, seen);
        if self.words[REAPER].compare_exchange(reaper, mine, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return false;
        }
        // Somebody may have reaped it, and another process may have the row, since it was looked at.
        let state = self.state();
        let is_mine = state.claim() == seen.claim() && needs_it(state) && self.change(state, Phase::Reaping);
        if !is_mine {
            self.leave_reaping(me, seen.claim());
        }
        is_mine
    }

    /// Frees a row of which all was given back.
    pub(crate) fn end_reaping(self, me: Holder) {
        let state = self.state();
        if state.phase() == Phase::Reaping {
            self.change(state, Phase::Free);
        }
        self.leave_reaping(me, state.claim());
    }

    /// Leaves the row `claim` to other reapers, as what it counts could not be given back.
    pub(crate) fn leave_reaping(self, me: Holder, claim: u64) {
        let mine = reaper_word(me, State::new(claim, 0, Phase::Free));
        let _ = self.words[REAPER].compare_exchange(mine, 0, Ordering::SeqCst, Ordering::Relaxed);
    }
}

/// A holder has 40 bits: a claim of 32, and a row.
const HOLDER_BITS: u32 = 40;

/// Who reaps, and, in 24 bits, which claim: a reaper that is stopped after its work does not hinder the next one.
fn reaper_word(me: Holder, state: State) -> u64 {
    me.word() & ((1 << HOLDER_BITS) - 1) | state.claim() << HOLDER_BITS
}

/// Who reaps a row in this state, or did when it was killed.
fn reaper_of(word: u64, state: State) -> Option<Holder> {
    let is_of_it = word >> HOLDER_BITS == state.claim() & 0xFF_FFFF;
    Holder::from_word(word & ((1 << HOLDER_BITS) - 1)).filter(|_| is_of_it)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn words(rows: usize) -> Vec<AtomicU64> {
        (0..rows * WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    fn called(command: &str, pid: u32) -> Identity {
        let mut bytes = [0; COMMAND_BYTES_MAX];
        bytes[..command.len()].copy_from_slice(command.as_bytes());
        Identity { pid, started: 7, program: 9, namespace: 8, is_locked: false, command: bytes }
    }

    #[test]
    fn rows_are_taken_from_the_first_on_and_claims_are_never_given_twice() {
        let words = words(2);
        let processes = Processes(&words);
        let claim = |pid| processes.claim(&called("x", pid), 1);
        let (first, second) = (claim(10).unwrap(), claim(11).unwrap());
        assert_eq!((first.row(), second.row(), processes.needed()), (0, 1, 2));
        assert_eq!(claim(12), None);
        processes.row(0).unwrap().leave(first);
        assert!(processes.is_gone(first, |_, _| true) && !processes.is_gone(second, |_, _| true));
        let third = claim(12).unwrap();
        assert_eq!(third.row(), 0);
        assert_ne!(third, first);
        assert!(processes.is_gone(first, |_, _| true));
    }

    #[test]
    fn a_reaper_that_is_stopped_after_its_work_does_not_hinder_the_next_one() {
        let words = words(3);
        let processes = Processes(&words);
        let [stopped, other] = [1, 2].map(|pid| processes.claim(&called("x", pid), 1).unwrap());
        let row = processes.row(2).unwrap();
        let nobody_is_gone = |_: Holder| false;
        processes.claim(&called("dead", 3), 1).unwrap();
        assert!(row.begin_reaping(stopped, nobody_is_gone, |_| true));
        assert!(!row.begin_reaping(other, nobody_is_gone, |_| true), "it is at it");
        // It frees the row, and is stopped before it says that it has ended.
        assert!(row.change(row.state(), Phase::Free));
        processes.claim(&called("next", 4), 1).unwrap();
        assert!(row.begin_reaping(other, nobody_is_gone, |_| true), "that was another claim");
        row.end_reaping(other);
        assert_eq!(row.state().phase(), Phase::Free);
    }

    #[test]
    fn who_leaves_frees_no_row_that_is_another_ones_by_then() {
        let words = words(1);
        let row = Processes(&words).row(0).unwrap();
        let late = Processes(&words).claim(&called("late", 1), 1).unwrap();
        let reaper = Holder::new(9, 7);
        assert!(row.begin_reaping(reaper, |_| true, |_| true));
        row.leave(late);
        assert_eq!(row.state().phase(), Phase::Reaping, "it is the reaper's to free");
        row.end_reaping(reaper);
        let next = Processes(&words).claim(&called("next", 2), 1).unwrap();
        row.leave(late);
        row.end_reaping(reaper);
        assert!(row.is_of(next));
    }

    #[test]
    fn a_row_tells_whose_it_is() {
        let words = words(3);
        let processes = Processes(&words);
        let holder = processes.claim(&called("nginx", 4_000_000), 5).unwrap();
        let row = processes.row(holder.row()).unwrap();
        assert_eq!(row.identity(), called("nginx", 4_000_000));
        assert_eq!((row.since_ns(), row.heartbeat_ns(), row.state().phase()), (5, 5, Phase::Active));
        row.set_mapped(200, true);
        assert!(row.maps(200) && !row.maps(201) && !row.maps(8));
        row.set_mapped(200, false);
        assert!(!row.maps(200));
    }

    #[test]
    fn a_reaper_that_was_killed_is_followed_by_another() {
        let words = words(3);
        let processes = Processes(&words);
        let [dead, first, second] = [1, 2, 3].map(|pid| processes.claim(&called("x", pid), 1).unwrap());
        let row = processes.row(dead.row()).unwrap();
        let lives = |pids: &'static [u32]| {
            move |holder: Holder| processes.is_gone(holder, |_, state| pids.contains(&state.pid()))
        };
        assert!(!row.begin_reaping(first, lives(&[1, 2, 3]), |_| false), "it lives");
        assert!(row.begin_reaping(first, lives(&[2, 3]), |_| true));
        assert!(!row.begin_reaping(second, lives(&[2, 3]), |_| true), "somebody is at it");
        assert!(row.begin_reaping(second, lives(&[3]), |_| true), "who was at it is gone");
        row.end_reaping(second);
        assert_eq!(row.state().phase(), Phase::Free);
        assert!(!row.begin_reaping(second, lives(&[3]), |_| true));
    }

    #[test]
    fn whatever_the_words_say_nobody_is_harmed() {
        let words = words(4);
        for seed in 0..2000u64 {
            for (at, word) in words.iter().enumerate() {
                word.store(crate::vocabulary::rng::mix(seed << 8 | at as u64) >> (seed % 60), Ordering::Relaxed);
            }
            let processes = Processes(&words);
            let me = Holder::new(1, 3);
            assert!(processes.needed() <= 4);
            let _ = processes.claim(&called("x", 1), 1);
            for row in processes.rows() {
                if row.begin_reaping(me, |_| seed % 2 == 0, |_| true) {
                    row.end_reaping(me);
                }
                let _ = row.identity();
            }
        }
    }
}

/// Run with `make loom`.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    struct Shared {
        rows: Vec<AtomicU64>,
        /// What the process in row 0 has in flight.
        in_flight: AtomicU64,
    }

    const DEAD: u32 = 9;

    fn identity(pid: u32) -> Identity {
        Identity { pid, ..Identity::default() }
    }

    /// Row 0 is that of a process that was killed with something in flight; rows 1 and 2 are of two that live.
    fn with_a_dead_one(rows: usize) -> (Arc<Shared>, Vec<Holder>) {
        let words = (0..rows * WORDS).map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared { rows: words, in_flight: AtomicU64::new(3) });
        let holders = (0..rows).map(|i| if i == 0 { DEAD } else { i as u32 });
        let claimed = holders.map(|pid| Processes(&shared.rows).claim(&identity(pid), 1).unwrap()).collect();
        (shared, claimed)
    }

    type Reap = fn(&Shared, Holder);

    fn reap(shared: &Shared, me: Holder) {
        let processes = Processes(&shared.rows);
        let row = processes.row(0).unwrap();
        let lives = |_: Row<'_>, state: State| state.pid() != DEAD;
        if row.begin_reaping(me, |other| processes.is_gone(other, lives), |state| state.pid() == DEAD) {
            shared.in_flight.store(0, Ordering::SeqCst);
            row.end_reaping(me);
        }
    }

    /// Two reap the same row, and whoever comes next takes it and counts: what it counted stays.
    fn who_comes_next_is_not_reaped(reap: Reap) {
        loom::model(move || {
            let (shared, holders) = with_a_dead_one(3);
            let other = {
                let (shared, me) = (shared.clone(), holders[2]);
                thread::spawn(move || reap(&shared, me))
            };
            reap(&shared, holders[1]);
            let sat_down = Processes(&shared.rows).row(0).unwrap().claim(&identity(7), 1);
            if sat_down.is_some() {
                shared.in_flight.fetch_add(1, Ordering::SeqCst);
            }
            other.join().unwrap();
            let in_flight = shared.in_flight.load(Ordering::SeqCst);
            let state = Processes(&shared.rows).row(0).unwrap().state();
            match sat_down {
                Some(_) => assert_eq!((in_flight, state.pid(), state.phase()), (1, 7, Phase::Active)),
                None => assert_eq!((in_flight, state.phase()), (0, Phase::Free)),
            }
        });
    }

    /// Two processes want the one free row.
    fn one_sits_in_a_row(claim: fn(Row<'_>, u32) -> Option<Holder>) {
        loom::model(move || {
            let words: Arc<Vec<AtomicU64>> = Arc::new((0..WORDS).map(|_| AtomicU64::new(0)).collect());
            let other = {
                let words = words.clone();
                thread::spawn(move || claim(Processes(&words).row(0).unwrap(), 1).is_some())
            };
            let mine = claim(Processes(&words).row(0).unwrap(), 2).is_some();
            assert!(mine ^ other.join().unwrap());
        });
    }

    #[test]
    fn a_row_is_reaped_by_one_and_then_given_on() {
        who_comes_next_is_not_reaped(reap);
    }

    #[test]
    fn a_row_is_claimed_by_one() {
        one_sits_in_a_row(|row, pid| row.claim(&identity(pid), 1));
    }

    #[test]
    #[should_panic]
    fn mutant_that_reaps_without_being_the_reaper_takes_what_others_counted() {
        who_comes_next_is_not_reaped(|shared, _| {
            let row = Processes(&shared.rows).row(0).unwrap();
            if row.state().pid() == DEAD && row.state().phase() != Phase::Free {
                shared.in_flight.store(0, Ordering::SeqCst);
                row.words[STATE].store(row.state().in_phase(Phase::Free).0, Ordering::SeqCst);
            }
        });
    }

    #[test]
    #[should_panic]
    fn mutant_that_frees_before_it_gives_back_takes_what_others_counted() {
        who_comes_next_is_not_reaped(|shared, me| {
            let processes = Processes(&shared.rows);
            let row = processes.row(0).unwrap();
            let lives = |_: Row<'_>, state: State| state.pid() != DEAD;
            if row.begin_reaping(me, |other| processes.is_gone(other, lives), |state| state.pid() == DEAD) {
                row.end_reaping(me);
                shared.in_flight.store(0, Ordering::SeqCst);
            }
        });
    }

    #[test]
    #[should_panic]
    fn mutant_that_claims_without_a_swap_seats_two() {
        one_sits_in_a_row(|row, pid| {
            if row.state().phase() != Phase::Free {
                return None;
            }
            let state = State::new(1, pid, Phase::Active);
            row.words[STATE].store(state.0, Ordering::SeqCst);
            Some(Holder::new(1, 0))
        });
    }
}
