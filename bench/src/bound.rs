//! What DESIGN asks of a figure, in terms of other figures of the same run.

use crate::harness::{Measured, Unit};

/// The most that a figure may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// Times the floor F, an uncontended atomic addition.
    F(f64),
    /// Clock readings, plus times F on top of what `what` takes at the same n.
    OverWithClock { what: String, clocks: f64, f: f64 },
    /// Times what `what` takes at the same n on one thread.
    Times { what: String, times: f64 },
    /// Times what `what` takes at the same n on as many threads.
    TimesThreads { what: String, times: f64 },
    /// Times F on top of what `what` takes at the same n.
    Over { what: String, f: f64 },
    /// Nanoseconds on top of what loadwise in Rust takes for the same.
    OverRust(f64),
    /// So many times faster than a peer at the same.
    FasterThan { who: &'static str, times: f64 },
    /// Times the language's empty call, which gives `ns`.
    OfEmpty { times: f64, ns: f64 },
    /// Not a time: the case itself checks what is asked, and ends the run if it is not so.
    Checked,
    /// Nanoseconds, or bytes where bytes are measured.
    Absolute(f64),
}

impl Bound {
    /// In the unit of the figure; `None` while what it refers to was not measured.
    pub fn limit(&self, of: &Measured, all: &[Measured]) -> Option<f64> {
        let f = floor(all)?;
        let own = |what: &str| find(all, what, of.n, 1, super::OURS);
        Some(match self {
            Self::F(times) => times * f,
            Self::OverWithClock { what, clocks, f: times } => {
                own(what)? + clocks * find(all, super::floors::CLOCK, 0, 1, super::FLOOR)? + times * f
            }
            Self::Times { what, times } => times * own(what)?,
            Self::TimesThreads { what, times } => times * find(all, what, of.n, of.threads, super::OURS)?,
            Self::Over { what, f: times } => own(what)? + times * f,
            Self::OverRust(ns) => find(all, &of.what, of.n, of.threads, super::OURS)? + ns,
            Self::FasterThan { who, times } => find(all, &of.what, of.n, of.threads, who)? / times,
            Self::OfEmpty { ns, .. } => *ns,
            Self::Checked => f64::INFINITY,
            Self::Absolute(limit) => *limit,
        })
    }

    /// As a reader of the table sees it, beside the figure that it bounds.
    pub fn describe(&self, of: &Measured) -> String {
        match self {
            Self::F(times) => format!("≤ {times} F"),
            Self::OverWithClock { what, clocks, f } => format!("≤ {what} + {clocks} clocks + {f} F"),
            Self::Times { what, times } if *what == of.what => format!("≤ {times}× one thread"),
            Self::Times { what, times } => format!("≤ {times}× {what}"),
            Self::TimesThreads { what, times } => format!("≤ {times}× {what}, {} threads", of.threads),
            Self::Over { what, f } => format!("≤ {what} + {f} F"),
            Self::OverRust(ns) => format!("≤ in Rust + {ns} ns"),
            Self::FasterThan { who, times } => format!("{times}× faster than {who}"),
            Self::OfEmpty { times, .. } => format!("≤ {times}× an empty call"),
            Self::Checked => "seen by the next pick".into(),
            Self::Absolute(limit) => match of.unit {
                Unit::Bytes => format!("≤ {limit} B"),
                Unit::Nanos if *limit >= 1e6 => format!("≤ {} ms", limit / 1e6),
                Unit::Nanos if *limit >= 1e3 => format!("≤ {} µs", limit / 1e3),
                Unit::Nanos => format!("≤ {limit} ns"),
            },
        }
    }
}

/// F of this run, in nanoseconds.
pub fn floor(all: &[Measured]) -> Option<f64> {
    find(all, super::floors::ATOMIC, 0, 1, super::FLOOR)
}

pub fn find(all: &[Measured], what: &str, n: usize, threads: usize, who: &str) -> Option<f64> {
    all.iter().find(|m| m.what == what && m.n == n && m.threads == threads && m.who == who).map(|m| m.ns)
}
