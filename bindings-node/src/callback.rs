//! Predicates and own strategies: JavaScript that the core calls back during a pick.

use std::cell::Cell;
use std::ptr;

use loadwise::{Candidate, NodeRef, PoolNode, SelectionContext, Strategy};

use crate::error::Result;
use crate::js::{Js, Type, Value};

/// The callbacks of one pick. The functions catch what their users throw and return undefined then.
pub struct Callbacks<'c> {
    js: Js<'c>,
    predicate: Option<Value<'c>>,
    own_strategy: Option<Value<'c>>,
    key: Value<'c>,
    failed: Cell<bool>,
    /// Whether JavaScript may not run any more: the worker is being terminated.
    stopped: Cell<bool>,
}

thread_local! {
    /// The pick whose own strategy is asked: strategies must be `Send`, and values of a call are not.
    static CURRENT: Cell<*const Callbacks<'static>> = const { Cell::new(ptr::null()) };
}

impl<'c> Callbacks<'c> {
    pub fn new(js: Js<'c>, predicate: Option<Value<'c>>, own_strategy: Option<Value<'c>>, key: Value<'c>) -> Self {
        Self { js, predicate, own_strategy, key, failed: Cell::new(false), stopped: Cell::new(false) }
    }

    pub fn has_predicate(&self) -> bool {
        self.predicate.is_some()
    }

    pub fn failed(&self) -> bool {
        self.failed.get()
    }

    /// Whether the predicate accepts a candidate.
    pub fn accepts(&self, candidate: &Candidate<'_>) -> bool {
        self.predicate.is_some_and(|predicate| {
            self.ask(|js| {
                let NodeRef { index, generation } = candidate.node();
                let answer = js.call(predicate, &[js.small(index)?, js.small(generation)?])?;
                Ok(js.as_boolean(answer))
            })
            .unwrap_or(false)
        })
    }

    /// Runs `pick` with the own strategy at hand.
    pub fn during<R>(&self, pick: impl FnOnce() -> R) -> R {
        /// Picks may be nested: a callback may pick.
        struct Outer(*const Callbacks<'static>);
        impl Drop for Outer {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _outer = Outer(CURRENT.replace(ptr::from_ref(self).cast()));
        pick()
    }

    fn chosen(&self, eligible: &[NodeRef]) -> Option<usize> {
        let own_strategy = self.own_strategy?;
        let answer = self.ask(|js| {
            let (table, numbers) = js.uint32_array(2 * eligible.len())?;
            for (i, node) in eligible.iter().enumerate() {
                // SAFETY: the array has two numbers a node, and nobody else has seen it yet.
                unsafe {
                    numbers.add(2 * i).write(node.index);
                    numbers.add(2 * i + 1).write(node.generation);
                }
            }
            let answer = js.call(own_strategy, &[table, self.key])?;
            Ok(match js.type_of(answer)? {
                Type::Null => Some(None),
                _ => js.as_number(answer).map(Some),
            })
        })?;
        let index = answer?;
        let chosen = (index.fract() == 0.0 && (0.0..eligible.len() as f64).contains(&index)).then_some(index as usize);
        if chosen.is_none() {
            self.failed.set(true);
        }
        chosen
    }

    /// Calls back; `None`, and the pick tells of it, if that failed.
    fn ask<R>(&self, call: impl FnOnce(Js<'c>) -> Result<Option<R>>) -> Option<R> {
        if self.stopped.get() {
            return None;
        }
        let answer = self.js.scoped(|| call(self.js)).unwrap_or_else(|_| {
            self.stopped.set(true);
            None
        });
        if answer.is_none() {
            self.failed.set(true);
        }
        answer
    }
}

/// A pool's own strategy: the function that the pick under way was given.
pub struct OwnStrategy;

impl Strategy<PoolNode> for OwnStrategy {
    fn select(&self, candidates: &[PoolNode], ctx: &SelectionContext) -> Option<usize> {
        let current = CURRENT.get();
        // SAFETY: not null only during `during` on this thread, whose `self` it is; the core asks its strategies on the
        // thread that picks.
        let callbacks = unsafe { current.as_ref() }?;
        let mut eligible = vec![true; candidates.len()];
        for &i in ctx.exclude.iter().flatten() {
            if let Some(slot) = eligible.get_mut(i) {
                *slot = false;
            }
        }
        let positions: Vec<usize> = (0..candidates.len()).filter(|&i| eligible[i]).collect();
        let nodes: Vec<NodeRef> = positions.iter().map(|&i| candidates[i].node()).collect();
        callbacks.chosen(&nodes).map(|i| positions[i])
    }
}
