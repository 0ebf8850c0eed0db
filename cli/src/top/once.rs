//! One look, printed: as text for people, as JSON for scripts.

use std::path::Path;
use std::process::ExitCode;

use loadwise::stats::{LatencyStats, NodeStats, PoolStats};
use loadwise::{FailureKind, OpenPick, ProcessStatus};

use super::look::Look;
use super::rates::error_share_of;
use super::watch::Watch;
use super::{Arguments, condition, document};
use crate::failure::Failure;
use crate::numbers::{count, duration, milliseconds, or_unknown, percent};
use crate::output;
use crate::table::{Side, Table};

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (_, look) = Watch::open(&arguments.path, arguments.picks)?.look();
    let Some(look) = look else {
        return Err(Failure::Wrong(format!("{} was cut off while it was looked at", arguments.path.display())));
    };
    if arguments.json {
        output::print_by(|out| document::write(out, look, &arguments.path, arguments.picks))?;
    } else {
        output::print(&text(&look, &arguments.path, arguments.picks))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(look: &Look, path: &Path, picks: usize) -> String {
    let in_flight: u64 = look.pools.iter().map(|pool| pool.stats.in_flight).sum();
    let mut lines = vec![format!(
        "{}  {}  pools {}  processes {}  in flight {in_flight}  configuration {}",
        output::harmless(&path.to_string_lossy()),
        look.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        look.pools.len(),
        look.processes.len(),
        look.config_version,
    )];
    for pool in &look.pools {
        lines.push(String::new());
        lines.extend(pool_lines(&pool.stats));
    }
    if !look.processes.is_empty() {
        lines.push(String::new());
        lines.extend(process_lines(&look.processes, look.now_ns));
    }
    let open = look.open_picks(picks);
    if !open.is_empty() {
        lines.push(String::new());
        lines.extend(pick_lines(&open, look.now_ns));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn pool_lines(stats: &PoolStats) -> Vec<String> {
    let mut line = format!(
        "pool {}  {}  available {} of {}  in flight {}  picks {}  failures {}",
        stats.name,
        stats.strategy,
        stats.available,
        stats.nodes.len(),
        limited(stats.in_flight, stats.max_in_flight),
        stats.selections,
        stats.failures,
    );
    let none: u64 = stats.no_node.iter().map(|(_, count)| count).sum();
    line += &format!("  no node {none}");
    if let Some(latency) = &stats.latency {
        line += &format!("  {}", percentiles(latency));
    }
    if stats.panic {
        line += "  PANIC";
    }
    let mut lines = vec![line];
    if !stats.nodes.is_empty() {
        lines.extend(node_table(&stats.nodes));
    }
    lines
}

fn node_table(nodes: &[NodeStats]) -> Vec<String> {
    let has_latency = nodes.iter().any(|node| node.latency.is_some());
    let mut columns = vec![
        ("NODE", Side::Left),
        ("STATE", Side::Left),
        ("WEIGHT", Side::Right),
        ("TIER", Side::Right),
        ("ZONE", Side::Left),
        ("IN FLIGHT", Side::Right),
        ("PICKS", Side::Right),
        ("ERRORS", Side::Right),
    ];
    columns.extend(if has_latency {
        vec![("P50 MS", Side::Right), ("P95 MS", Side::Right), ("P99 MS", Side::Right)]
    } else {
        vec![("AVG MS", Side::Right)]
    });
    columns.extend([("BREAKER", Side::Left), ("FAILURES BY KIND", Side::Left), ("IN FLIGHT BY PROCESS", Side::Left)]);
    let mut table = Table::new(&columns);
    for node in nodes {
        let mut cells = vec![
            node.id.clone(),
            condition::words(node).join(", "),
            node.weight.to_string(),
            node.tier.to_string(),
            node.zone.clone(),
            limited(node.in_flight, node.max_in_flight),
            count(node.selections),
            or_unknown(error_share_of(node), percent),
        ];
        cells.extend(if has_latency {
            let of = |figure: fn(&LatencyStats) -> f64| or_unknown(node.latency.as_ref().map(figure), milliseconds);
            vec![of(|latency| latency.p50_ms), of(|latency| latency.p95_ms), of(|latency| latency.p99_ms)]
        } else {
            vec![or_unknown(node.latency_ewma_ms, milliseconds)]
        });
        cells.extend([node.breaker.to_string(), kinds(&node.failures_by_kind), by_process(&node.in_flight_by_process)]);
        table.row(cells);
    }
    table.lines()
}

fn process_lines(processes: &[ProcessStatus], now_ns: u64) -> Vec<String> {
    let mut table = Table::new(&[
        ("PROCESS", Side::Right),
        ("COMMAND", Side::Left),
        ("STATE", Side::Left),
        ("IN FLIGHT", Side::Right),
        ("SINCE", Side::Right),
        ("HEARTBEAT", Side::Right),
        ("REPEATS", Side::Right),
    ]);
    for process in processes {
        table.row([
            process.pid.to_string(),
            process.command.clone(),
            process_state(process).to_owned(),
            process.in_flight.to_string(),
            duration(now_ns.saturating_sub(process.since_ns)),
            duration(now_ns.saturating_sub(process.heartbeat_ns)),
            count(process.repeats),
        ]);
    }
    table.lines()
}

fn pick_lines(open: &[(&str, &OpenPick)], now_ns: u64) -> Vec<String> {
    let columns = [("OPEN FOR", Side::Right), ("POOL", Side::Left), ("NODE", Side::Left), ("PROCESS", Side::Right)];
    let mut table = Table::new(&columns);
    for (pool, pick) in open {
        table.row([age(pick, now_ns), (*pool).to_owned(), pick.node.clone(), pick.pid.to_string()]);
    }
    table.lines()
}

/// Whether it lives; ids of another namespace than the caller's are of other processes here.
pub fn process_state(process: &ProcessStatus) -> &'static str {
    match (process.alive, process.in_namespace) {
        (false, _) => "gone",
        (true, true) => "alive",
        (true, false) => "elsewhere",
    }
}

pub fn age(pick: &OpenPick, now_ns: u64) -> String {
    or_unknown(pick.started_ns, |since| duration(now_ns.saturating_sub(since)))
}

/// `3`, or `3/100` under a limit.
pub fn limited(in_flight: u64, max_in_flight: u64) -> String {
    if max_in_flight == 0 { count(in_flight) } else { format!("{}/{}", count(in_flight), count(max_in_flight)) }
}

pub fn percentiles(latency: &LatencyStats) -> String {
    let [p50, p95, p99] = [latency.p50_ms, latency.p95_ms, latency.p99_ms].map(milliseconds);
    format!("p50 {p50}  p95 {p95}  p99 {p99} ms")
}

/// Those that there were: `connect 3, timeout 12`.
pub fn kinds(failures: &[(FailureKind, u64)]) -> String {
    let there = failures.iter().filter(|(_, count)| *count > 0);
    there.map(|(kind, failures)| format!("{} {}", kind.as_str(), count(*failures))).collect::<Vec<_>>().join(", ")
}

/// `4123:3 4124:1`.
pub fn by_process(in_flight: &[(u32, u64)]) -> String {
    in_flight.iter().map(|(pid, in_flight)| format!("{pid}:{in_flight}")).collect::<Vec<_>>().join(" ")
}
