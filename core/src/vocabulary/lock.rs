//! Locks among the threads of a process that a forked child does not find taken: a fork waits until nobody holds one. For
//! what is held for a short while, and never while somebody else's code runs, or a [`Turn`] or a lease is waited for.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{MappedMutexGuard, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

use super::fork::{self, held::Held};

#[derive(Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

#[derive(Default)]
pub(crate) struct RwLock<T>(parking_lot::RwLock<T>);

/// What a lock guards, until this is dropped.
pub(crate) struct Guard<G> {
    guard: G,
    /// Dropped after the lock is given back.
    held: Held,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<MutexGuard<'_, T>> {
        let held = Held::begin();
        Guard { guard: self.0.lock(), held }
    }
}

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> Guard<RwLockReadGuard<'_, T>> {
        let held = Held::begin();
        Guard { guard: self.0.read(), held }
    }

    pub(crate) fn write(&self) -> Guard<RwLockWriteGuard<'_, T>> {
        let held = Held::begin();
        Guard { guard: self.0.write(), held }
    }
}

impl<'l, T> Guard<MutexGuard<'l, T>> {
    /// A part of what is guarded.
    pub(crate) fn map<U>(self, part: impl FnOnce(&mut T) -> &mut U) -> Guard<MappedMutexGuard<'l, U>> {
        Guard { guard: MutexGuard::map(self.guard, part), held: self.held }
    }
}

impl<G: Deref> Deref for Guard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Guard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

/// The right to do something one after the other, for as long as it takes: no fork waits for it, and a child that finds it
/// taken takes it. So it guards no data of its own.
#[derive(Default)]
pub(crate) struct Turn(AtomicU64);

/// Somebody's turn, until it is dropped.
pub(crate) struct Taken<'t>(&'t Turn);

/// Attempts before one who waits sleeps between them.
const YIELDS: u32 = 64;

impl Turn {
    /// It, unless another thread of this process has it.
    pub(crate) fn try_take(&self) -> Option<Taken<'_>> {
        let (me, holder) = (fork::incarnation(), self.0.load(Ordering::Relaxed));
        let is_taken =
            holder != me && self.0.compare_exchange(holder, me, Ordering::Acquire, Ordering::Relaxed).is_ok();
        is_taken.then(|| Taken(self))
    }

    pub(crate) fn take(&self) -> Taken<'_> {
        let me = fork::incarnation();
        let mut attempt = 0;
        loop {
            let holder = self.0.load(Ordering::Relaxed);
            // Acquire pairs with the release of whoever had it before.
            let is_free = holder != me;
            if is_free && self.0.compare_exchange(holder, me, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Taken(self);
            }
            attempt += 1;
            if attempt < YIELDS {
                std::thread::yield_now();
            } else {
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}
