//! Handles: numbers that stand for objects and can be wrong in every way without harm.
//!
//! A handle is generation (32 bits), type (8), slot (16). `LIVE[slot]` is the handle that the slot stands for now, or 0.
//! Each thread keeps its own reference to the objects it has used:
//!
//! ```text
//! use:   frees counted = those seen, and the handle is among the recent ones → its object    one load that others write
//!        frees counted ≠ those seen → drop the references to what was freed
//!        mine[slot].handle = h and LIVE[slot] = h → its object                               no lock
//!        else lock the table, take a reference, keep it
//! free:  LIVE[slot] := 0, take the table's reference away, count the free
//! ```
//!
//! So a call that is under way in one thread keeps its object alive while another thread frees it. A callback may free the
//! pool that called it: while one runs, its thread drops no reference.

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::EngineObject;
use crate::error::Fail;
use crate::health::Health;
use crate::lock::Locked;
use crate::pool::PoolObject;
use crate::select::Selector;
use crate::status;

const PAGE: usize = 128;
const PAGES: usize = 64;
const SLOTS: usize = PAGES * PAGE;

/// What a handle can stand for.
pub(crate) enum Object {
    /// Handles of one pool of an engine share what is known of it.
    Pool(Arc<PoolObject>),
    Health(Health),
    Selector(Selector),
    Engine(EngineObject),
}

/// One type of object.
pub(crate) trait Kind: Sized {
    const CODE: u64;
    const NAME: &'static str;
    fn of(object: &Object) -> Option<&Self>;
    fn into_object(self) -> Object;
}

static LIVE: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
/// How many objects were freed.
static FREED: AtomicU64 = AtomicU64::new(0);

/// The table's own references, and the last generation of each slot.
struct Table {
    objects: Vec<Option<Arc<Object>>>,
    generations: Vec<u32>,
    /// Where generations begin: random, so that small numbers and other programs' handles are none of ours.
    first: u32,
}

static TABLE: Locked<Option<Table>> = Locked::new(None);

/// Calls `f` with the table, as [`Locked::with`].
fn with_table<R>(f: impl FnOnce(&mut Table) -> R) -> R {
    TABLE.with(|table| {
        f(table.get_or_insert_with(|| Table {
            objects: Vec::new(),
            generations: Vec::new(),
            first: (RandomState::new().hash_one(0_u64) as u32) | 1,
        }))
    })
}

fn slot_of(handle: u64) -> usize {
    (handle & 0xFFFF) as usize
}

/// Gives an object a handle.
pub(crate) fn insert<T: Kind>(object: T) -> Result<u64, Fail> {
    insert_object::<T>(object.into_object())
}

/// Gives an object of kind `T` a handle.
pub(crate) fn insert_object<T: Kind>(object: Object) -> Result<u64, Fail> {
    let object = Arc::new(object);
    with_table(|table| {
        let slot = match table.objects.iter().position(Option::is_none) {
            Some(free) => free,
            None if table.objects.len() < SLOTS => {
                table.objects.push(None);
                table.generations.push(table.first);
                table.objects.len() - 1
            }
            None => return Err(Fail::explained(status::LIMIT, format!("more than {SLOTS} handles"))),
        };
        let generation = table.generations[slot].wrapping_add(1).max(1);
        table.generations[slot] = generation;
        table.objects[slot] = Some(object);
        let handle = u64::from(generation) << 32 | T::CODE << 16 | slot as u64;
        // Release pairs with the acquire of whoever uses the handle.
        LIVE[slot].store(handle, Ordering::Release);
        Ok(handle)
    })
}

/// Ends a handle. The object goes when the last call that uses it has ended.
pub(crate) fn remove<T: Kind>(handle: u64) -> Result<(), Fail> {
    let removed = with_table(|table| {
        let slot = checked_slot::<T>(table, handle)?;
        LIVE[slot].store(0, Ordering::Release);
        FREED.fetch_add(1, Ordering::Release);
        Ok(table.objects[slot].take())
    });
    let _ = CACHE.try_with(Cache::sweep_if_due);
    removed.map(drop)
}

/// Calls `f` with the object of a handle, which lives until `f` returns.
pub(crate) fn with<T: Kind, R>(handle: u64, f: impl FnOnce(&T) -> Result<R, Fail>) -> Result<R, Fail> {
    let mut owned = None;
    let object: *const Object = match CACHE.try_with(|cache| cache.find::<T>(handle)) {
        Ok(object) => object?,
        // The thread is being torn down and keeps nothing any more.
        Err(_) => Arc::as_ptr(owned.insert(look_up::<T>(handle)?)),
    };
    // SAFETY: a reference to the object is held, by `owned` or by this thread's cache. The cache drops it in a call of this
    // thread alone, and none runs before `f` returns but in a callback, in which nothing is dropped.
    f(T::of(unsafe { &*object }).ok_or(Fail::Status(status::INVALID_HANDLE))?)
}

/// The pool of a handle that this thread has used lately, if nothing was freed since. Valid until this thread's next call.
#[inline(always)]
pub(crate) fn recent_pool(handle: u64) -> Option<*const PoolObject> {
    RECENT.with(|recent| {
        let entry = &recent[handle as usize % RECENTS];
        (entry.handle.get() == handle && entry.freed.get() == FREED.load(Ordering::Acquire)).then(|| entry.pool.get())
    })
}

/// Remembers a pool for [`recent_pool`].
#[cold]
pub(crate) fn remember_pool(handle: u64, pool: &PoolObject) {
    let _ = CACHE.try_with(|cache| {
        // The cache's reference is what keeps it.
        if cache.keeps(handle) {
            RECENT.with(|recent| {
                let entry = &recent[handle as usize % RECENTS];
                entry.handle.set(handle);
                entry.freed.set(cache.freed.get());
                entry.pool.set(pool);
            });
        }
    });
}

/// A callback under way: in its thread, nothing is dropped until it has returned.
pub(crate) struct InCallback(());

impl InCallback {
    pub(crate) fn enter() -> Self {
        CALLBACKS.set(CALLBACKS.get() + 1);
        Self(())
    }
}

impl Drop for InCallback {
    fn drop(&mut self) {
        CALLBACKS.set(CALLBACKS.get() - 1);
    }
}

/// A reference from the table.
#[cold]
fn look_up<T: Kind>(handle: u64) -> Result<Arc<Object>, Fail> {
    with_table(|table| {
        let slot = checked_slot::<T>(table, handle)?;
        table.objects[slot].clone().ok_or(Fail::Status(status::CLOSED))
    })
}

/// The slot of a live handle of this type; else what is wrong with it.
fn checked_slot<T: Kind>(table: &Table, handle: u64) -> Result<usize, Fail> {
    let (slot, generation) = (slot_of(handle), (handle >> 32) as u32);
    let invalid = || Fail::explained(status::INVALID_HANDLE, format!("not a handle of a {}", T::NAME));
    let last = *table.generations.get(slot).ok_or_else(invalid)?;
    let given = generation.wrapping_sub(table.first);
    if (handle >> 16) & 0xFFFF != T::CODE || given == 0 || given > last.wrapping_sub(table.first) {
        return Err(invalid());
    }
    if LIVE[slot].load(Ordering::Acquire) == handle {
        Ok(slot)
    } else {
        Err(Fail::explained(status::CLOSED, format!("the {} was freed", T::NAME)))
    }
}

/// One thread's references.
struct Cache {
    pages: [OnceCell<Box<[Entry; PAGE]>>; PAGES],
    /// The frees that this cache has seen.
    freed: Cell<u64>,
    /// References that calls under way may still use.
    set_aside: RefCell<Vec<Arc<Object>>>,
}

struct Entry {
    handle: Cell<u64>,
    object: Cell<Option<Arc<Object>>>,
    /// Where `object` points.
    pointer: Cell<*const Object>,
}

/// Recent pools of a thread.
const RECENTS: usize = 8;
/// A count of frees that is never reached.
const NEVER: u64 = u64::MAX;

struct Recent {
    handle: Cell<u64>,
    /// The frees counted when this was written; [`NEVER`] if nothing was.
    freed: Cell<u64>,
    pool: Cell<*const PoolObject>,
}

thread_local! {
    static CACHE: Cache = const {
        Cache {
            pages: [const { OnceCell::new() }; PAGES],
            freed: Cell::new(0),
            set_aside: RefCell::new(Vec::new()),
        }
    };
    /// Without a destructor: `CACHE` clears it with its own.
    static RECENT: [Recent; RECENTS] = const {
        [const { Recent { handle: Cell::new(0), freed: Cell::new(NEVER), pool: Cell::new(std::ptr::null()) } }; RECENTS]
    };
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

impl Drop for Cache {
    fn drop(&mut self) {
        RECENT.with(|recent| recent.iter().for_each(|entry| entry.freed.set(NEVER)));
    }
}

impl Cache {
    /// Drops what was freed, if anything was.
    fn sweep_if_due(&self) {
        if self.freed.get() != FREED.load(Ordering::Acquire) && CALLBACKS.get() == 0 {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&self) {
        self.freed.set(FREED.load(Ordering::Acquire));
        let mut dropped = self.set_aside.take();
        for page in self.pages.iter().filter_map(OnceCell::get) {
            for entry in page.iter() {
                let handle = entry.handle.get();
                if handle != 0 && LIVE[slot_of(handle)].load(Ordering::Acquire) != handle {
                    entry.handle.set(0);
                    dropped.extend(entry.object.take());
                }
            }
        }
        // Their drops may run callbacks that call the library: the cache is in order again before.
        drop(dropped);
    }

    /// Whether this thread holds a reference for a handle.
    fn keeps(&self, handle: u64) -> bool {
        let slot = slot_of(handle) % SLOTS;
        self.pages[slot / PAGE].get().is_some_and(|page| page[slot % PAGE].handle.get() == handle)
    }

    fn find<T: Kind>(&self, handle: u64) -> Result<*const Object, Fail> {
        self.sweep_if_due();
        let slot = slot_of(handle) % SLOTS;
        if let Some(page) = self.pages[slot / PAGE].get() {
            let entry = &page[slot % PAGE];
            if entry.handle.get() == handle
                && LIVE[slot].load(Ordering::Acquire) == handle
                && (handle >> 16) & 0xFFFF == T::CODE
            {
                return Ok(entry.pointer.get());
            }
        }
        self.fill::<T>(handle)
    }

    #[cold]
    fn fill<T: Kind>(&self, handle: u64) -> Result<*const Object, Fail> {
        let object = look_up::<T>(handle)?;
        let pointer = Arc::as_ptr(&object);
        let slot = slot_of(handle);
        let entry = &self.pages[slot / PAGE].get_or_init(|| Box::new([const { Entry::new() }; PAGE]))[slot % PAGE];
        entry.handle.set(handle);
        entry.pointer.set(pointer);
        if let Some(old) = entry.object.replace(Some(object)) {
            self.set_aside.borrow_mut().push(old);
        }
        Ok(pointer)
    }
}

impl Entry {
    const fn new() -> Self {
        Self { handle: Cell::new(0), object: Cell::new(None), pointer: Cell::new(std::ptr::null()) }
    }
}
