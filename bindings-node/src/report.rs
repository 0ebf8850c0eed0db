//! How an attempt ended, read from the arguments of a call.

use loadwise::{ConfigError, Ending, FailureKind, Report};

use crate::closure::Call;
use crate::error::{Failure, Result};

/// The arguments of `finish` and `report`, after the pool and what the report is about.
const OUTCOME: usize = 2;
const KIND: usize = 3;
const LATENCY: usize = 4;
const RETRY_AFTER: usize = 5;
const NOW: usize = 6;

pub fn read<T>(call: &Call<'_, T>) -> Result<Report<'static>> {
    let js = call.js;
    let outcome = match call.given(OUTCOME)? {
        Some(word) => js
            .with_bytes(word, "outcome", Outcome::parse)?
            .ok_or_else(|| ConfigError::new("outcome", 0, "must be success, failure, rate_limited or cancelled"))?,
        None => Outcome::Success,
    };
    let kind = match call.given(KIND)? {
        Some(word) => Some(FailureKind::parse(&js.text(word, "kind")?).ok_or_else(unknown_kind)?),
        None => None,
    };
    let retry_after = call.milliseconds(RETRY_AFTER, "retryAfterMs")?.map(std::time::Duration::from_nanos);
    let ending = match (outcome, kind, retry_after) {
        (Outcome::Failure, kind, None) => Ending::Failure(kind.unwrap_or_default()),
        (Outcome::RateLimited, None, retry_after) => Ending::RateLimited { retry_after },
        (Outcome::Success, None, None) => Ending::Success,
        (Outcome::Cancelled, None, None) => Ending::Cancelled,
        (_, Some(_), _) => return Err(ConfigError::new("kind", 0, "is for the outcome failure").into()),
        _ => return Err(ConfigError::new("retryAfterMs", 0, "is for the outcome rate_limited").into()),
    };
    Ok(Report {
        ending,
        latency_ns: call.milliseconds(LATENCY, "latencyMs")?,
        now_ns: call.nanoseconds(NOW, "nowNs")?,
        ..Report::success()
    })
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
