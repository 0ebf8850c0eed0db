//! The text format of Prometheus, version 0.0.4.

use super::families::{FAMILIES, Family, Kind};
use super::writer::{Format, write};
use crate::control::stats::PoolStats;

/// The state of pools in Prometheus' text format. Serve it as `text/plain; version=0.0.4; charset=utf-8`.
///
/// Of pools with the same name, all but the first are given a number: a series must not stand twice in a text.
///
/// ```
/// use loadwise::stats::PoolStats;
///
/// let pool = PoolStats { name: "api".into(), selections: 3, ..PoolStats::default() };
/// assert!(loadwise::prometheus(&[pool]).contains("\nloadwise_pool_selections_total{pool=\"api\"} 3\n"));
/// ```
pub fn prometheus(pools: &[PoolStats]) -> String {
    write(&Prometheus, FAMILIES, pools)
}

struct Prometheus;

impl Format for Prometheus {
    fn head(&self, out: &mut String, family: &Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        // Every sample of a family but a histogram's has the family's very name.
        let name = [family.name, family.kind.suffix()].concat();
        out.extend(["# HELP ", &name, " ", family.help, "\n# TYPE ", &name, " ", kind, "\n"]);
    }

    fn end(&self, _out: &mut String) {}
}
