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
