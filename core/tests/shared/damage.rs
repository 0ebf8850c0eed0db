//! A segment of which some words are not what they were: whoever opens it gets an error or an answer, soon.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use loadwise::config::Value;
use loadwise::{Engine, Error, Load, NodeSpec, Outcome, Report, Request, StateError, now_ns};

/// Words that are written over at most.
const WOUNDS_MAX: usize = 64;
/// Words of the head that have a checksum: each change of them is refused.
const CHECKED: usize = 8;

const CONFIG: &str = "
pools:
  plain: {strategy: p2c, nodes: [a, b, c], limits: {max_nodes: 8, max_picks: 64, max_table_size: 31, max_groups: 2}}
  tables: {strategy: [{name: maglev, table_size: 31}, {name: ring_hash, points: 4}, weighted_round_robin, random],
           nodes: [a, {id: b, weight: 3}, c], limits: {max_nodes: 8, max_picks: 64, max_table_size: 31, max_groups: 2}}
  all: {strategy: least_request, max_in_flight: 100, lease_timeout_ms: 60000, breaker: true, outlier: true,
        panic: {mode: spread}, zones: {zone: x}, slow_start: true, adaptive_limit: true, checks: true,
        affinity: {entries: 16}, stats: {latency: nodes}, quotas: [{dimension: rpm, limit: 1000}],
        nodes: [{id: a, zone: x}, {id: b, tier: 1, max_in_flight: 3}, {id: c, labels: {v: '1'}}],
        limits: {max_nodes: 8, max_picks: 64, max_table_size: 31, max_groups: 4}}
";

/// The bytes of a state that was used, with picks open.
pub fn image(path: &Path) -> Vec<u8> {
    let _ = std::fs::remove_file(path);
    let config = format!("shared: {{path: '{}', max_processes: 4}}{CONFIG}", path.display());
    let engine = Engine::from_config(&config).expect("a configuration");
    for name in engine.names() {
        use_pool(&engine, &name);
        let pool = engine.pool(&name).expect("a pool");
        // Left open.
        let _ = (pool.acquire(&Request::new()), pool.acquire(&Request::new().key("k")));
    }
    let bytes = std::fs::read(path).expect("a file");
    drop(engine);
    std::fs::remove_file(path).expect("a file");
    bytes
}

/// Writes a copy with wounds of the choices that `next` makes, opens it, and uses all that opens.
pub fn wound_and_use(image: &[u8], path: &Path, next: &mut impl FnMut() -> u32) {
    let _ = std::fs::remove_file(path);
    std::fs::write(path, image).expect("room for a file");
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    let words: Vec<u64> =
        image.chunks_exact(8).map(|eight| u64::from_le_bytes(eight.try_into().unwrap_or_default())).collect();
    let used: Vec<usize> = (CHECKED..words.len()).filter(|&at| words[at] != 0).collect();
    for _ in 0..1 + next() as usize % WOUNDS_MAX {
        let at = match next() % 4 {
            0 => CHECKED + next() as usize % (words.len() - CHECKED),
            _ => used[next() as usize % used.len()],
        };
        let value = match next() % 6 {
            0 => u64::from(next()) << 32 | u64::from(next()),
            1 => u64::from(next() % 256),
            2 => words[at] ^ 1 << (next() % 64),
            3 => words[used[next() as usize % used.len()]],
            4 => u64::MAX,
            _ => words[at].wrapping_add(u64::from(next() % 16)),
        };
        file.write_all_at(&value.to_le_bytes(), at as u64 * 8).expect("room");
    }
    drop(file);
    if let Ok(looking) = Engine::view(path) {
        look(&looking);
    }
    if let Ok(engine) = Engine::attach(path) {
        // Names are read from the file, too.
        for name in engine.names() {
            use_pool(&engine, &name);
        }
        look(&engine);
        let _ = is_usable(engine.reload_from("pools: {plain: {nodes: [x, y], limits: {max_nodes: 8}}}").map(drop));
        for name in engine.names() {
            use_pool(&engine, &name);
        }
    }
    std::fs::remove_file(path).expect("a file");
}

fn look(engine: &Engine) {
    let _ = (engine.config(), engine.stats(), engine.prometheus(), engine.openmetrics(), engine.processes());
    for name in engine.names() {
        let Some(pool) = engine.pool(&name) else { continue };
        let _ = (pool.nodes(), pool.open_picks(100), pool.explain(&Request::new().key("k").zone("x")), pool.learned());
        let _ = (pool.find(&[("v", "1")]), pool.affinity("s"), pool.plan(&Request::new()), format!("{pool:?}"));
    }
}

/// Whether it is worth to change more: a lease that seems to be somebody's who lives is waited for, once.
fn is_usable(result: Result<(), Error>) -> bool {
    !matches!(result, Err(Error::State(StateError::Busy)))
}

fn use_pool(engine: &Engine, name: &str) {
    let Some(pool) = engine.pool(name) else { return };
    let requests = [
        Request::new(),
        Request::new().key("k"),
        Request::new().key("other").session("s").zone("x").cost(&[("rpm", 3)]),
        Request::new().require(&[("v", "1")]).exclude(&["a"]),
    ];
    for _ in 0..4 {
        for request in &requests {
            if let Ok(lease) = pool.acquire(request) {
                let report = Report::success().latency(Duration::from_millis(3));
                let _ = (pool.id_of(lease.node), pool.release(lease.ticket, report));
            }
            let (picked, explanation) = pool.pick_explained(request);
            let _ = explanation.to_value();
            if let Ok(pick) = picked {
                let _ = pick.finish(Outcome::Failure);
            }
        }
    }
    pool.maintain(now_ns());
    let _ = pool.report("a", Outcome::Failure);
    let _ = pool.report_load("b", Load { load: Some(0.5), ..Load::default() });
    for check in pool.checks_due(now_ns()) {
        let _ = pool.report_check(&check.id, true, Some(Duration::from_millis(1)), None);
    }
    let _ = pool.set_affinity("s", "b");
    let _: Value = pool.config_value();
    let changes: [&dyn Fn() -> Result<(), Error>; 6] = [
        &|| pool.set_weight("b", 2),
        &|| pool.register("d").map(drop),
        &|| pool.update(NodeSpec::new("a").weight(2).label("v", "2")),
        &|| pool.drain("c", true),
        &|| pool.deregister("d"),
        &|| pool.set_strategy("round_robin"),
    ];
    if changes.into_iter().all(|change| is_usable(change())) {
        pool.rebalance();
        pool.maintain(now_ns());
    }
}
