//! What a thread remembers of each pool: its lease position and its turns in a round robin. Found without a lock, by the
//! pool's small number in this process.

use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicU64, Ordering};

use super::lease::Position;
use super::thread::ThreadToken;

/// Pools of a process at one time.
pub(crate) const POOLS_MAX: usize = PAGE * PAGE;
const PAGE: usize = 64;

/// One thread's memory of one pool.
#[derive(Default)]
pub(crate) struct Local {
    /// Which life of which pool this is about.
    tag: Cell<u64>,
    /// The thread's token, while it has a run.
    pub(crate) token: Cell<u64>,
    pub(crate) position: Cell<Position>,
    pub(crate) turns: Turns,
}

/// The block of round-robin turns that a thread has taken and not yet used.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) next: Cell<u64>,
    pub(crate) end: Cell<u64>,
    pub(crate) block: Cell<u64>,
}

struct Locals {
    token: OnceCell<Option<ThreadToken>>,
    pages: [OnceCell<Box<[Local; PAGE]>>; PAGE],
}

thread_local! {
    static LOCALS: Locals = const { Locals { token: OnceCell::new(), pages: [const { OnceCell::new() }; PAGE] } };
}

/// Calls `f` with this thread's memory of pool `number`, fresh if it was about another `tag`.
/// `None` while the thread is being torn down.
#[inline(always)]
pub(crate) fn with_local<R>(number: usize, tag: u64, f: impl FnOnce(&Local) -> R) -> Option<R> {
    LOCALS
        .try_with(|locals| {
            let page = match locals.pages[(number / PAGE) % PAGE].get() {
                Some(page) => page,
                None => locals.page(number),
            };
            let local = &page[number % PAGE];
            if local.tag.get() != tag {
                local.reset(tag);
            }
            f(local)
        })
        .ok()
}

/// This thread's token; `None` if there are too many threads, or it is being torn down.
pub(crate) fn thread_token() -> Option<u64> {
    LOCALS
        .try_with(|locals| locals.token.get_or_init(ThreadToken::claim).as_ref().map(ThreadToken::word))
        .ok()
        .flatten()
}

impl Locals {
    #[cold]
    fn page(&self, number: usize) -> &[Local; PAGE] {
        self.pages[(number / PAGE) % PAGE].get_or_init(|| Box::new([const { Local::new() }; PAGE]))
    }
}

impl Local {
    const fn new() -> Self {
        Self {
            tag: Cell::new(0),
            token: Cell::new(0),
            position: Cell::new(Position { run: 0, slot: 0 }),
            turns: Turns { next: Cell::new(0), end: Cell::new(0), block: Cell::new(0) },
        }
    }

    #[cold]
    fn reset(&self, tag: u64) {
        self.position.set(Position::default());
        self.turns.next.set(0);
        self.turns.end.set(0);
        self.turns.block.set(0);
        self.tag.set(tag);
    }
}

/// Which numbers are taken: the tag of the pool that has it, 0 if free.
static POOLS: [AtomicU64; POOLS_MAX] = [const { AtomicU64::new(0) }; POOLS_MAX];
static LAST_TAG: AtomicU64 = AtomicU64::new(0);

/// A pool's number in this process, the lowest that is free; given back on drop.
pub(crate) struct PoolNumber(usize);

impl PoolNumber {
    /// `None` if there are [`POOLS_MAX`] pools.
    pub(crate) fn claim() -> Option<Self> {
        (0..POOLS_MAX).find(|&i| POOLS[i].compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()).map(Self)
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> usize {
        self.0
    }
}

impl Drop for PoolNumber {
    fn drop(&mut self) {
        POOLS[self.0].store(0, Ordering::Release);
    }
}

/// A tag that no pool of this process, nor of its parents, had before.
pub(crate) fn next_tag() -> u64 {
    LAST_TAG.fetch_add(1, Ordering::Relaxed) + 1
}
