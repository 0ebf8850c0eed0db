//! Outcomes and times from Python.

use std::time::Duration;

use loadwise::{FailureKind, Report};
use pyo3::prelude::*;

use crate::{error, key};

/// What can be said of an attempt besides how it ended.
pub struct Said<'a, 'py> {
    pub latency: Option<f64>,
    pub kind: Option<&'a Bound<'py, PyAny>>,
    pub retry_after: Option<f64>,
    pub now_ns: Option<u64>,
}

impl Said<'_, '_> {
    #[inline]
    pub fn is_nothing(&self) -> bool {
        self.latency.is_none() && self.kind.is_none() && self.retry_after.is_none() && self.now_ns.is_none()
    }
}

/// The report of an outcome by its name, `None` being success.
pub fn report(py: Python<'_>, outcome: Option<&Bound<'_, PyAny>>, said: Said<'_, '_>) -> PyResult<Report<'static>> {
    let outcome = outcome.map_or(Ok("success"), |o| key::text("outcome", o))?;
    let report = match outcome {
        "success" => Report::success(),
        "failure" => failure(py, said.kind)?,
        "rate_limited" => rate_limited(py, said.retry_after)?,
        "cancelled" => Report::cancelled(),
        _ => {
            let message = format!("must be success, failure, rate_limited or cancelled, not {outcome:?}");
            return Err(error::config(py, "outcome", message));
        }
    };
    if said.kind.is_some() && outcome != "failure" {
        return Err(error::config(py, "kind", "is for failures"));
    }
    if said.retry_after.is_some() && outcome != "rate_limited" {
        return Err(error::config(py, "retry_after", "is for the outcome rate_limited"));
    }
    finished(py, report, said.latency, said.now_ns)
}

pub fn failure(py: Python<'_>, kind: Option<&Bound<'_, PyAny>>) -> PyResult<Report<'static>> {
    let Some(kind) = kind else { return Ok(Report::failure(FailureKind::Other)) };
    let word = key::text("kind", kind)?;
    let kind = FailureKind::parse(word).ok_or_else(|| {
        let known = FailureKind::ALL.map(FailureKind::as_str).join(", ");
        error::config(py, "kind", format!("must be one of {known}, not {word:?}"))
    })?;
    Ok(Report::failure(kind))
}

pub fn rate_limited(py: Python<'_>, retry_after: Option<f64>) -> PyResult<Report<'static>> {
    Ok(Report::rate_limited(retry_after.map(|s| seconds(py, "retry_after", s)).transpose()?))
}

/// Adds what is known of the time.
#[inline]
pub fn finished(
    py: Python<'_>,
    mut report: Report<'static>,
    latency: Option<f64>,
    now_ns: Option<u64>,
) -> PyResult<Report<'static>> {
    if let Some(latency) = latency {
        report = report.latency(seconds(py, "latency", latency)?);
    }
    report.now_ns = now_ns;
    Ok(report)
}

/// Seconds as Python counts them.
pub fn seconds(py: Python<'_>, key: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| error::config(py, key, format!("must be a number of seconds, at least 0, not {seconds}")))
}
