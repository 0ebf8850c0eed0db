//! The text format of OpenMetrics, version 1.0.0.

use super::families::{FAMILIES, Family, Kind};
use super::writer::{Format, write};
use crate::control::stats::PoolStats;

/// The state of pools in OpenMetrics' text format. Serve it as
/// `application/openmetrics-text; version=1.0.0; charset=utf-8`. It ends with `# EOF`, so nothing can be added to it.
///
/// Of pools with the same name, all but the first are given a number: a series must not stand twice in a text.
///
/// ```
/// use loadwise::stats::PoolStats;
///
/// let pool = PoolStats { name: "api".into(), selections: 3, ..PoolStats::default() };
/// let text = loadwise::openmetrics(&[pool]);
/// assert!(text.contains("# TYPE loadwise_pool_selections counter\n"));
/// assert!(text.ends_with("# EOF\n"));
/// ```
pub fn openmetrics(pools: &[PoolStats]) -> String {
    write(&OpenMetrics, FAMILIES, pools)
}

struct OpenMetrics;

impl Format for OpenMetrics {
    fn head(&self, out: &mut String, family: &Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        out.extend(["# TYPE ", family.name, " ", kind, "\n"]);
        if let Some(unit) = family.unit() {
            out.extend(["# UNIT ", family.name, " ", unit, "\n"]);
        }
        out.extend(["# HELP ", family.name, " ", family.help, "\n"]);
    }

    fn end(&self, out: &mut String) {
        out.push_str("# EOF\n");
    }
}
