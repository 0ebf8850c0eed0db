//! The figures as a document.

use std::fmt::Write;

use crate::bound::floor;
use crate::harness::{Effort, Measured, Unit};
use crate::{FLOOR, OURS};

/// The whole document.
pub fn markdown(all: &[Measured], missing: &[String], effort: Effort) -> String {
    let mut out = String::from("# Measured side by side\n\n");
    let _ = writeln!(
        out,
        "Written by `make bench`, in one run: {} rounds in each of which every case ran for {} ms. A figure is the median \
         of its rounds, ± their median absolute deviation; for one thread it is time on the processor, for two what one of \
         them sees of time, and so for waiting. F is an uncontended \
         atomic addition in this run: times vary by machine, ratios much less. Peers are called as their documentation \
         shows, with the same nodes and 24-byte keys; the ratio says how much longer they take.\n",
        effort.rounds,
        effort.batch.as_micros() as f64 / 1000.0
    );
    let _ = writeln!(out, "{}\n", machine());
    out.push_str("![Nanoseconds by number of nodes](results.svg)\n\n");
    let _ = writeln!(out, "## Summary\n\n```\n{}```\n", summary(all));
    type Belongs = fn(&Measured) -> bool;
    let sections: [(&str, Belongs); 10] = [
        ("Floors", |m| m.who == FLOOR),
        ("Choose a node", |m| begins(m, &["choose"])),
        ("Pick and finish", |m| begins(m, &["pick"])),
        ("Pick and finish with what keeps traffic safe", |m| begins(m, &[crate::guarded::PICK])),
        ("Quotas and sessions", |m| begins(m, &["quota", "session"])),
        ("Waiting for room", |m| begins(m, &["wait"])),
        ("Over one's own slice", |m| begins(m, &["slice"])),
        ("When something changes", |m| begins(m, &["table", "one", "a node", "maintain", "reload"])),
        ("Looking inside", |m| begins(m, &["look"])),
        ("Memory", |m| m.unit == Unit::Bytes),
    ];
    for (title, belongs) in sections {
        let rows: Vec<&Measured> = all.iter().filter(|m| belongs(m) && !is_host(m)).collect();
        let _ = writeln!(out, "## {title}\n\n{}", rows_of(&rows, all));
    }
    for host in ["C", "Python", "Node"] {
        let rows: Vec<&Measured> = all.iter().filter(|m| m.who == host).collect();
        if !rows.is_empty() {
            let _ = writeln!(out, "## {host}\n\n{}", rows_of(&rows, all));
        }
    }
    for line in missing {
        let _ = writeln!(out, "Not measured: {line}\n");
    }
    out
}

fn begins(m: &Measured, with: &[&str]) -> bool {
    m.who != FLOOR && with.iter().any(|word| m.what.starts_with(word))
}

/// What is asked, and how much of it is reached.
pub fn summary(all: &[Measured]) -> String {
    let judged: Vec<(&Measured, f64)> =
        all.iter().filter_map(|m| Some((m, m.bound.as_ref()?.limit(m, all)?))).collect();
    let missed: Vec<_> = judged.iter().filter(|(m, limit)| m.ns > *limit).collect();
    let mut out = format!("{} of {} bounds are reached.\n", judged.len() - missed.len(), judged.len());
    for (m, limit) in missed {
        let bound = m.bound.as_ref().map(|b| b.describe(m)).unwrap_or_default();
        let threads = if m.threads > 1 { format!(", {} threads", m.threads) } else { String::new() };
        let host = if is_host(m) { format!("{}, ", m.who) } else { String::new() };
        let (what, n) = (&m.what, count(m.n));
        let _ =
            writeln!(out, "  {host}{what}, n = {n}{threads}: {} where {bound} = {}", value(m), unit(*limit, m.unit));
    }
    out
}

/// All rows without sections.
pub fn table(all: &[Measured]) -> String {
    rows_of(&all.iter().collect::<Vec<_>>(), all)
}

fn rows_of(rows: &[&Measured], all: &[Measured]) -> String {
    let mut out = String::from("| what | n | threads | time | × F | to reach | reached | peers |\n");
    out.push_str("|---|--:|--:|--:|--:|---|---|---|\n");
    let ours = |m: &Measured| m.who == OURS || m.who == FLOOR || is_host(m);
    // A peer beside which there is nothing of ours has a row to itself.
    let alone = |m: &Measured| !all.iter().any(|o| ours(o) && same(o, m));
    for m in rows.iter().filter(|m| ours(m) || alone(m)) {
        let limit = m.bound.as_ref().and_then(|b| b.limit(m, all));
        let reached = limit.map_or("", |limit| if m.ns <= limit { "yes" } else { "**no**" });
        let in_floors = match (m.unit, floor(all)) {
            (Unit::Nanos, Some(f)) if m.ns < 1e6 => format!("{:.2}", m.ns / f),
            _ => String::new(),
        };
        let peers: Vec<String> = all
            .iter()
            .filter(|p| !ours(p) && ours(m) && same(p, m))
            .map(|p| format!("{} {} ({:.1}×)", p.who, value(p), p.ns / m.ns))
            .collect();
        let what = if ours(m) { m.what.clone() } else { format!("{}: {}", m.who, m.what) };
        let spread = if m.spread > 0.0 { format!(" ± {}", unit(m.spread, m.unit)) } else { String::new() };
        let bound = m.bound.as_ref().map(|b| b.describe(m)).unwrap_or_default();
        let (n, threads, value, peers) = (count(m.n), m.threads, value(m), peers.join(" · "));
        let _ = writeln!(
            out,
            "| {what} | {n} | {threads} | {value}{spread} | {in_floors} | {bound} | {reached} | {peers} |"
        );
    }
    out
}

fn same(a: &Measured, b: &Measured) -> bool {
    a.what == b.what && a.n == b.n && a.threads == b.threads
}

fn is_host(m: &Measured) -> bool {
    ["C", "Python", "Node"].contains(&m.who.as_str())
}

fn count(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

fn value(m: &Measured) -> String {
    unit(m.ns, m.unit)
}

fn unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => format!("{value:.0} B"),
        Unit::Nanos if value < 100.0 => format!("{value:.1} ns"),
        Unit::Nanos if value < 10_000.0 => format!("{value:.0} ns"),
        Unit::Nanos if value < 1e6 => format!("{:.1} µs", value / 1e3),
        Unit::Nanos => format!("{:.2} ms", value / 1e6),
    }
}

/// Processor, cores, kernel, compiler.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|(_, v)| v.to_owned()));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let rustc = std::process::Command::new("rustc").arg("-V").output().map(|o| o.stdout).unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}, {}.",
        model.as_deref().unwrap_or("unknown processor"),
        kernel.trim(),
        String::from_utf8_lossy(&rustc).trim()
    )
}
