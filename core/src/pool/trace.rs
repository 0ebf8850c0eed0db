//! What a decision does, written down for those who ask for its reasons.
//!
//! A decision with a trace is the same decision: the same functions over the same candidates, which here listen to what
//! the rule tells (see [`Told`]). One that is not to be made is dry: it goes by a copy of what the thread remembers, and
//! counters that all share are counted on here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::Pool;
use super::decision::{Condition, Decision};
use super::explanation::Number;
use super::filter::Filter;
use super::guarded::Guarding;
use super::health::FROM_NOW_ON;
use super::tiers::Situation;
use crate::state::local::Turns;
use crate::state::node::State;
use crate::strategy::told::{Score, Told};
use crate::sync::{AtomicU64, Ordering};

/// One decision's.
#[derive(Default)]
pub(crate) struct Trace {
    /// Whether nothing is to change.
    pub(crate) dry: bool,
    /// Draws of a seeded pool, and turns of each group's cursor, that were not really taken.
    draws: Cell<u64>,
    turns: RefCell<BTreeMap<usize, u64>>,
    /// Ejected nodes whose time is over, and what follows from their being available; not really taken back.
    taken_back: RefCell<Vec<usize>>,
    /// The node whose probe was taken and ended, because it had no room.
    probe_ended: Cell<Option<usize>>,
    situation: Cell<Option<Situation>>,
    pub(crate) story: RefCell<Story>,
}

/// What was told of the last rule that was asked.
#[derive(Default, Clone)]
pub(crate) struct Story {
    /// Group and step of the chain.
    pub(crate) begun: Option<(usize, usize)>,
    pub(crate) number: Option<Number>,
    /// In the order in which they were first drawn.
    pub(crate) drawn: Vec<usize>,
    pub(crate) is_scanned: bool,
    pub(crate) scores: BTreeMap<usize, Score>,
    /// Who was looked at, and whether it was fit.
    pub(crate) looked_at: BTreeMap<usize, bool>,
    /// The last two that were compared, and whether the first is better.
    pub(crate) compared: Option<(usize, usize, bool)>,
    /// Those that were alike the best.
    pub(crate) best: Vec<usize>,
    /// Owners of the key and its rehashes.
    pub(crate) owners: Vec<usize>,
}

impl Trace {
    pub(crate) fn new(dry: bool) -> Self {
        Self { dry, ..Self::default() }
    }

    /// The next draw of a seeded pool.
    pub(crate) fn draw(&self, draws: &AtomicU64) -> u64 {
        let count = match self.dry {
            true => draws.load(Ordering::Relaxed).wrapping_add(self.draws.replace(self.draws.get() + 1)),
            false => draws.fetch_add(1, Ordering::Relaxed),
        };
        self.story.borrow_mut().number = Some(Number::Draw(count));
        count
    }

    /// The draws of this decision begin at this state of the thread's stream.
    pub(crate) fn drew_from(&self, state: u64) {
        self.story.borrow_mut().number = Some(Number::Stream(state));
    }

    /// The next turn of a group's cursor; `block`: the thread's turns, where it takes them in blocks.
    pub(crate) fn turn(&self, cursor: &AtomicU64, group: usize, block: Option<&Turns>) -> u64 {
        let advance = |turns: u64| match self.dry {
            true => {
                let mut taken = self.turns.borrow_mut();
                let ahead = taken.entry(group).or_insert(0);
                let turn = cursor.load(Ordering::Relaxed).wrapping_add(*ahead);
                *ahead += turns;
                turn
            }
            false => cursor.fetch_add(turns, Ordering::Relaxed),
        };
        let turn = match block {
            Some(block) => block.take(advance),
            None => advance(1),
        };
        self.story.borrow_mut().number = Some(Number::Turn(turn));
        turn
    }

    /// A node is taken back, with what follows from it.
    pub(crate) fn take_back(&self, index: usize) {
        self.taken_back.borrow_mut().push(index);
    }

    /// A node's probe was taken for nothing.
    pub(crate) fn end_probe(&self, index: usize) {
        self.probe_ended.set(Some(index));
    }

    pub(crate) fn settle(&self, situation: Option<Situation>) {
        self.situation.set(situation);
    }

    pub(crate) fn situation(&self) -> Option<Situation> {
        self.situation.get()
    }

    fn has_taken_back(&self, index: usize) -> bool {
        self.taken_back.borrow().contains(&index)
    }

    fn look(&self, c: usize, fits: bool) {
        self.story.borrow_mut().looked_at.insert(c, fits);
    }

    fn hear(&self, told: Told) {
        let story = &mut *self.story.borrow_mut();
        match told {
            Told::Begun { group, step } => *story = Story { begun: Some((group, step)), ..Story::default() },
            Told::Drawn(c) if !story.drawn.contains(&c) => story.drawn.push(c),
            Told::Drawn(_) => {}
            Told::Scanned => story.is_scanned = true,
            Told::Scored(c, score) => _ = story.scores.insert(c, score),
            Told::Compared { a, b, first_is_better } => story.compared = Some((a, b, first_is_better)),
            Told::Best(c) => story.best = vec![c],
            Told::Equal(c) => story.best.push(c),
            Told::Owner { i, c } => {
                story.owners.truncate(i as usize);
                story.owners.push(c);
            }
        }
    }
}

/// A request's conditions, by the way that it goes.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    Any,
    Filter(&'a Filter<'a>),
    Guarding(&'a Guarding<'a>),
}

/// The same conditions, with a trace of what they were asked.
#[derive(Clone, Copy)]
pub(crate) struct Traced<'a> {
    pub(crate) asked: Asked<'a>,
    pub(crate) trace: &'a Trace,
}

impl Condition for Traced<'_> {
    fn is_whole(&self) -> bool {
        match self.asked {
            Asked::Any => true,
            Asked::Filter(filter) => filter.is_whole(),
            Asked::Guarding(guard) => guard.is_whole(),
        }
    }

    fn accepts(&self, pool: &Pool, c: usize) -> bool {
        match self.asked {
            Asked::Any => true,
            Asked::Filter(filter) => filter.accepts(pool, c),
            Asked::Guarding(guard) => guard.accepts_in(pool, c, Some(self.trace)),
        }
    }

    fn fits(&self, d: Decision<'_>, mask: u64, c: usize) -> bool {
        let fits = d.pool.state_in(c, Some(self.trace)).fit(mask) && self.accepts(d.pool, c);
        self.trace.look(c, fits);
        fits
    }

    fn hear(&self, told: impl FnOnce() -> Told) {
        let told = told();
        self.trace.hear(told);
    }
}

impl Pool {
    /// A node's state as a decision finds it.
    #[inline(always)]
    pub(crate) fn state_in(&self, index: usize, trace: Option<&Trace>) -> State {
        let state = self.memory.node(index).state();
        match trace {
            Some(trace) if trace.has_taken_back(index) => state.with_ejection(false).without_counts(),
            _ => state,
        }
    }

    /// Since when a node warms up, as a decision finds it; 0 if it does not.
    #[inline(always)]
    pub(crate) fn warming_since_in(&self, index: usize, trace: Option<&Trace>) -> u64 {
        let comes_back = |trace: &Trace| trace.has_taken_back(index) && !self.state_in(index, Some(trace)).is_down();
        match trace {
            Some(trace) if self.live().slow_start_ns() != 0 && comes_back(trace) => FROM_NOW_ON,
            _ => self.memory.node(index).warming_since().load(Ordering::Relaxed),
        }
    }

    /// The earliest time at which a node that is down may be probed, as a decision finds it.
    pub(crate) fn earliest_probe_in(&self, index: usize, trace: Option<&Trace>) -> u64 {
        match trace.and_then(|trace| trace.probe_ended.get()) {
            Some(ended) if ended == index => self.memory.guard(index).hold().load(Ordering::Acquire),
            _ => self.earliest_probe(index),
        }
    }
}
