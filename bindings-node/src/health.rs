//! Health for hosts that choose without a pool.

use std::rc::Rc;
use std::time::Duration;

use loadwise::{ConsecutiveFailurePolicy, HealthTracker, Outcome};

use crate::closure::{Call, define};
use crate::data::object;
use crate::error::Result;
use crate::js::Value;

type Tracker = HealthTracker<String>;

/// `openTracker(failureThreshold, recoverySuccesses, probeIntervalMs)` → the functions of a tracker.
pub fn open<'c>(call: &Call<'c, ()>) -> Result<Value<'c>> {
    let default = ConsecutiveFailurePolicy::default();
    let count = |index, name, otherwise| match call.given(index)? {
        Some(_) => call.uint32(index, name),
        None => Ok(otherwise),
    };
    let policy = ConsecutiveFailurePolicy {
        failure_threshold: count(0, "failureThreshold", default.failure_threshold)?,
        recovery_successes: count(1, "recoverySuccesses", default.recovery_successes)?,
        probe_interval: call.milliseconds(2, "probeIntervalMs")?.map_or(default.probe_interval, Duration::from_nanos),
    };
    let functions = call.js.object()?;
    define(
        call.js,
        functions,
        &Rc::new(Tracker::new(policy)),
        call.errors,
        &[
            ("reportSuccess", |call| tell(call, &Outcome::Success)),
            ("reportFailure", |call| tell(call, &Outcome::Failure)),
            ("reportRateLimited", |call| tell(call, &Outcome::RateLimited { retry_after: None })),
            ("status", |call| call.js.string(call.state.status(&call.text(0, "id")?).as_str())),
            ("shouldProbe", |call| call.js.boolean(call.state.should_probe(&call.text(0, "id")?))),
            ("forget", |call| call.js.boolean(call.state.forget(&call.text(0, "id")?))),
            ("health", health),
        ],
    )?;
    Ok(functions)
}

fn tell<'c>(call: &Call<'c, Tracker>, outcome: &Outcome) -> Result<Value<'c>> {
    call.state.report_outcome(&call.text(0, "id")?, outcome);
    call.js.undefined()
}

fn health<'c>(call: &Call<'c, Tracker>) -> Result<Value<'c>> {
    let js = call.js;
    let health = call.state.get_health(&call.text(0, "id")?);
    object(
        js,
        &[
            ("status", js.string(health.status.as_str())?),
            ("consecutiveFailures", js.small(health.consecutive_failures)?),
            ("consecutiveSuccesses", js.small(health.consecutive_successes)?),
        ],
    )
}
