//! Callbacks that look at their candidates, call the library again, and free what they are called by.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

use loadwise_ffi::candidate::{
    lw_candidate, lw_candidate_address, lw_candidate_has_label, lw_candidate_id, lw_candidate_status,
};
use loadwise_ffi::node::lw_node_status;
use loadwise_ffi::nodes::lw_pool_deregister;
use loadwise_ffi::observe::lw_event;
use loadwise_ffi::pick::{lw_pick, lw_pool_pick};
use loadwise_ffi::store::{lw_entries, lw_entries_add};
use loadwise_ffi::text::lw_str;

use super::world::{Kind, checked, free, live};

/// What a callback does.
#[derive(Clone, Copy)]
pub struct Script {
    pub pool: u64,
    pub action: u8,
    pub answer: i32,
}

thread_local! {
    /// A candidate of a callback that is over.
    static OVER: Cell<*const lw_candidate> = const { Cell::new(std::ptr::null()) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Own strategies, observers and waiters that were given, less those that were dropped.
    pub static HELD: Cell<i64> = const { Cell::new(0) };
}

pub unsafe extern "C" fn predicate(candidate: *const lw_candidate, data: *mut c_void) -> i32 {
    look(candidate);
    // SAFETY: the world's script.
    let script = unsafe { *data.cast::<Script>() };
    act(script, candidate);
    script.answer
}

pub unsafe extern "C" fn choose(
    candidates: *const *const lw_candidate,
    len: usize,
    key: lw_str,
    data: *mut c_void,
) -> i64 {
    // SAFETY: the library's candidates and the request's key, during the call.
    let (all, key) = unsafe {
        let key = if key.data.is_null() { &[] } else { std::slice::from_raw_parts(key.data.cast::<u8>(), key.len) };
        (std::slice::from_raw_parts(candidates, len), key)
    };
    assert!(len > 0 && key.len() <= 64);
    all.iter().for_each(|&candidate| look(candidate));
    // SAFETY: the world's script, until `drop`.
    let script = unsafe { *data.cast::<Script>() };
    act(script, all[0]);
    i64::from(script.answer)
}

pub unsafe extern "C" fn drop_script(data: *mut c_void) {
    HELD.set(HELD.get() - 1);
    // SAFETY: made by `Box::into_raw`, and dropped once, or this is a double free.
    let script = unsafe { Box::from_raw(data.cast::<Script>()) };
    // A drop may call the library, too.
    act(*script, std::ptr::null());
}

pub unsafe extern "C" fn wake(data: *mut c_void) {
    // SAFETY: the world's script, until `drop_script`.
    act(unsafe { *data.cast::<Script>() }, std::ptr::null());
}

pub unsafe extern "C" fn observe(event: *const lw_event, data: *mut c_void) {
    // SAFETY: the library's event, during the call.
    let event = unsafe { &*event };
    assert!(event.struct_size as usize == size_of::<lw_event>() && (1..=7).contains(&event.kind));
    for (ids, len) in [(event.added, event.added_len), (event.removed, event.removed_len)] {
        if len > 0 {
            // SAFETY: as above.
            let ids = unsafe { std::slice::from_raw_parts(ids, len) };
            assert!(ids.iter().all(|id| (1..=255).contains(&id.len)));
        }
    }
    assert_eq!(event.generation == 0, (4..=6).contains(&event.kind));
    // SAFETY: the world's script, until `drop_script`.
    act(unsafe { *data.cast::<Script>() }, std::ptr::null());
}

/// Keeps nothing, or says that it could not.
pub unsafe extern "C" fn store_put(data: *mut c_void, id: lw_str, state: lw_str) -> i32 {
    assert!(!id.data.is_null() && !state.data.is_null());
    // SAFETY: the world's script, during the call.
    let script = unsafe { *data.cast::<Script>() };
    act(script, std::ptr::null());
    i32::from(script.answer < 0)
}

/// Has a few states, some of which cannot be.
pub unsafe extern "C" fn store_list(data: *mut c_void, all: *mut lw_entries) -> i32 {
    // SAFETY: the world's script, during the call.
    let script = unsafe { *data.cast::<Script>() };
    let text = |text: &'static str| lw_str { data: text.as_ptr().cast(), len: text.len() };
    let state = match script.answer {
        0 => "{}",
        1 => "{\"health\": \"unhealthy\", \"hold_ms\": 5}",
        _ => "nothing",
    };
    for id in ["n1", "n2", "n77"] {
        // SAFETY: texts as they should be.
        let status = checked(unsafe { lw_entries_add(all, text(id), text(state)) });
        assert_eq!(status, 0);
    }
    act(script, std::ptr::null());
    i32::from(script.answer == i32::MIN)
}

/// Everything that there is to ask of a candidate.
fn look(candidate: *const lw_candidate) {
    let mut buffer = [0 as c_char; 256];
    let mut has = 9;
    // SAFETY: all integers and floats.
    let mut status: lw_node_status = unsafe { MaybeUninit::zeroed().assume_init() };
    status.struct_size = size_of::<lw_node_status>() as u32;
    let text = |text: &'static str| lw_str { data: text.as_ptr().cast(), len: text.len() };
    // SAFETY: a candidate that is shown, and buffers of these sizes.
    unsafe {
        let statuses = [
            lw_candidate_id(candidate, buffer.as_mut_ptr(), buffer.len(), std::ptr::null_mut()),
            lw_candidate_address(candidate, buffer.as_mut_ptr(), buffer.len(), std::ptr::null_mut()),
            lw_candidate_has_label(candidate, text("region"), text("eu"), &mut has),
            lw_candidate_status(candidate, &mut status),
        ];
        assert_eq!(statuses, [0; 4]);
    }
    assert!(has <= 1 && status.weight > 0, "{has} {status:?}");
    // One that was shown before may not be looked at, unless it stands where one is shown now.
    let over = OVER.get();
    if !over.is_null() && over != candidate {
        // SAFETY: refused by its address alone.
        checked(unsafe { lw_candidate_status(over, &mut status) });
    }
}

fn act(script: Script, candidate: *const lw_candidate) {
    // Callbacks of callbacks of callbacks: no use.
    if DEPTH.get() >= 2 {
        return;
    }
    DEPTH.set(DEPTH.get() + 1);
    match script.action {
        0 if live(script.pool, Kind::Pool) => free(script.pool, Kind::Pool),
        1 => {
            // SAFETY: all integers.
            let mut pick: lw_pick = unsafe { MaybeUninit::zeroed().assume_init() };
            pick.struct_size = size_of::<lw_pick>() as u32;
            // SAFETY: a struct as it should be.
            checked(unsafe { lw_pool_pick(script.pool, std::ptr::null(), &mut pick) });
        }
        2 => {
            let id = "n1";
            // SAFETY: a text as it should be.
            checked(unsafe { lw_pool_deregister(script.pool, lw_str { data: id.as_ptr().cast(), len: id.len() }) });
        }
        3 => OVER.set(candidate),
        _ => {}
    }
    DEPTH.set(DEPTH.get() - 1);
}
