//! Outcomes and times from Python.

use std::time::Duration;

use loadwise::{Ending, FailureKind, Report};
use pyo3::prelude::*;

use crate::amounts::Amounts;
use crate::{error, key};

/// What can be said of an attempt besides how it ended.
#[derive(Default)]
pub struct Said<'a, 'py> {
    pub latency: Option<f64>,
    pub kind: Option<&'a Bound<'py, PyAny>>,
    pub retry_after: Option<f64>,
    pub usage: Option<&'a Bound<'py, PyAny>>,
    pub now_ns: Option<u64>,
}

impl Said<'_, '_> {
    #[inline]
    pub fn is_nothing(&self) -> bool {
        self.latency.is_none()
            && self.kind.is_none()
            && self.retry_after.is_none()
            && self.usage.is_none()
            && self.now_ns.is_none()
    }
}

/// Gives `done` the report of an outcome by its name, `None` being success.
pub fn reported<R>(
    py: Python<'_>,
    outcome: Option<&Bound<'_, PyAny>>,
    said: Said<'_, '_>,
    done: impl FnOnce(Report<'_>) -> R,
) -> PyResult<R> {
    let ending = ending(py, outcome, said.kind, said.retry_after)?;
    finished(py, ending, said.latency, said.usage, said.now_ns, done)
}

/// How something ended, by the words for it.
pub fn ending(
    py: Python<'_>,
    outcome: Option<&Bound<'_, PyAny>>,
    kind: Option<&Bound<'_, PyAny>>,
    retry_after: Option<f64>,
) -> PyResult<Ending> {
    let outcome = outcome.map_or(Ok("success"), |o| key::text("outcome", o))?;
    let ending = match outcome {
        "success" => Ending::Success,
        "failure" => failure(py, kind)?,
        "rate_limited" => rate_limited(py, retry_after)?,
        "cancelled" => Ending::Cancelled,
        _ => {
            let message = format!("must be success, failure, rate_limited or cancelled, not {outcome:?}");
            return Err(error::config(py, "outcome", message));
        }
    };
    if kind.is_some() && outcome != "failure" {
        return Err(error::config(py, "kind", "is for failures"));
    }
    if retry_after.is_some() && outcome != "rate_limited" {
        return Err(error::config(py, "retry_after", "is for the outcome rate_limited"));
    }
    Ok(ending)
}

pub fn failure(py: Python<'_>, kind: Option<&Bound<'_, PyAny>>) -> PyResult<Ending> {
    let Some(kind) = kind else { return Ok(Ending::Failure(FailureKind::Other)) };
    let word = key::text("kind", kind)?;
    let kind = FailureKind::parse(word).ok_or_else(|| {
        let known = FailureKind::ALL.map(FailureKind::as_str).join(", ");
        error::config(py, "kind", format!("must be one of {known}, not {word:?}"))
    })?;
    Ok(Ending::Failure(kind))
}

pub fn rate_limited(py: Python<'_>, retry_after: Option<f64>) -> PyResult<Ending> {
    Ok(Ending::RateLimited { retry_after: retry_after.map(|s| seconds(py, "retry_after", s)).transpose()? })
}

/// Gives `done` the report of an ending, with what is known of its time and its use of quotas.
#[inline]
pub fn finished<R>(
    py: Python<'_>,
    ending: Ending,
    latency: Option<f64>,
    usage: Option<&Bound<'_, PyAny>>,
    now_ns: Option<u64>,
    done: impl FnOnce(Report<'_>) -> R,
) -> PyResult<R> {
    let mut report = Report { ending, now_ns, ..Report::success() };
    if let Some(latency) = latency {
        report = report.latency(seconds(py, "latency", latency)?);
    }
    match usage {
        None => Ok(done(report)),
        Some(usage) => {
            let usage = Amounts::read("usage", usage)?;
            Ok(done(report.usage(&usage.pairs()?)))
        }
    }
}

/// Seconds as Python counts them.
pub fn seconds(py: Python<'_>, key: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| error::config(py, key, format!("must be a number of seconds, at least 0, not {seconds}")))
}
