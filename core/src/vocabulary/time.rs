//! Time as the engine sees it: nanoseconds of the machine's monotonic clock.
//!
//! Every call that needs time has a form that takes it; the plain forms read it here.

/// Nanoseconds since an arbitrary point that all processes of a machine share.
pub type Nanos = u64;

pub const NANOS_PER_MS: u64 = 1_000_000;
pub const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Reads the monotonic clock (`CLOCK_MONOTONIC` on Unix). Never 0.
#[cfg(unix)]
pub fn now_ns() -> Nanos {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    ((t.tv_sec as u64).wrapping_mul(NANOS_PER_SEC).wrapping_add(t.tv_nsec as u64)).max(1)
}

/// Reads the monotonic clock, counted from its first use in this process. Never 0.
#[cfg(not(unix))]
pub fn now_ns() -> Nanos {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    (START.get_or_init(Instant::now).elapsed().as_nanos() as u64).max(1)
}

/// A duration in whole nanoseconds, at most `u64::MAX`.
pub fn saturating_nanos(duration: std::time::Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
