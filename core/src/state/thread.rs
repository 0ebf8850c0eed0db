//! Threads as owners of runs of leases, and whether they still live.

use std::sync::atomic::{AtomicU64, Ordering};

/// Threads with a token at one time.
const THREADS_MAX: usize = 65_536;

/// Per index, twice the number of tokens given out, plus 1 while its thread lives.
static TABLE: [AtomicU64; THREADS_MAX] = [const { AtomicU64::new(0) }; THREADS_MAX];
/// Where the next search begins.
static HINT: AtomicU64 = AtomicU64::new(0);

/// A thread's claim on an entry of the table; given back when the thread ends.
pub(crate) struct ThreadToken(u64);

impl ThreadToken {
    /// A token for the calling thread; `None` if [`THREADS_MAX`] threads have one.
    pub(crate) fn claim() -> Option<Self> {
        let start = HINT.fetch_add(1, Ordering::Relaxed) as usize;
        (0..THREADS_MAX).map(|i| (start + i) % THREADS_MAX).find_map(|index| {
            let entry = TABLE[index].load(Ordering::Relaxed);
            (entry & 1 == 0
                && TABLE[index].compare_exchange(entry, entry + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok())
            .then(|| Self((entry + 1) << 16 | index as u64))
        })
    }

    /// Never 0.
    pub(crate) fn word(&self) -> u64 {
        self.0
    }
}

impl Drop for ThreadToken {
    fn drop(&mut self) {
        let index = (self.0 & 0xFFFF) as usize;
        TABLE[index].fetch_add(1, Ordering::Release);
    }
}

/// Whether the thread that was given `token` still lives, in this process.
fn lives(token: u64) -> bool {
    TABLE[(token & 0xFFFF) as usize].load(Ordering::Acquire) == token >> 16
}

/// A thread of some process, in a word: its token (56 bits), the row of its process (8 bits). Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    const TOKEN: u64 = (1 << 56) - 1;

    pub(crate) fn new(row: usize, token: u64) -> Self {
        Self((row as u64) << 56 | token & Self::TOKEN)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub(crate) fn row_of(word: u64) -> usize {
        (word >> 56) as usize
    }

    /// Whether the owner of a run lives, as the process in `row` knows it. Of other processes it knows nothing: the runs
    /// of one that is gone are given back when its row is.
    pub(crate) fn lives_for(row: usize) -> impl Fn(u64) -> bool {
        move |word| Self::row_of(word) != row || lives(word & Self::TOKEN)
    }
}
