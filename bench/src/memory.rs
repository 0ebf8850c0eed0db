//! Memory a node, each in a process of its own.

use std::process::{Command, Stdio};

use hashring::HashRing;
use loadwise::{Limits, NodeSpec, Pool};
use pingora_load_balancing::selection::Consistent;

use crate::bound::Bound;
use crate::harness::{Measured, Unit};
use crate::input::address;
use crate::peers::{HASHRING, PINGORA, balancer, points_of, ring_points};
use crate::quotas::quotas;
use crate::shared::{Attached, Segment};
use crate::{OURS, guarded};

const NODES: usize = 10_000;
/// Room for id, name and address, 255 bytes and a length each, for the zone, and for a node's own limits of 8 quotas.
const TEXTS: f64 = 3.0 * 256.0 + 64.0 + 8.0 * 16.0;
/// Of both plans, each with all members, those that are fit, and all by id (2 bytes a node each), an alias table (8) and
/// a table of ids (4 for each of 32 768 places).
const TABLES: f64 = 2.0 * (3.0 * 2.0 + 8.0 + 4.0 * 32_768.0 / NODES as f64);
/// How a process is asked for one figure.
pub const ARGUMENT: &str = "--memory-of";

const POOL: &str = "memory a node: p2c, with texts of up to 3 × 255 + 63 bytes and 8 limits";
const EVERYTHING: &str = "everything";
const PLACES: &str = "places";
const HISTOGRAMS: &str = "histograms";
const ONE_QUOTA: &str = "quota";
const QUOTAS: &str = "quotas";
/// What comes on top of everything.
const MORE: [(&str, &str); 4] = [
    (PLACES, "tables of 2 tiers with 3 zones each"),
    (HISTOGRAMS, "histograms"),
    (ONE_QUOTA, "1 quota"),
    (QUOTAS, "8 quotas"),
];
const RING: &str = "memory a node: ring_hash, 104 points, with texts";

pub fn measure() -> Vec<Measured> {
    let measured = |what: &str, who: &str, bytes: f64, bound| Measured {
        what: what.into(),
        n: NODES,
        threads: 1,
        who: who.into(),
        ns: bytes,
        spread: 0.0,
        bound,
        unit: Unit::Bytes,
    };
    let mut all = Vec::new();
    if let Some(bytes) = ask("p2c") {
        all.push(measured(POOL, OURS, bytes, None));
        all.push(measured(
            "memory a node: p2c, beside texts, tables and quotas",
            OURS,
            bytes - TEXTS,
            Some(Bound::Absolute(512.0)),
        ));
    }
    if let Some(bytes) = ask(EVERYTHING) {
        let what = "memory a node: everything on and used but tiers and zones, beside texts, tables and quotas";
        all.push(measured(what, OURS, bytes - TEXTS - TABLES, Some(Bound::Absolute(512.0))));
        for (subject, name) in MORE {
            let more = ask(subject).map(|with| with - bytes);
            all.extend(more.map(|more| measured(&format!("memory a node: {name}"), OURS, more, None)));
        }
    }
    let shared = bytes_of_shared(NODES, 64) - bytes_of_shared(0, 1);
    let what = "memory a node: p2c, shared by 64 processes, beside texts, tables and quotas";
    // Each node's texts are there twice, so that they change with the plan.
    let beside_texts = shared / NODES as f64 - 2.0 * TEXTS - TABLES;
    all.push(measured(what, OURS, beside_texts, Some(Bound::Absolute(1024.0))));
    for (subject, who) in [("ring_hash", OURS), ("hashring", HASHRING), ("pingora", PINGORA)] {
        all.extend(ask(subject).map(|bytes| measured(RING, who, bytes, None)));
    }
    all
}

/// Bytes of the file that so many processes share.
fn bytes_of_shared(nodes: usize, processes: usize) -> f64 {
    let file = Segment::new();
    let shared = loadwise::config::SharedConfig::new(file.0.to_string_lossy());
    let limits = Limits { max_nodes: 16_384, max_labels: 0, max_label_bytes: 0, ..Limits::default() };
    let made = Pool::builder().shared(shared).limits(limits).build();
    let pool = made.unwrap_or_else(|e| panic!("{e}"));
    let must = |result: Result<(), loadwise::Error>| result.unwrap_or_else(|e| panic!("{e}"));
    must(pool.set_nodes((0..nodes).map(|i| NodeSpec::new(address(i)))));
    // Both plans and both descriptions have been in use in any pool that saw a change.
    for weight in [2, 1] {
        must(pool.set_nodes((0..nodes).map(|i| NodeSpec::new(address(i)).weight(weight))));
    }
    let others: Vec<Attached> = (1..processes).map(|_| Attached::to(&file.0)).collect();
    assert_eq!(pool.processes().len(), processes);
    let blocks = std::fs::metadata(&file.0).map_or(0, |file| std::os::unix::fs::MetadataExt::blocks(&file));
    drop(others);
    blocks as f64 * 512.0
}

/// Bytes a node, from a child.
fn ask(subject: &str) -> Option<f64> {
    let output =
        Command::new(std::env::current_exe().ok()?).args([ARGUMENT, subject]).stderr(Stdio::inherit()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The child's part.
pub fn answer(subject: &str) {
    let before = resident();
    let kept: Box<dyn std::any::Any> = match subject {
        "p2c" | "ring_hash" => Box::new(pool(subject)),
        EVERYTHING => Box::new(everything("", guarded::limited)),
        PLACES => Box::new(everything("", guarded::placed_and_limited)),
        HISTOGRAMS => Box::new(everything(guarded::HISTOGRAMS, guarded::limited)),
        ONE_QUOTA => Box::new(everything(&quotas(1), guarded::limited)),
        QUOTAS => Box::new(everything(&quotas(8), guarded::limited)),
        "hashring" => {
            let mut ring = HashRing::new();
            ring.batch_add((0..NODES).flat_map(|i| points_of(i, ring_points(NODES))).collect());
            Box::new(ring)
        }
        _ => Box::new(balancer::<Consistent>(NODES, false)),
    };
    let after = resident();
    println!("{}", after.saturating_sub(before) as f64 / NODES as f64);
    drop(kept);
}

fn pool(strategy: &str) -> Pool {
    let limits = Limits { max_nodes: 16_384, max_labels: 0, max_label_bytes: 0, ..Limits::default() };
    let pool = Pool::builder().limits(limits).strategy(strategy).and_then(|b| {
        let pool = b.build()?;
        pool.set_nodes((0..NODES).map(|i| NodeSpec::new(address(i))))?;
        // Both plans have been in use in any pool that saw a change.
        pool.register("another")?;
        Ok(pool)
    });
    pool.unwrap_or_else(|e| panic!("{e}"))
}

/// All that a node can have, after each was picked.
fn everything(more: &str, node: fn(usize) -> NodeSpec) -> Pool {
    let no_labels = "limits: {max_labels: 0, max_label_bytes: 0}\n";
    let config = guarded::everything_and(&format!("{more}{no_labels}"));
    let pool = guarded::pool(&config, NODES, node);
    // Both plans have been in use in any pool that saw a change.
    pool.register("another").and_then(|_| pool.deregister("another")).unwrap_or_else(|e| panic!("{e}"));
    guarded::use_all(&pool);
    pool
}

/// Bytes that are there, without code and what the allocator keeps for later.
fn resident() -> u64 {
    // SAFETY: it takes no pointer and may be called at any time.
    unsafe { libc::malloc_trim(0) };
    let status = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|l| l.strip_prefix("Anonymous:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
