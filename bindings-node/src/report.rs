//! How an attempt ended, read from the arguments of a call.

use std::time::Duration;

use loadwise::{ConfigError, Ending, FailureKind, Report};

use crate::closure::Call;
use crate::error::{Failure, Result};
use crate::value;

/// The arguments of `finish` and `report`, after the pool and what the report is about.
const OUTCOME: usize = 2;
const KIND: usize = 3;
const LATENCY: usize = 4;
const RETRY_AFTER: usize = 5;
const NOW: usize = 6;
const USAGE: usize = 7;

/// Reads a report and tells it.
pub fn told<T, R>(call: &Call<'_, T>, tell: impl FnOnce(Report<'_>) -> R) -> Result<R> {
    let report = Report {
        ending: ending(call, OUTCOME, KIND, RETRY_AFTER)?,
        latency_ns: call.milliseconds(LATENCY, "latencyMs")?,
        now_ns: call.nanoseconds(NOW, "nowNs")?,
        ..Report::success()
    };
    match call.given(USAGE)? {
        None => Ok(tell(report)),
        Some(usage) => {
            let usage = value::amounts(call.js, usage, "usage")?;
            let usage: Vec<(&str, u64)> = usage.iter().map(|(dimension, n)| (dimension.as_str(), *n)).collect();
            Ok(tell(report.usage(&usage)))
        }
    }
}

/// An ending, from the arguments at these places.
pub fn ending<T>(call: &Call<'_, T>, outcome: usize, kind: usize, retry_after: usize) -> Result<Ending> {
    let js = call.js;
    let outcome = match call.given(outcome)? {
        Some(word) => js
            .with_bytes(word, "outcome", Outcome::parse)?
            .ok_or_else(|| ConfigError::new("outcome", 0, "must be success, failure, rate_limited or cancelled"))?,
        None => Outcome::Success,
    };
    let kind = match call.given(kind)? {
        Some(word) => Some(FailureKind::parse(&js.text(word, "kind")?).ok_or_else(unknown_kind)?),
        None => None,
    };
    let retry_after = call.milliseconds(retry_after, "retryAfterMs")?.map(Duration::from_nanos);
    match (outcome, kind, retry_after) {
        (Outcome::Failure, kind, None) => Ok(Ending::Failure(kind.unwrap_or_default())),
        (Outcome::RateLimited, None, retry_after) => Ok(Ending::RateLimited { retry_after }),
        (Outcome::Success, None, None) => Ok(Ending::Success),
        (Outcome::Cancelled, None, None) => Ok(Ending::Cancelled),
        (_, Some(_), _) => Err(ConfigError::new("kind", 0, "is for the outcome failure").into()),
        _ => Err(ConfigError::new("retryAfterMs", 0, "is for the outcome rate_limited").into()),
    }
}

fn unknown_kind() -> Failure {
    let known = FailureKind::ALL.map(FailureKind::as_str).join(", ");
    ConfigError::new("kind", 0, format!("unknown kind of failure; known are {known}")).into()
}

#[derive(Clone, Copy)]
enum Outcome {
    Success,
    Failure,
    RateLimited,
    Cancelled,
}

impl Outcome {
    fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"success" => Some(Self::Success),
            b"failure" => Some(Self::Failure),
            b"rate_limited" => Some(Self::RateLimited),
            b"cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}
