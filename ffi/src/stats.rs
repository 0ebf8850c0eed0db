//! A pool's counts, gauges and latencies, as data and as metrics texts.

use std::ffi::c_char;

use loadwise::stats::PoolStats;
use loadwise::{openmetrics, prometheus};

use crate::error::Fail;
use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::status::{INVALID_ARGUMENT, lw_status};
use crate::text::copy_out;
use crate::version::time;

/// Prometheus text format 0.0.4: `text/plain; version=0.0.4`.
pub const LW_METRICS_PROMETHEUS: u32 = 1;
/// OpenMetrics 1.0: `application/openmetrics-text; version=1.0.0; charset=utf-8`.
pub const LW_METRICS_OPENMETRICS: u32 = 2;

/// The text of a format for these pools.
pub(crate) fn text_of(format: u32, pools: &[PoolStats]) -> Result<String, Fail> {
    match format {
        LW_METRICS_PROMETHEUS => Ok(prometheus(pools)),
        LW_METRICS_OPENMETRICS => Ok(openmetrics(pools)),
        _ => Err(Fail::Status(INVALID_ARGUMENT)),
    }
}

/// Copies a pool's counts, gauges and latencies out as JSON, with its nodes' in `nodes`: an object whose keys are those of
/// docs/c.md. `now_ns` 0 reads the clock. Does what is due first, as `lw_pool_maintain`. Else as `lw_node_id`; the next
/// call may need more room.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_stats(
    pool: lw_pool,
    now_ns: u64,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let json = pool::with(pool, |p| Ok(p.stats_at(time(now_ns)).to_value().to_json()))?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&json, buffer, capacity, len) }
    })
}

/// Copies a pool's metrics out, in `format`, one of `LW_METRICS_*`. Else as `lw_pool_stats`.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_metrics(
    pool: lw_pool,
    format: u32,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        let text = text_of(format, &[pool::with(pool, |p| Ok(p.stats()))?])?;
        // SAFETY: as the caller promises.
        unsafe { copy_out(&text, buffer, capacity, len) }
    })
}
