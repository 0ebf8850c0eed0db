//! Noticing a fork without a system call: a page that the kernel hands to a child zeroed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which incarnation of this program the calling process is: the parent and each forked child differ. Never 0.
#[inline(always)]
pub(crate) fn incarnation() -> u64 {
    incarnation_of(fork_word())
}

/// The same, for those who keep [`fork_word`].
#[inline(always)]
pub(crate) fn incarnation_of(word: &AtomicU64) -> u64 {
    match word.load(Ordering::Relaxed) {
        0 => next_incarnation(word),
        n => n,
    }
}

/// Counts over forks, since ordinary memory is copied into the child.
static LAST: AtomicU64 = AtomicU64::new(0);

#[cold]
fn next_incarnation(word: &AtomicU64) -> u64 {
    let mine = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    // Two threads of a child may come here at once; the first number stays.
    match word.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => mine,
        Err(first) => first,
    }
}

/// The word that a fork zeroes.
#[cfg(target_os = "linux")]
#[inline(always)]
pub(crate) fn fork_word() -> &'static AtomicU64 {
    struct Page(memmap2::MmapMut);
    static PAGE: OnceLock<Option<Page>> = OnceLock::new();
    static NEVER_FORKS: AtomicU64 = AtomicU64::new(0);
    let page = PAGE.get_or_init(|| {
        let page = memmap2::MmapMut::map_anon(4096).ok()?;
        // SAFETY: the range is the whole of a mapping that this static owns and nobody else has a reference into.
        unsafe {
            rustix::mm::madvise(page.as_ptr().cast_mut().cast(), page.len(), rustix::mm::Advice::LinuxWipeOnFork)
        }
        .ok()?;
        Some(Page(page))
    });
    match page {
        // SAFETY: the page is aligned, longer than 8 bytes, never unmapped (a static), and only reached as this atomic.
        Some(page) => unsafe { &*page.0.as_ptr().cast::<AtomicU64>() },
        None => &NEVER_FORKS,
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn fork_word() -> &'static AtomicU64 {
    // Without the page, the process id tells, at the price of a system call where it is not cached.
    static WORD: AtomicU64 = AtomicU64::new(0);
    static PID: AtomicU64 = AtomicU64::new(0);
    let pid = u64::from(std::process::id());
    if PID.swap(pid, Ordering::Relaxed) != pid {
        WORD.store(0, Ordering::Relaxed);
    }
    &WORD
}

/// A thread that holds locks, which a fork waits for: a child has nobody to give them back.
///
/// ```text
/// hold:  a fork is under way → wait for its end       the first lock of a thread alone: who has one may need another
///        holders += 1
/// fork:  forks := under way; wait until nobody but this thread holds any; fork; forks := none, in parent and child
/// ```
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) mod held {
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::sync::Once;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Threads that hold any lock; above them, whether a fork is under way.
    static HOLDERS: AtomicU64 = AtomicU64::new(0);
    const FORKING: u64 = 1 << 63;

    thread_local! {
        /// Locks that this thread holds.
        static LOCKS: Cell<u32> = const { Cell::new(0) };
    }

    /// From before a lock is taken until after it is given back.
    pub(crate) struct Held(PhantomData<*const ()>);

    impl Held {
        pub(crate) fn begin() -> Self {
            static HANDLERS: Once = Once::new();
            HANDLERS.call_once(|| {
                // SAFETY: the handlers reach statics and thread-locals without destructors alone, and are forgotten by the
                // system when what they are in is unloaded.
                unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
            });
            let locks = LOCKS.get();
            // SeqCst, as all of this: either a fork sees this thread, or this thread sees the fork.
            while locks == 0 && HOLDERS.fetch_add(1, Ordering::SeqCst) & FORKING != 0 {
                HOLDERS.fetch_sub(1, Ordering::SeqCst);
                while HOLDERS.load(Ordering::SeqCst) & FORKING != 0 {
                    std::thread::yield_now();
                }
            }
            LOCKS.set(locks + 1);
            Self(PhantomData)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            LOCKS.set(LOCKS.get() - 1);
            if LOCKS.get() == 0 {
                HOLDERS.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// What is left when all others have given back what they held.
    fn own() -> u64 {
        u64::from(LOCKS.get() != 0)
    }

    extern "C" fn before() {
        while HOLDERS.fetch_or(FORKING, Ordering::SeqCst) & FORKING != 0 {
            std::thread::yield_now();
        }
        while HOLDERS.load(Ordering::SeqCst) != FORKING | own() {
            std::thread::yield_now();
        }
    }

    extern "C" fn after_in_parent() {
        HOLDERS.fetch_and(!FORKING, Ordering::SeqCst);
    }

    extern "C" fn after_in_child() {
        // Others of the parent may just have come to see that they have to wait.
        HOLDERS.store(own(), Ordering::SeqCst);
    }
}

#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) mod held {
    pub(crate) struct Held;

    impl Held {
        pub(crate) fn begin() -> Self {
            Self
        }
    }
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use crate::vocabulary::lock::{Mutex, RwLock, Turn};

    /// Whether `body` ends in a forked child: one that waits for ever is killed.
    fn ends_in_a_child(body: impl FnOnce()) -> bool {
        // SAFETY: the child does nothing but `body`, which takes locks of this crate and allocates nothing, and ends.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(20);
                body();
                libc::_exit(0);
            }
            let mut status = -1;
            child > 0 && libc::waitpid(child, &mut status, 0) == child && status == 0
        }
    }

    /// What `busy` does all the time in another thread hinders no child in `body`.
    fn hinders_no_child(busy: impl Fn() + Sync, body: impl Fn()) {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    busy();
                }
            });
            let ended = (0..50).all(|_| {
                std::thread::sleep(Duration::from_micros(300));
                ends_in_a_child(&body)
            });
            stop.store(true, Ordering::Relaxed);
            assert!(ended);
        });
    }

    /// Long enough for a fork to come in between.
    fn hold<T>(guard: T) {
        std::thread::sleep(Duration::from_micros(100));
        drop(guard);
    }

    #[test]
    fn a_child_finds_no_lock_taken() {
        let (one, other) = (Mutex::new(1), RwLock::default());
        // One within the other, too: a fork waits for both.
        let busy = || {
            let outer = one.lock();
            hold(other.write());
            hold(outer);
            hold(other.read());
        };
        hinders_no_child(busy, || {
            *one.lock() += 1;
            *other.write() += *one.lock();
        });
        *other.write() += 1;
        assert_eq!((*one.lock(), *other.read()), (1, 1), "what children do is theirs");
    }

    #[test]
    fn a_child_takes_over_a_turn() {
        let turn = Turn::default();
        hinders_no_child(|| hold(turn.take()), || drop(turn.take()));
        // And one in whose midst it was forked.
        let taken = turn.take();
        assert!(ends_in_a_child(|| drop(turn.take())));
        drop(taken);
        drop(turn.take());
    }

    #[test]
    fn who_forks_may_hold_a_lock() {
        let lock = Mutex::new(1);
        let mut guard = lock.lock();
        assert!(ends_in_a_child(|| {
            *guard += 1;
            drop(guard);
            drop(lock.lock());
        }));
    }
}
