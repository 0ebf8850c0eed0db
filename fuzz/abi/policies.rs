//! Calls on what pools have beside picks and nodes.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use loadwise_ffi::affinity::{lw_pool_affinity, lw_pool_clear_affinity, lw_pool_rebalance, lw_pool_set_affinity};
use loadwise_ffi::attempts::{lw_attempt, lw_pool_plan, lw_pool_retry, lw_retry};
use loadwise_ffi::checks::{lw_check, lw_pool_checks_due, lw_pool_next_check, lw_pool_report_check};
use loadwise_ffi::config::{lw_config_check, lw_pool_config, lw_pool_reload};
use loadwise_ffi::explain::{lw_last_explanation, lw_pool_explain, lw_pool_pick_explained};
use loadwise_ffi::failover::{lw_pool_failover, lw_pool_reset_failover};
use loadwise_ffi::learned::{lw_pool_learn_from, lw_pool_learned};
use loadwise_ffi::node::{lw_node_ref, lw_node_status, lw_node_zone};
use loadwise_ffi::nodes::{lw_pool_drain_at, lw_pool_find};
use loadwise_ffi::observe::{lw_pool_observe, lw_pool_stop_observing};
use loadwise_ffi::pick::{lw_pick, lw_pool_pick};
use loadwise_ffi::pool::{lw_pool_config_version, lw_pool_name};
use loadwise_ffi::request::lw_label;
use loadwise_ffi::stats::{lw_pool_metrics, lw_pool_stats};
use loadwise_ffi::store::{lw_pool_restore_from, lw_pool_save_to, lw_store};
use loadwise_ffi::wait::{lw_pool_pick_within, lw_pool_stop_waiting, lw_pool_wait, lw_pool_waiting};

use super::callbacks::{self, HELD, Script};
use super::calls::{CONFIGS, node, outcome, request};
use super::memory::Block;
use super::world::{Kind, World, checked, live};

const LEARNED: [&str; 4] = [
    "{\"format\": 1, \"nodes\": {}}",
    "{\"format\": 1, \"nodes\": {\"n1\": {\"health\": \"unhealthy\"}, \"n9\": {}}}",
    "{\"format\": 1, \"nodes\": {\"n1\": {\"health\": 7}}}",
    "[",
];

/// One call. A pool that is none must not be served.
pub fn make(w: &mut World<'_>, call: u32) {
    let pool = w.handle(Kind::Pool);
    let status = match call {
        0 | 1 => pick_within(w, pool),
        2 | 3 => wait(w, pool),
        4 => stop(w, pool),
        5 | 6 => observe(w, pool),
        7 | 8 => sessions(w, pool),
        9 => failover(w, pool),
        10 | 11 => texts(w, pool),
        12 | 13 => checks(w, pool),
        14 => retry(w, pool),
        15 => {
            if w.chance(2) {
                plan(w, pool)
            } else {
                explain(w, pool)
            }
        }
        16 | 17 => reload(w, pool),
        18 => learn(w, pool),
        19 => store(w, pool),
        20 => find(w, pool),
        21 => numbers(w, pool),
        _ => drain(w, pool),
    };
    if status == 0 {
        // A callback may have freed it meanwhile, but then it was one of ours.
        assert!(live(pool, Kind::Pool) || w.handles.contains(&(pool, Kind::Pool)), "{pool:#x} is no pool");
    }
}

fn pick_within(w: &mut World<'_>, pool: u64) -> u32 {
    let (request, good) = request(w, pool);
    // SAFETY: all integers.
    let (out, has_room) = w.structure(unsafe { MaybeUninit::<lw_pick>::zeroed().assume_init() });
    let (timeout_ns, explained) = (w.of(&[1, 1000]), w.chance(4));
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        if explained {
            lw_pool_pick_explained(pool, request, out)
        } else {
            lw_pool_pick_within(pool, request, timeout_ns, out)
        }
    });
    assert!(status != 0 || (good && has_room), "a request that cannot be was taken");
    if let (0, Some(pick)) = (status, w.written(out)) {
        assert!(pick.pool == pool && pick.ticket != 0);
        w.picks.push(pick);
    }
    status
}

/// A callback's script on the heap, counted until it is dropped.
fn script(w: &mut World<'_>, pool: u64) -> *mut Script {
    HELD.set(HELD.get() + 1);
    Box::into_raw(Box::new(Script { pool, action: w.bytes.next() % 8, answer: 0 }))
}

/// Takes a script back that was refused, or keeps the number that was given.
fn settle(w: &mut World<'_>, status: u32, data: *mut Script, id: *mut u64) -> u32 {
    if status == 0 {
        let number = w.written(id).expect("the number is written");
        assert_ne!(number, 0);
        w.numbers.push(number);
    } else {
        HELD.set(HELD.get() - 1);
        // SAFETY: what was refused is not dropped by the library.
        drop(unsafe { Box::from_raw(data) });
    }
    status
}

fn wait(w: &mut World<'_>, pool: u64) -> u32 {
    let (data, id) = (script(w, pool), w.out());
    // SAFETY: the script lives until it is dropped, by the library or here.
    let status =
        checked(unsafe { lw_pool_wait(pool, Some(callbacks::wake), data.cast(), Some(callbacks::drop_script), id) });
    settle(w, status, data, id)
}

fn observe(w: &mut World<'_>, pool: u64) -> u32 {
    let (data, id, flags) = (script(w, pool), w.out(), w.of(&[0, 0, 1, 2, u32::MAX]));
    // SAFETY: the script lives until it is dropped, by the library or here.
    let status = checked(unsafe {
        lw_pool_observe(pool, flags, Some(callbacks::observe), data.cast(), Some(callbacks::drop_script), id)
    });
    assert!(status != 0 || flags <= 1);
    settle(w, status, data, id)
}

fn stop(w: &mut World<'_>, pool: u64) -> u32 {
    let at = usize::from(w.bytes.next());
    let number = if w.numbers.is_empty() { 1 } else { w.numbers[at % w.numbers.len()] };
    let was = w.out();
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        if w.chance(2) { lw_pool_stop_waiting(pool, number, was) } else { lw_pool_stop_observing(pool, number, was) }
    });
    assert!(status != 0 || w.written(was).is_none_or(|was| was <= 1));
    status
}

fn sessions(w: &mut World<'_>, pool: u64) -> u32 {
    let key = [w.bytes.next() % 16; 4];
    let (session, id, now_ns) = (w.str(&key), w.id(), w.of(&[0, 1, 1 << 40, u64::MAX]));
    let ((id, is_text), known, place, moved) = (w.text(&id), w.out(), w.out(), w.out());
    let which = w.below(4);
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        match which {
            0 => lw_pool_affinity(pool, session, now_ns, place, known),
            1 => lw_pool_set_affinity(pool, session, id, now_ns),
            2 => lw_pool_clear_affinity(pool, session, known),
            _ => lw_pool_rebalance(pool, now_ns, moved),
        }
    });
    assert!(status != 0 || which != 1 || is_text);
    status
}

fn failover(w: &mut World<'_>, pool: u64) -> u32 {
    let id = w.id();
    let ((id, is_text), was, reset) = (w.text(&id), w.out(), w.chance(2));
    // SAFETY: as the header asks for.
    let status = checked(unsafe { if reset { lw_pool_reset_failover(pool, was) } else { lw_pool_failover(pool, id) } });
    assert!(status != 0 || reset || is_text);
    status
}

fn texts(w: &mut World<'_>, pool: u64) -> u32 {
    let (which, format, now_ns) = (w.below(6), w.below(4), w.of(&[0, 1, 1 << 40, u64::MAX]));
    let lw_node_ref { node, generation } = node(w);
    // SAFETY: as the header asks for.
    let text = w.copied(|buffer, capacity, len| unsafe {
        match which {
            0 => lw_pool_stats(pool, now_ns, buffer, capacity, len),
            1 => lw_pool_metrics(pool, format, buffer, capacity, len),
            2 => lw_pool_config(pool, buffer, capacity, len),
            3 => lw_pool_learned(pool, buffer, capacity, len),
            4 => lw_pool_name(pool, buffer, capacity, len),
            _ => lw_node_zone(pool, node, generation, buffer, capacity, len),
        }
    });
    u32::from(text.is_none())
}

/// An array of structs, as a program lends one for a list; its capacity.
fn array<T>(w: &mut World<'_>) -> (*mut T, usize, usize) {
    let (capacity, size) = (w.of(&[0, 1, 4, 16, 64]), size_of::<T>() + w.of(&[0, 0, 0, 8, 64]));
    if w.chance(12) {
        return (std::ptr::null_mut(), capacity, size);
    }
    let first: *mut T = w.lend(Block::new(capacity * size));
    if capacity > 0 {
        // SAFETY: there is room for one.
        unsafe { first.cast::<u32>().write(size as u32) };
    }
    (first, capacity, size)
}

fn checks(w: &mut World<'_>, pool: u64) -> u32 {
    let now_ns = w.of(&[0, 1, 1 << 40, u64::MAX]);
    if w.chance(2) {
        let id = w.id();
        let ((id, is_text), changed, ok) = (w.text(&id), w.out(), w.below(3));
        // SAFETY: as the header asks for.
        let status = checked(unsafe { lw_pool_report_check(pool, id, ok, 5000, now_ns, changed) });
        assert!(status != 0 || is_text);
        return status;
    }
    let ((first, capacity, size), len) = (array::<lw_check>(w), w.out());
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_checks_due(pool, now_ns, first, capacity, len) });
    if let (0, Some(len), false) = (status, w.written(len), first.is_null()) {
        for i in 0..len {
            // SAFETY: as many were written.
            let check = unsafe { first.byte_add(i * size).read() };
            assert!(check.struct_size as usize == size && check.generation > 0);
        }
    }
    status
}

fn retry(w: &mut World<'_>, pool: u64) -> u32 {
    let ((outcome, good), (attempt, flags)) =
        (outcome(w), w.of(&[(1, 0), (1, 3), (2, 1), (0, 0), (u32::MAX, 2), (1, 4)]));
    let (out, has_room) = w.structure(lw_retry { struct_size: 0, give_up: 9, after_ns: 0 });
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_retry(pool, outcome, attempt, flags, out) });
    assert!(status != 0 || (good && has_room && attempt > 0 && flags <= 3));
    assert!(status != 0 || w.written(out).is_none_or(|retry| retry.give_up <= 5));
    status
}

fn plan(w: &mut World<'_>, pool: u64) -> u32 {
    let (request, good) = request(w, pool);
    let ((first, capacity, _), len, hedge) = (array::<lw_attempt>(w), w.out(), w.out());
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_plan(pool, request, first, capacity, len, hedge) });
    assert!(status != 0 || (good && w.written(len).is_some_and(|len| len <= 16)));
    status
}

fn explain(w: &mut World<'_>, pool: u64) -> u32 {
    let ((request, good), last) = (request(w, pool), w.chance(3));
    // SAFETY: as the header asks for.
    let text = w.copied(|buffer, capacity, len| unsafe {
        if last {
            lw_last_explanation(buffer, capacity, len)
        } else {
            lw_pool_explain(pool, request, buffer, capacity, len)
        }
    });
    assert!(last || text.is_none() || good);
    u32::from(last || text.is_none())
}

fn reload(w: &mut World<'_>, pool: u64) -> u32 {
    let config = w.of(&CONFIGS);
    let (config, good) = w.text(config);
    let mut len = 0;
    // SAFETY: a text of this length.
    let check = checked(unsafe { lw_config_check(config.data, config.len, null_mut(), 0, &mut len) });
    // SAFETY: a text of this length.
    let status = checked(unsafe { lw_pool_reload(pool, config.data, config.len) });
    assert!(status != 0 || (good && check == 0));
    status
}

fn learn(w: &mut World<'_>, pool: u64) -> u32 {
    let learned = w.of(&LEARNED);
    let ((learned, good), count) = (w.text(learned), w.out::<usize>());
    // SAFETY: a text of this length.
    let status = checked(unsafe { lw_pool_learn_from(pool, learned.data, learned.len, count) });
    assert!(status != 0 || good);
    status
}

fn store(w: &mut World<'_>, pool: u64) -> u32 {
    let script = Script { pool, action: w.bytes.next() % 8, answer: w.of(&[0, 0, 1, 2, i32::MIN]) };
    let value = lw_store {
        struct_size: 0,
        reserved: 0,
        user_data: w.lend(Block::of_array(&[script])),
        get: None,
        put: (!w.chance(8)).then_some(callbacks::store_put as _),
        remove: None,
        list: (!w.chance(8)).then_some(callbacks::store_list as _),
    };
    let ((store, good), count) = (w.structure(value), w.out::<usize>());
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        if w.chance(2) { lw_pool_save_to(pool, store, count) } else { lw_pool_restore_from(pool, store, count) }
    });
    assert!(status != 0 || good);
    status
}

fn find(w: &mut World<'_>, pool: u64) -> u32 {
    let ((key, is_key), (value, is_value)) = (w.text("region"), w.text("eu"));
    let (labels, labels_len) = (w.lend(Block::of_array(&[lw_label { key, value }; 40])), w.of(&[0, 1, 2, 40]));
    let ((first, capacity, _), len) = (array::<lw_node_status>(w), w.out());
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_find(pool, labels, labels_len, first, capacity, len) });
    assert!(status != 0 || labels_len == 0 || (is_key && is_value));
    status
}

fn numbers(w: &mut World<'_>, pool: u64) -> u32 {
    let (waiting, number) = (w.out(), w.out());
    // SAFETY: as the header asks for.
    checked(unsafe {
        match w.below(3) {
            0 => lw_pool_waiting(pool, waiting),
            1 => lw_pool_config_version(pool, number),
            _ => lw_pool_next_check(pool, number),
        }
    })
}

fn drain(w: &mut World<'_>, pool: u64) -> u32 {
    if w.chance(2) {
        // SAFETY: as the header asks for.
        return checked(unsafe { lw_pool_pick(pool, std::ptr::null(), std::ptr::null_mut()) });
    }
    let id = w.id();
    let ((id, is_text), on, now_ns) = (w.text(&id), w.below(2), w.of(&[0, 1, 1 << 40, u64::MAX]));
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_drain_at(pool, id, on, now_ns) });
    assert!(status != 0 || is_text);
    status
}
