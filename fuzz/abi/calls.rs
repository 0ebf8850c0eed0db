//! Calls on pools.

use std::mem::MaybeUninit;

use loadwise_ffi::maintain::{lw_maintained, lw_pool_maintain};
use loadwise_ffi::node::{
    lw_node_address, lw_node_id, lw_node_label, lw_node_name, lw_node_ref, lw_node_set_user_data, lw_node_status,
    lw_node_user_data, lw_pool_node, lw_pool_ticket_node,
};
use loadwise_ffi::nodes::{
    lw_node_spec, lw_pool_deregister, lw_pool_drain, lw_pool_nodes, lw_pool_register, lw_pool_register_batch,
    lw_pool_set_nodes, lw_pool_set_weight,
};
use loadwise_ffi::outcome::lw_outcome;
use loadwise_ffi::own_strategy::lw_pool_set_own_strategy;
use loadwise_ffi::pick::{lw_pick, lw_pick_finish, lw_pool_choose, lw_pool_pick, lw_pool_release};
use loadwise_ffi::pool::{lw_pool, lw_pool_len, lw_pool_new};
use loadwise_ffi::report::{lw_load, lw_pool_report, lw_pool_report_load};
use loadwise_ffi::request::{lw_label, lw_request};
use loadwise_ffi::strategy::{lw_pool_set_strategy, lw_pool_strategy};

use super::callbacks::{self, HELD, Script};
use super::memory::Block;
use super::world::{Kind, World, checked, free, live};

pub const CONFIGS: [&str; 10] = [
    "{}",
    "nodes: [n1, n2, n3]",
    "strategy: round_robin\nnodes: [n1, n2, n3, n4]\nlimits: {max_nodes: 4, max_picks: 64}",
    "strategy: {name: rendezvous, bounded_load: 1.25}\nnodes: [{id: n1, weight: 3, labels: {region: eu}}, n2]\nseed: 7",
    "strategy: [ring_hash, random]\nnodes: [{id: n1, weight: 0}, {id: n2, name: two, address: 'a:1'}]",
    "{\"nodes\": [\"n1\"], \"lease_timeout_ms\": 1, \"strategy\": \"peak_ewma\"}",
    "quotas: [{dimension: tokens, limit: 100}, {dimension: requests, limit: 50, default_cost: 1}]\naffinity: {entries: 16}\n\
     nodes: [n1, {id: n2, max_in_flight: 1}, {id: n3, tier: 1}]\nbreaker: {open_ms: 1}\nmax_in_flight: 6\nacquire_queue: 3",
    "zones: {zone: near}\nslow_start: true\nadaptive_limit: true\noutlier: {sweep_interval_ms: 1000}\npanic: {mode: spread}\n\
     checks: true\nstats: {latency: nodes}\nsplits: [{labels: {region: eu}, share: 0.5}]\nstrategy: adaptive\n\
     nodes: [{id: n1, zone: near}, {id: n2, zone: far, labels: {region: eu}}, n3]\nlimits: {max_picks: 64}",
    "nodes: [n1, n1]",
    "strategy: p3c",
];

const STRATEGIES: [&str; 10] = [
    "p2c",
    "round_robin",
    "{name: ring_hash, compat: nginx}",
    "{name: maglev, table_size: 251, bounded_load: true}",
    "[rendezvous, random]",
    "least_request",
    "name: most_available\nepsilon: 0.1",
    "weighted_round_robin",
    "{name: maglev, table_size: 250}",
    "p2c\nnodes: [a]",
];

/// One call. A pool that is none must not be served.
pub fn make(w: &mut World<'_>, call: u32) {
    if call == 0 || w.handles.is_empty() {
        return new(w);
    }
    let pool = w.handle(Kind::Pool);
    let status = match call {
        1 => return free(pool, Kind::Pool),
        2..=9 => pick(w, pool, call != 9),
        10..=13 => finish(w, pool),
        14 => release(w, pool),
        15 | 16 => report(w, pool),
        17 => report_load(w, pool),
        18..=20 => nodes_in(w, pool, call),
        21 => one_node(w, pool),
        22 => nodes_out(w, pool),
        23 | 24 => texts(w, pool),
        25 => set_strategy(w, pool),
        26 => set_own_strategy(w, pool),
        27 => maintain(w, pool),
        28 => ticket_node(w, pool),
        29 => user_data(w, pool),
        30 => length(w, pool),
        _ => return w.forget_arguments(),
    };
    if status == 0 {
        // A callback may have freed it meanwhile, but then it was one of ours.
        assert!(live(pool, Kind::Pool) || w.handles.contains(&(pool, Kind::Pool)), "{pool:#x} is no pool");
    }
}

fn new(w: &mut World<'_>) {
    let config = w.of(&CONFIGS);
    let (config, good) = w.text(config);
    let handle = w.out::<lw_pool>();
    if w.handles.len() >= 48 {
        return;
    }
    // SAFETY: a text of this length, and room for a handle.
    let status = checked(unsafe { lw_pool_new(config.data, config.len, handle) });
    assert!(status != 0 || (good && !handle.is_null()));
    if let (0, Some(handle)) = (status, w.written(handle)) {
        w.keep(handle, Kind::Pool);
    }
}

/// The request, whether it can be taken, and whether it has a predicate.
pub fn request(w: &mut World<'_>, pool: u64) -> (*const lw_request, bool) {
    if w.chance(3) {
        return (std::ptr::null(), true);
    }
    // SAFETY: integers, pointers that may be NULL, and an optional function.
    let mut request: lw_request = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut good = true;
    let key = [w.bytes.next(); 8];
    request.key = w.str(&key[..usize::from(key[0] % 9)]);
    request.now_ns = u64::from(w.bytes.next()) << 24;
    if w.chance(3) {
        let excluded: Vec<_> = (0..w.of(&[1, 2, 40]))
            .map(|_| {
                let id = w.id();
                let (id, is_text) = w.text(&id);
                good &= is_text;
                id
            })
            .collect();
        request.exclude_len = excluded.len();
        request.exclude = w.lend(Block::of_array(&excluded));
        if w.chance(16) {
            request.exclude = std::ptr::null();
            good = false;
        }
    }
    if w.chance(4) {
        let nodes: Vec<lw_node_ref> = (0..w.of(&[1, 3, 33])).map(|_| node(w)).collect();
        request.exclude_nodes_len = nodes.len();
        request.exclude_nodes = w.lend(Block::of_array(&nodes));
    }
    if w.chance(4) {
        let ((key, is_key), (value, is_value)) = (w.text("region"), w.text("eu"));
        good &= is_key && is_value;
        request.require_len = 1;
        request.require = w.lend(Block::of_array(&[lw_label { key, value }]));
    }
    let zone = w.of(&["", "near", "far", "nowhere"]);
    let (zone, is_text) = w.text(zone);
    let (cost, cost_len, is_cost) = w.amounts();
    good &= is_text && is_cost;
    (request.zone, request.cost, request.cost_len) = (zone, cost, cost_len);
    if w.chance(2) {
        let session = [w.bytes.next() % 16; 4];
        request.session = w.str(&session);
    }
    request.health_mask = w.of(&[0, 0, 0, 1, 4, 15, 16, u32::MAX]);
    good &= request.health_mask <= 15;
    if w.chance(3) {
        let script = Script { pool, action: w.bytes.next() % 16, answer: w.of(&[1, 0, -1, i32::MAX, i32::MIN]) };
        request.predicate = Some(callbacks::predicate);
        request.predicate_data = w.lend(Block::of_array(&[script]));
    }
    let (pointer, is_struct) = w.structure(request);
    (pointer, (is_struct && good) || pointer.is_null())
}

fn pick(w: &mut World<'_>, pool: u64, counts: bool) -> u32 {
    let (request, good) = request(w, pool);
    // SAFETY: all integers.
    let empty: lw_pick = unsafe { MaybeUninit::zeroed().assume_init() };
    let (out, has_room) = w.structure(empty);
    // SAFETY: as the header asks for.
    let status =
        checked(unsafe { if counts { lw_pool_pick(pool, request, out) } else { lw_pool_choose(pool, request, out) } });
    assert!(status != 0 || (good && has_room), "a request that cannot be was taken");
    if let (0, Some(pick)) = (status, w.written(out)) {
        assert!(pick.pool == pool && pick.flags <= 1 && counts == (pick.ticket != 0) && pick.ticket < 1 << 53);
        if counts {
            w.picks.push(pick);
        }
    }
    status
}

/// A pick of before: mostly a late one.
fn earlier(w: &mut World<'_>) -> Option<lw_pick> {
    let back = w.below(16) as usize;
    w.picks.iter().rev().nth(back).copied()
}

pub fn outcome(w: &mut World<'_>) -> (*const lw_outcome, bool) {
    let (kind, failure) = w.of(&[(1, 0), (2, 0), (2, 4), (3, 0), (4, 0), (2, 1), (0, 0), (5, 0), (2, 9), (1, 1)]);
    let number = u64::from(w.bytes.next()) << 26;
    let (usage, usage_len, is_usage) = w.amounts();
    let value = lw_outcome {
        struct_size: 0,
        kind,
        failure,
        reserved: 0,
        latency_ns: number,
        retry_after_ns: if kind == 3 { number } else { 0 },
        now_ns: 1 + number,
        usage,
        usage_len,
    };
    let (pointer, good) = w.structure(value);
    (pointer, good && is_usage && matches!((kind, failure), (1 | 3 | 4, 0) | (2, 0..=4)))
}

fn finish(w: &mut World<'_>, _: u64) -> u32 {
    let Some(pick) = earlier(w) else { return 1 };
    let (outcome, good) = outcome(w);
    let (given, is_struct) = w.structure(pick);
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pick_finish(given, outcome) });
    if status == 0 {
        // Whoever is woken by it may have freed the pool.
        assert!(good && is_struct && w.handles.contains(&(pick.pool, Kind::Pool)));
        assert!(w.finished.insert((pick.pool, pick.ticket)), "finished twice");
    }
    1
}

fn release(w: &mut World<'_>, pool: u64) -> u32 {
    let ticket = match earlier(w) {
        Some(pick) if w.chance(2) => pick.ticket,
        _ => w.of(&[0, 1, u64::MAX, 1 << 53, 1 << 21, 3 << 21]),
    };
    let (outcome, good) = outcome(w);
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_release(pool, ticket, outcome) });
    if status == 0 {
        assert!(good && w.finished.insert((pool, ticket)), "finished twice");
    }
    status
}

fn report(w: &mut World<'_>, pool: u64) -> u32 {
    let id = w.id();
    let ((id, is_text), (outcome, good), changed) = (w.text(&id), outcome(w), w.out());
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_report(pool, id, outcome, changed) });
    assert!(status != 0 || (good && is_text));
    status
}

fn report_load(w: &mut World<'_>, pool: u64) -> u32 {
    let id = w.id();
    let (id, is_text) = w.text(&id);
    let load = lw_load {
        struct_size: 0,
        flags: w.of(&[4, 8, 12, 0, 1, 0x300, 0x704, u32::MAX]),
        load: w.of(&[0.0, 1.0, f64::NAN, f64::NEG_INFINITY]),
        remaining_ratio: w.of(&[0.0, 1.0, 2.0, f64::NAN]),
        requests_per_s: w.of(&[0.0, 100.0, -1.0, f64::INFINITY]),
        utilization: w.of(&[0.5, 0.0, 7.0, f64::NAN]),
        errors_per_s: w.of(&[0.0, 1.0, 1e300]),
        now_ns: w.of(&[0, 1, 1 << 40, u64::MAX]),
    };
    let (given, good) = w.structure(load);
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_report_load(pool, id, given) });
    assert!(status != 0 || (good && is_text && load.flags & !0x70C == 0));
    status
}

fn spec(w: &mut World<'_>) -> (lw_node_spec, bool) {
    let id = w.id();
    let texts = [w.text(&id), w.text("10.0.0.1:80"), w.text("a name")];
    let (label, labels_len) = ([(w.text("region"), w.text("eu")); 2], w.of(&[0, 0, 1, 2]));
    let labels = label.map(|((key, _), (value, _))| lw_label { key, value });
    let (zone, is_zone) = w.text("near");
    let (quotas, quotas_len, is_quotas) = w.amounts();
    let value = lw_node_spec {
        struct_size: size_of::<lw_node_spec>() as u32,
        weight: w.of(&[1, 1, 2, 0, 5, u32::MAX]),
        id: texts[0].0,
        address: texts[1].0,
        name: texts[2].0,
        labels: w.lend(Block::of_array(&labels)),
        labels_len,
        user_data: 5,
        tier: w.of(&[0, 0, 0, 1, 2, 7, 8, u32::MAX]),
        max_in_flight: w.of(&[0, 0, 1, 3, u32::MAX]),
        zone,
        quotas,
        quotas_len,
    };
    (
        value,
        is_zone
            && is_quotas
            && value.tier <= 7
            && texts.iter().all(|t| t.1)
            && (labels_len == 0 || (label[0].0.1 && label[0].1.1)),
    )
}

fn nodes_in(w: &mut World<'_>, pool: u64, call: u32) -> u32 {
    let added = if w.chance(4) { std::ptr::null_mut() } else { w.lend(Block::new(4 * size_of::<lw_node_ref>())) };
    if call == 18 {
        let (value, good) = spec(w);
        let (given, is_struct) = w.structure(value);
        // SAFETY: as the header asks for.
        let status = checked(unsafe { lw_pool_register(pool, given, added) });
        assert!(status != 0 || (good && is_struct));
        return status;
    }
    let specs: Vec<_> = (0..w.below(5)).map(|_| spec(w)).collect();
    let good = specs.iter().all(|(_, good)| *good);
    let mut specs: Vec<lw_node_spec> = specs.into_iter().map(|(spec, _)| spec).collect();
    if let (true, Some(last)) = (w.chance(12), specs.last_mut()) {
        last.struct_size = w.of(&[0, 8, u32::MAX]);
    }
    let len = if w.chance(24) { usize::MAX } else { specs.len() };
    let given = if len == usize::MAX { std::ptr::null() } else { w.lend::<lw_node_spec>(Block::of_array(&specs)) };
    // SAFETY: as the header asks for; a length beyond all memory comes with NULL.
    let status = checked(unsafe {
        if call == 19 { lw_pool_set_nodes(pool, given, len) } else { lw_pool_register_batch(pool, given, len, added) }
    });
    assert!(status != 0 || (good && len == specs.len()));
    status
}

fn one_node(w: &mut World<'_>, pool: u64) -> u32 {
    let id = w.id();
    let (id, is_text) = w.text(&id);
    let number = w.of(&[0, 1, 3, u32::MAX]);
    let out = w.out();
    // SAFETY: as the header asks for.
    let status = checked(unsafe {
        match w.below(4) {
            0 => lw_pool_deregister(pool, id),
            1 => lw_pool_drain(pool, id, number),
            2 => lw_pool_set_weight(pool, id, number),
            _ => lw_pool_node(pool, id, out),
        }
    });
    assert!(status != 0 || is_text);
    status
}

fn nodes_out(w: &mut World<'_>, pool: u64) -> u32 {
    let (capacity, size) = (w.of(&[0, 1, 4, 16, 64]), size_of::<lw_node_status>() + w.of(&[0, 0, 0, 8, 64]));
    let block = Block::new(capacity * size);
    let nodes: *mut lw_node_status = if w.chance(12) { std::ptr::null_mut() } else { block.pointer() };
    if capacity > 0 && !nodes.is_null() {
        // SAFETY: there is room for one.
        unsafe { nodes.cast::<u32>().write(size as u32) };
    }
    let len = w.out();
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_nodes(pool, nodes, capacity, len) });
    if let (0, Some(len), false) = (status, w.written(len), nodes.is_null()) {
        for i in 0..len {
            // SAFETY: as many were written.
            let node = unsafe { nodes.byte_add(i * size).read() };
            assert!(
                node.struct_size as usize == size
                    && node.flags <= 255
                    && node.breaker <= 2
                    && node.tier <= 7
                    && node.generation > 0
            );
        }
    }
    status
}

/// A node that a pick named, or any other numbers.
pub fn node(w: &mut World<'_>) -> lw_node_ref {
    match earlier(w) {
        Some(pick) if !w.chance(4) => lw_node_ref { node: pick.node, generation: pick.generation },
        _ => lw_node_ref { node: w.of(&[0, 1, 2047, 2048, u32::MAX]), generation: w.of(&[0, 1, u32::MAX]) },
    }
}

fn texts(w: &mut World<'_>, pool: u64) -> u32 {
    let lw_node_ref { node, generation } = node(w);
    let (key, _) = w.text("region");
    let has = w.out();
    let which = w.below(5);
    // SAFETY: as the header asks for.
    let text = w.copied(|buffer, capacity, len| unsafe {
        match which {
            0 => lw_node_id(pool, node, generation, buffer, capacity, len),
            1 => lw_node_address(pool, node, generation, buffer, capacity, len),
            2 => lw_node_name(pool, node, generation, buffer, capacity, len),
            3 => lw_node_label(pool, node, generation, key, has, buffer, capacity, len),
            _ => lw_pool_strategy(pool, buffer, capacity, len),
        }
    });
    u32::from(text.is_none())
}

fn set_strategy(w: &mut World<'_>, pool: u64) -> u32 {
    let strategy = w.of(&STRATEGIES);
    let (strategy, good) = w.text(strategy);
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_set_strategy(pool, strategy) });
    assert!(status != 0 || good);
    status
}

fn set_own_strategy(w: &mut World<'_>, pool: u64) -> u32 {
    let fallback = w.of(&["", "", "p2c", "[maglev, random]", "p3c", "{name: ring_hash, compat: nginx}"]);
    let (fallback, good) = w.text(fallback);
    let script = Script { pool, action: w.bytes.next() % 16, answer: w.of(&[0, 1, -1, -2, i32::MAX, i32::MIN]) };
    let data = Box::into_raw(Box::new(script));
    // Counted first: a drop in this call is of one that was there before.
    HELD.set(HELD.get() + 1);
    // SAFETY: the script lives until it is dropped, by the library or here.
    unsafe {
        let status = checked(lw_pool_set_own_strategy(
            pool,
            Some(callbacks::choose),
            data.cast(),
            Some(callbacks::drop_script),
            fallback,
        ));
        assert!(status != 0 || good);
        if status != 0 {
            HELD.set(HELD.get() - 1);
            drop(Box::from_raw(data));
        }
        status
    }
}

fn maintain(w: &mut World<'_>, pool: u64) -> u32 {
    let now_ns = w.of(&[0, 1, 1 << 30, u64::MAX]);
    let value = lw_maintained { struct_size: 0, rebuilt: 9, next_due_ns: 0, leases_expired: 0 };
    let (out, good) = w.structure(value);
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_maintain(pool, now_ns, out) });
    assert!(status != 0 || good || out.is_null());
    status
}

fn ticket_node(w: &mut World<'_>, pool: u64) -> u32 {
    let ticket = earlier(w).map_or(1 << 21, |pick| pick.ticket);
    let out = w.out();
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_ticket_node(pool, ticket, out) });
    assert!(status != 0 || !w.finished.contains(&(pool, ticket)), "a finished ticket has no node");
    status
}

fn user_data(w: &mut World<'_>, pool: u64) -> u32 {
    let (lw_node_ref { node, generation }, out) = (node(w), w.out());
    if w.chance(2) {
        return checked(lw_node_set_user_data(pool, node, generation, 5));
    }
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_node_user_data(pool, node, generation, out) });
    assert!(status != 0 || w.written(out).is_some_and(|data| data == 5 || data == 0));
    status
}

fn length(w: &mut World<'_>, pool: u64) -> u32 {
    let out = w.out();
    // SAFETY: as the header asks for.
    let status = checked(unsafe { lw_pool_len(pool, out) });
    assert!(status != 0 || w.written(out).is_some_and(|len| len <= 2048));
    status
}
