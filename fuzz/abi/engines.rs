//! Calls on engines.

use std::mem::MaybeUninit;

use loadwise_ffi::engine::{
    lw_engine, lw_engine_config, lw_engine_from_config, lw_engine_len, lw_engine_maintain, lw_engine_metrics,
    lw_engine_name, lw_engine_open, lw_engine_pool, lw_engine_reload, lw_engine_reload_from, lw_engine_stats,
    lw_engine_version, lw_reloaded,
};
use loadwise_ffi::maintain::lw_maintained;
use loadwise_ffi::pool::lw_pool;

use super::world::{Kind, World, checked, live};

const CONFIGS: [&str; 6] = [
    "pools: {shop: {nodes: [n1, n2]}, search: {strategy: maglev, nodes: [n3]}}",
    "pools: {shop: {strategy: round_robin, nodes: [n2, n3], affinity: true}, mail: {nodes: []}}",
    "pools: {}",
    "nodes: [n1]",
    "pools: {shop: {nodes: [n1, n1]}}",
    "pools: {shop: {limits: {max_nodes: 3}, nodes: [n1]}}",
];

pub fn make(w: &mut World<'_>, call: u32) {
    if call == 0 {
        return new(w);
    }
    let engine = w.handle(Kind::Engine);
    let status = match call {
        1 | 2 => return pool(w, engine),
        3 => reload(w, engine),
        4 => maintain(w, engine),
        5 => numbers(w, engine),
        _ => texts(w, engine),
    };
    assert!(status != 0 || live(engine, Kind::Engine), "{engine:#x} is no engine");
}

fn new(w: &mut World<'_>) {
    let config = w.of(&CONFIGS);
    let ((config, good), handle) = (w.text(config), w.out::<lw_engine>());
    if w.handles.len() >= 48 {
        return;
    }
    // SAFETY: a text of this length, and room for a handle.
    let status = checked(unsafe {
        if w.chance(16) {
            lw_engine_open(config, handle)
        } else {
            lw_engine_from_config(config.data, config.len, handle)
        }
    });
    assert!(status != 0 || (good && !handle.is_null()));
    if let (0, Some(handle)) = (status, w.written(handle)) {
        w.keep(handle, Kind::Engine);
    }
}

fn pool(w: &mut World<'_>, engine: u64) {
    let name = w.of(&["shop", "search", "mail", "default", ""]);
    let ((name, good), handle) = (w.text(name), w.out::<lw_pool>());
    if w.handles.len() >= 48 {
        return;
    }
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_engine_pool(engine, name, handle) });
    assert!(status != 0 || (good && live(engine, Kind::Engine)));
    if let (0, Some(handle)) = (status, w.written(handle)) {
        w.keep(handle, Kind::Pool);
    }
}

fn reload(w: &mut World<'_>, engine: u64) -> u32 {
    // SAFETY: all integers.
    let empty: lw_reloaded = unsafe { MaybeUninit::zeroed().assume_init() };
    let (out, has_room) = w.structure(empty);
    let config = w.of(&CONFIGS);
    let (config, good) = w.text(config);
    let from_file = w.chance(8);
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        if from_file {
            lw_engine_reload(engine, out)
        } else {
            lw_engine_reload_from(engine, config.data, config.len, out)
        }
    });
    assert!(status != 0 || (good && (has_room || out.is_null()) && !from_file));
    // A callback may have freed the engine meanwhile, but none of ours does.
    status
}

fn maintain(w: &mut World<'_>, engine: u64) -> u32 {
    let now_ns = w.of(&[0, 1, 1 << 30, u64::MAX]);
    let (out, good) = w.structure(lw_maintained { struct_size: 0, rebuilt: 9, next_due_ns: 0, leases_expired: 0 });
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_engine_maintain(engine, now_ns, out) });
    assert!(status != 0 || good || out.is_null());
    status
}

fn numbers(w: &mut World<'_>, engine: u64) -> u32 {
    let (len, version) = (w.out::<usize>(), w.out::<u64>());
    // SAFETY: as the header asks for.
    let status =
        checked(unsafe { if w.chance(2) { lw_engine_len(engine, len) } else { lw_engine_version(engine, version) } });
    assert!(status != 0 || !len.is_null() || !version.is_null());
    status
}

fn texts(w: &mut World<'_>, engine: u64) -> u32 {
    let (which, number) = (w.below(4), w.below(4));
    let now_ns = w.of(&[0, 1, u64::MAX]);
    // SAFETY: as the header asks for.
    let text = w.copied(|buffer, capacity, len| unsafe {
        match which {
            0 => lw_engine_name(engine, number as usize, buffer, capacity, len),
            1 => lw_engine_config(engine, buffer, capacity, len),
            2 => lw_engine_stats(engine, now_ns, buffer, capacity, len),
            _ => lw_engine_metrics(engine, number, buffer, capacity, len),
        }
    });
    u32::from(text.is_none())
}
