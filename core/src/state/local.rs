//! What a thread remembers of each pool: its lease position and its turns in a round robin. Found without a lock, by the
//! pool's small number in this process.

use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicU64, Ordering};

use super::lease::NO_SLOT;
use super::thread::ThreadToken;
use crate::vocabulary::rng::Draws;

/// Pools of a process at one time.
pub(crate) const POOLS_MAX: usize = 4096;
/// Pools whose memory a thread finds in one step; the others are in pages.
const NEAR: usize = 16;
const PAGE: usize = 64;

/// One thread's memory of one pool.
pub(crate) struct Local {
    /// Which life of which pool this is about.
    tag: Cell<u64>,
    /// The state of the thread's random stream for this pool.
    pub(crate) stream: Cell<u64>,
    /// The thread as the owner of runs, while it has one.
    pub(crate) owner: Cell<u64>,
    /// The slot that the thread opened last.
    pub(crate) last_slot: Cell<u32>,
    pub(crate) turns: Turns,
    /// The time of the present decision, where its plan needs one.
    pub(crate) now_ns: Cell<u64>,
    /// Whether a predicate or an own strategy panicked, or chose what it may not, in the present decision.
    pub(crate) failed: Cell<bool>,
}

/// The block of round-robin turns that a thread has taken and not yet used.
pub(crate) struct Turns {
    pub(crate) next: Cell<u64>,
    pub(crate) end: Cell<u64>,
    /// The length of the next block, times 8.
    pub(crate) block_eighths: Cell<u64>,
}

type Page = OnceCell<Box<[Local; PAGE]>>;

thread_local! {
    /// Without a destructor, so that reaching it needs no check.
    static NEARBY: [Local; NEAR] = const { [const { Local::new() }; NEAR] };
    static PAGES: [Page; POOLS_MAX / PAGE] = const { [const { OnceCell::new() }; POOLS_MAX / PAGE] };
    static TOKEN: OnceCell<Option<ThreadToken>> = const { OnceCell::new() };
}

/// Calls `near` with this thread's memory of pool `number`, if it is close at hand and about `tag`; else `far`, which
/// should call [`with_local`].
#[inline(always)]
pub(crate) fn with_near<R>(number: usize, tag: u64, near: impl FnOnce(&Local) -> R, far: impl FnOnce() -> R) -> R {
    let found = number < NEAR;
    NEARBY.with(|locals| {
        let local = &locals[number % NEAR];
        if found && local.tag.get() == tag { near(local) } else { far() }
    })
}

/// Calls `f` with this thread's memory of pool `number`, fresh if it was about another `tag`;
/// `otherwise` while the thread is being torn down.
#[cold]
pub(crate) fn with_local<R: Copy>(number: usize, tag: u64, otherwise: R, f: impl FnOnce(&Local) -> R) -> R {
    if number < NEAR {
        return NEARBY.with(|locals| f(locals[number].of(tag)));
    }
    let in_page = |pages: &[Page; POOLS_MAX / PAGE]| {
        let page = pages[(number / PAGE) % pages.len()].get_or_init(|| Box::new([const { Local::new() }; PAGE]));
        f(page[number % PAGE].of(tag))
    };
    PAGES.try_with(in_page).unwrap_or(otherwise)
}

/// This thread's token; `None` if there are too many threads, or it is being torn down.
pub(crate) fn thread_token() -> Option<u64> {
    TOKEN.try_with(|token| token.get_or_init(ThreadToken::claim).as_ref().map(ThreadToken::word)).ok().flatten()
}

impl Local {
    pub(crate) const fn new() -> Self {
        Self {
            tag: Cell::new(0),
            stream: Cell::new(0),
            owner: Cell::new(0),
            last_slot: Cell::new(NO_SLOT),
            turns: Turns { next: Cell::new(0), end: Cell::new(0), block_eighths: Cell::new(0) },
            now_ns: Cell::new(0),
            failed: Cell::new(false),
        }
    }

    /// The same memory, for a decision that is not to be made.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy.stream.set(self.stream.get());
        copy.owner.set(self.owner.get());
        copy.last_slot.set(self.last_slot.get());
        copy.turns.next.set(self.turns.next.get());
        copy.turns.end.set(self.turns.end.get());
        copy.turns.block_eighths.set(self.turns.block_eighths.get());
        copy
    }

    fn of(&self, tag: u64) -> &Self {
        if self.tag.get() != tag {
            self.reset(tag);
        }
        self
    }

    fn reset(&self, tag: u64) {
        self.stream.set(Draws::of_thread().next_u64());
        self.owner.set(0);
        self.last_slot.set(NO_SLOT);
        self.turns.next.set(0);
        self.turns.end.set(0);
        self.turns.block_eighths.set(0);
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
