//! Samples, as both formats write them: `name{label="value"} number`.

use std::collections::HashSet;

use super::families::{Family, Samples};
use crate::control::stats::{LatencyHistogram, LatencyStats, NodeStats, PoolStats};

/// Where the two formats differ.
pub(super) trait Format {
    /// What stands before a family's samples.
    fn head(&self, out: &mut String, family: &Family);
    /// What stands after all families.
    fn end(&self, out: &mut String);
}

/// The families that have samples, each once for all pools.
pub(super) fn write(format: &impl Format, families: &[Family], pools: &[PoolStats]) -> String {
    let mut names = HashSet::new();
    let pools: Vec<_> = pools.iter().map(|pool| Labelled::new(pool, &unused(&mut names, &pool.name))).collect();
    let mut out = String::new();
    for family in families {
        let start = out.len();
        format.head(&mut out, family);
        let samples = out.len();
        for pool in &pools {
            pool.write(&mut out, family);
        }
        if out.len() == samples {
            out.truncate(start);
        }
    }
    format.end(&mut out);
    out
}

/// `name`, or `name#2` and so on if that is taken.
fn unused(names: &mut HashSet<String>, name: &str) -> String {
    let mut unused = name.to_owned();
    let mut number = 1u64;
    while !names.insert(unused.clone()) {
        number += 1;
        unused = format!("{name}#{number}");
    }
    unused
}

/// A pool and its nodes, each with the labels that all its samples share.
struct Labelled<'a> {
    pool: (String, &'a PoolStats),
    nodes: Vec<(String, &'a NodeStats)>,
}

impl<'a> Labelled<'a> {
    fn new(pool: &'a PoolStats, name: &str) -> Self {
        let labels = label("pool", name);
        let nodes = pool.nodes.iter().map(|node| ([&*labels, ",", &*label("node", &node.id)].concat(), node)).collect();
        Self { pool: (labels, pool), nodes }
    }

    fn write(&self, out: &mut String, family: &Family) {
        match family.samples {
            Samples::OfPool(samples) => samples(self.pool.1, &mut Series { out, family, labels: &self.pool.0 }),
            Samples::OfNode(samples) => {
                for (labels, node) in &self.nodes {
                    samples(node, &mut Series { out, family, labels });
                }
            }
        }
    }
}

/// The samples of one family that are of one pool or node.
pub(super) struct Series<'a> {
    out: &'a mut String,
    family: &'a Family,
    labels: &'a str,
}

impl Series<'_> {
    pub(super) fn value(&mut self, value: impl Into<Number>) {
        self.sample(self.family.kind.suffix(), "", value.into());
    }

    pub(super) fn option(&mut self, value: Option<impl Into<Number>>) {
        if let Some(value) = value {
            self.value(value);
        }
    }

    pub(super) fn labelled(&mut self, name: &str, text: &str, value: impl Into<Number>) {
        self.sample(self.family.kind.suffix(), &label(name, text), value.into());
    }

    /// A 1 that says what the labels are.
    pub(super) fn info<const N: usize>(&mut self, labels: [(&str, &str); N]) {
        let labels = labels.map(|(name, text)| label(name, text)).join(",");
        self.sample(self.family.kind.suffix(), &labels, Number::Int(1));
    }

    /// Nothing without requests: there is no percentile of nothing.
    pub(super) fn quantiles(&mut self, latency: Option<LatencyStats>) {
        if let Some(latency) = latency.filter(|latency| latency.count > 0) {
            self.labelled("quantile", "0.5", latency.p50_ms / 1e3);
            self.labelled("quantile", "0.95", latency.p95_ms / 1e3);
            self.labelled("quantile", "0.99", latency.p99_ms / 1e3);
        }
    }

    pub(super) fn histogram(&mut self, histogram: Option<&LatencyHistogram>) {
        let Some(histogram) = histogram else { return };
        for bucket in &histogram.buckets {
            let le = label("le", &Number::Float(bucket.le_ms / 1e3).text());
            self.sample("_bucket", &le, Number::Int(bucket.count));
        }
        self.sample("_bucket", &label("le", "+Inf"), Number::Int(histogram.count));
        self.sample("_sum", "", Number::Float(histogram.sum_ms / 1e3));
        self.sample("_count", "", Number::Int(histogram.count));
    }

    fn sample(&mut self, suffix: &str, labels: &str, value: Number) {
        let comma = if labels.is_empty() { "" } else { "," };
        self.out.extend([self.family.name, suffix, "{", self.labels, comma, labels, "} ", &value.text(), "\n"]);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(u64),
    Float(f64),
}

impl Number {
    /// As both formats have it: Rust's own words for the infinities are not theirs.
    pub(super) fn text(self) -> String {
        match self {
            Self::Int(int) => int.to_string(),
            Self::Float(f64::INFINITY) => "+Inf".to_owned(),
            Self::Float(f64::NEG_INFINITY) => "-Inf".to_owned(),
            Self::Float(float) => format!("{float:?}"),
        }
    }
}

impl From<u64> for Number {
    fn from(int: u64) -> Self {
        Self::Int(int)
    }
}

impl From<u32> for Number {
    fn from(int: u32) -> Self {
        Self::Int(int.into())
    }
}

impl From<bool> for Number {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

impl From<f64> for Number {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

/// `name="text"`, escaped.
pub(super) fn label(name: &str, text: &str) -> String {
    let mut out = String::with_capacity(name.len() + text.len() + 3);
    out.extend([name, "=\""]);
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
