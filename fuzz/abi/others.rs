//! Calls without a pool.

use loadwise_ffi::health::{
    lw_health, lw_health_config, lw_health_forget, lw_health_get, lw_health_new, lw_health_record, lw_health_report,
    lw_health_should_probe, lw_health_status,
};
use loadwise_ffi::select::{lw_item, lw_select, lw_selection, lw_selector, lw_selector_new};

use super::memory::Block;
use super::world::{Kind, World, checked, free, live};

const SELECTORS: [&str; 9] = [
    "round_robin",
    "weighted_round_robin",
    "random",
    "weighted_random",
    "least_load",
    "p2c",
    "ring_hash",
    "most_available",
    "maglev",
];

pub fn make(w: &mut World<'_>, call: u32) {
    match call {
        0 => new_health(w),
        1 => new_selector(w),
        2 => {
            // As what it is, or as what it is not.
            if let Some((handle, kind)) = w.any() {
                let other = w.of(&[Kind::Pool, Kind::Health, Kind::Selector, Kind::Engine]);
                free(handle, if w.chance(2) { kind } else { other });
            }
        }
        3 | 4 => ask_health(w),
        _ => select(w),
    }
}

fn new_health(w: &mut World<'_>) {
    let config = lw_health_config {
        struct_size: 0,
        failure_threshold: w.of(&[0, 1, 3, u32::MAX]),
        recovery_successes: w.of(&[0, 1, u32::MAX]),
        reserved: 0,
        probe_interval_ms: w.of(&[0, 1, u64::MAX]),
    };
    let ((config, good), handle) = (w.structure(config), w.out::<lw_health>());
    if w.handles.len() >= 48 {
        return;
    }
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_health_new(config, handle) });
    assert!(status != 0 || good || config.is_null());
    if let (0, Some(handle)) = (status, w.written(handle)) {
        w.keep(handle, Kind::Health);
    }
}

fn ask_health(w: &mut World<'_>) {
    let health = w.handle(Kind::Health);
    let id = w.id();
    let (id, is_text) = w.text(&id);
    let record = lw_health_record {
        struct_size: 0,
        health: 0,
        consecutive_failures: 0,
        consecutive_successes: 0,
        since_failure_ns: 0,
        since_success_ns: 0,
    };
    let ((record, has_room), out, kind) = (w.structure(record), w.out(), w.below(6));
    let which = w.below(6);
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        match which {
            0 | 1 => lw_health_report(health, id, kind),
            2 => lw_health_status(health, id, out),
            3 => lw_health_should_probe(health, id, out),
            4 => lw_health_forget(health, id, out),
            _ => lw_health_get(health, id, record),
        }
    });
    assert!(status != 0 || (is_text && live(health, Kind::Health) && (which != 5 || has_room)));
}

fn new_selector(w: &mut World<'_>) {
    let name = w.of(&SELECTORS);
    let ((name, good), handle) = (w.text(name), w.out::<lw_selector>());
    if w.handles.len() >= 48 {
        return;
    }
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_selector_new(name, handle) });
    assert!(status != 0 || good);
    if let (0, Some(handle)) = (status, w.written(handle)) {
        w.keep(handle, Kind::Selector);
    }
}

fn select(w: &mut World<'_>) {
    let selector = w.handle(Kind::Selector);
    let items: Vec<lw_item> = (0..w.of(&[0, 1, 2, 3, 20, 100]))
        .map(|i| {
            let id = w.id();
            let (id, _) = w.text(&id);
            lw_item {
                id,
                weight: w.of(&[1, 0, 5, u32::MAX]),
                reserved: 0,
                load: w.of(&[1.0, f64::NAN, -1.0, f64::INFINITY]),
                remaining_ratio: w.of(&[0.5, f64::NAN, f64::from(i)]),
            }
        })
        .collect();
    let exclude: Vec<usize> = (0..w.below(4)).map(|_| w.of(&[0, 1, 2, 100, usize::MAX])).collect();
    let (key, _) = w.text("key");
    let selection = lw_selection {
        struct_size: 0,
        reserved: 0,
        key,
        exclude: w.lend(Block::of_array(&exclude)),
        exclude_len: exclude.len(),
    };
    let ((selection, good), index) = (w.structure(selection), w.out::<usize>());
    let given: *const lw_item = w.lend(Block::of_array(&items));
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_select(selector, given, items.len(), selection, index) });
    if status == 0 {
        assert!(live(selector, Kind::Selector) && (good || selection.is_null()));
        let chosen = w.written(index).expect("it was written");
        assert!(chosen < items.len() && (selection.is_null() || !exclude.contains(&chosen)));
    }
}
