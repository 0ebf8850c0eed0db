//! Health of nodes, for hosts that choose without a pool.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use loadwise::{ConsecutiveFailurePolicy, HealthTracker, Outcome};

use crate::candidate::health_bit;
use crate::error::Fail;
use crate::guard::guard;
use crate::handle::{self, Kind, Object};
use crate::outcome::{LW_OUTCOME_CANCELLED, LW_OUTCOME_FAILURE, LW_OUTCOME_RATE_LIMITED, LW_OUTCOME_SUCCESS};
use crate::sized::{self, Versioned, present};
use crate::status::{INVALID_ARGUMENT, lw_status};
use crate::text::{lw_str, put};

/// The health of any number of nodes by their ids. 0 is none.
pub type lw_health = u64;

pub(crate) struct Health(HealthTracker<String>);

impl Kind for Health {
    const CODE: u64 = 2;
    const NAME: &'static str = "health tracker";

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Health(health) => Some(health),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Health(self)
    }
}

/// When a node counts as unhealthy, and when as healthy again. 0 is the default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_health_config {
    /// `sizeof(lw_health_config)`.
    pub struct_size: u32,
    /// Failures in a row that make a node unhealthy; half of them, rounded up, make it degraded. Default 3.
    pub failure_threshold: u32,
    /// Successes in a row that make an unhealthy node healthy. Default 2.
    pub recovery_successes: u32,
    /// 0.
    pub reserved: u32,
    /// How long after its last failure an unhealthy node is left alone. Default 10 000.
    pub probe_interval_ms: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_health_config {}

/// What is remembered of a node's health.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_health_record {
    /// `sizeof(lw_health_record)`, set by the caller.
    pub struct_size: u32,
    /// One of `LW_HEALTH_*`.
    pub health: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Successes since the last failure.
    pub consecutive_successes: u32,
    /// How long ago the last failure was; `UINT64_MAX`: never.
    pub since_failure_ns: u64,
    /// How long ago the last success was; `UINT64_MAX`: never.
    pub since_success_ns: u64,
}

// SAFETY: begins with struct_size; integers only.
unsafe impl Versioned for lw_health_record {}

fn with<R>(health: lw_health, id: lw_str, f: impl FnOnce(&HealthTracker<String>, &String) -> R) -> Result<R, Fail> {
    // SAFETY: as the caller of every function here promises.
    let id = unsafe { id.text()? }.to_owned();
    handle::with(health, |h: &Health| Ok(f(&h.0, &id)))
}

/// Makes a health tracker that knows no node yet. `config` may be NULL: all defaults.
///
/// # Safety
/// `config` is NULL or points to a struct of its `struct_size`; `health` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_health_new(config: *const lw_health_config, health: *mut lw_health) -> lw_status {
    guard(|| {
        present(health)?;
        let mut policy = ConsecutiveFailurePolicy::default();
        if !config.is_null() {
            let mut copy = MaybeUninit::uninit();
            // SAFETY: as the caller promises.
            let config = unsafe { sized::input(config, &mut copy)? };
            if config.failure_threshold != 0 {
                policy.failure_threshold = config.failure_threshold;
            }
            if config.recovery_successes != 0 {
                policy.recovery_successes = config.recovery_successes;
            }
            if config.probe_interval_ms != 0 {
                policy.probe_interval = Duration::from_millis(config.probe_interval_ms);
            }
        }
        let handle = handle::insert(Health(HealthTracker::new(policy)))?;
        // SAFETY: as the caller promises.
        unsafe { put(health, handle) };
        Ok(())
    })
}

/// Frees a health tracker; else as `lw_pool_free`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_health_free(health: lw_health) -> lw_status {
    guard(|| handle::remove::<Health>(health))
}

/// Tells how an attempt at a node ended, one of `LW_OUTCOME_*`. Rate limits and cancelled attempts change nothing.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_health_report(health: lw_health, id: lw_str, kind: u32) -> lw_status {
    guard(|| {
        let outcome = match kind {
            LW_OUTCOME_SUCCESS => Some(Outcome::Success),
            LW_OUTCOME_FAILURE => Some(Outcome::Failure),
            LW_OUTCOME_RATE_LIMITED => Some(Outcome::RateLimited { retry_after: None }),
            LW_OUTCOME_CANCELLED => None,
            _ => return Err(Fail::Status(INVALID_ARGUMENT)),
        };
        with(health, id, |tracker, id| {
            if let Some(outcome) = outcome {
                tracker.report_outcome(id, &outcome);
            }
        })
    })
}

/// A node's health, one of `LW_HEALTH_*`, into `*status`; healthy if it is not known.
///
/// # Safety
/// `id` is readable, `status` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_health_status(health: lw_health, id: lw_str, status: *mut u32) -> lw_status {
    guard(|| {
        present(status)?;
        let told = with(health, id, HealthTracker::status)?;
        // SAFETY: as the caller promises.
        unsafe { put(status, health_bit(told)) };
        Ok(())
    })
}

/// 1 into `*probe` if it is time to try an unhealthy node again, else 0. Every caller gets the same answer.
///
/// # Safety
/// `id` is readable, `probe` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_health_should_probe(health: lw_health, id: lw_str, probe: *mut u32) -> lw_status {
    guard(|| {
        present(probe)?;
        let due = with(health, id, HealthTracker::should_probe)?;
        // SAFETY: as the caller promises.
        unsafe { put(probe, u32::from(due)) };
        Ok(())
    })
}

/// What is remembered of a node; that of a node of which nothing is known, if it is not known.
///
/// # Safety
/// `id` is readable; `record` points to a struct of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_health_get(health: lw_health, id: lw_str, record: *mut lw_health_record) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { sized::output(record)? };
        let known = with(health, id, HealthTracker::get_health)?;
        let since = |time: Option<Instant>| {
            time.map_or(u64::MAX, |t| u64::try_from(t.elapsed().as_nanos()).unwrap_or(u64::MAX))
        };
        out.write(lw_health_record {
            struct_size: 0,
            health: health_bit(known.status),
            consecutive_failures: known.consecutive_failures,
            consecutive_successes: known.consecutive_successes,
            since_failure_ns: since(known.last_failure),
            since_success_ns: since(known.last_success),
        });
        Ok(())
    })
}

/// Forgets a node that is gone for good. 1 into `*known` if it was known, else 0; `known` may be NULL.
///
/// # Safety
/// `id` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_health_forget(health: lw_health, id: lw_str, known: *mut u32) -> lw_status {
    guard(|| {
        let was_known = with(health, id, HealthTracker::forget)?;
        // SAFETY: as the caller promises.
        unsafe { put(known, u32::from(was_known)) };
        Ok(())
    })
}
