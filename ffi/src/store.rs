//! A state store of the host's own, as callbacks.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::MaybeUninit;

use loadwise::StateStore;

use crate::error::Fail;
use crate::guard::guard;
use crate::handle::InCallback;
use crate::pool::{self, lw_pool};
use crate::sized::{self, Versioned, present};
use crate::status::{INVALID_HANDLE, lw_status};
use crate::text::{lw_str, put};

/// Where a callback of a store puts what it found, by `lw_entries_add`. To be used during the callback, in its thread; at
/// any other time it is refused.
pub struct lw_entries {
    found: RefCell<Vec<(String, String)>>,
    outer: *const lw_entries,
}

thread_local! {
    static INNERMOST: Cell<*const lw_entries> = const { Cell::new(std::ptr::null()) };
}

/// Finds what is kept for an id, and adds it if something is. 0 if all went well, any other number if not.
pub type lw_store_get_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, id: lw_str, found: *mut lw_entries) -> i32>;
/// Keeps a state, a JSON text, for an id, in place of whatever was there. 0 if all went well, any other number if not.
pub type lw_store_put_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, id: lw_str, state: lw_str) -> i32>;
/// Keeps nothing for an id any more; fine if nothing was. 0 if all went well, any other number if not.
pub type lw_store_remove_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, id: lw_str) -> i32>;
/// Adds all that is kept, in any order. 0 if all went well, any other number if not.
pub type lw_store_list_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, all: *mut lw_entries) -> i32>;

/// Where states are kept by ids: a map of the host's. Its functions are called in the thread, and during the call, that is
/// given the store. One that is NULL fails where it is needed: this version calls `put` and `list`. They must return: no
/// `longjmp`, no C++ exception may leave them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_store {
    /// `sizeof(lw_store)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Given to each function.
    pub user_data: *mut c_void,
    /// Finds one.
    pub get: lw_store_get_fn,
    /// Keeps one.
    pub put: lw_store_put_fn,
    /// Forgets one.
    pub remove: lw_store_remove_fn,
    /// Finds all.
    pub list: lw_store_list_fn,
}

// SAFETY: begins with struct_size; an integer, a raw pointer and optional functions, which may be zero.
unsafe impl Versioned for lw_store {}

struct HostStore<'a>(&'a lw_store);

// SAFETY: lives for one call, in the thread that makes it.
unsafe impl Send for HostStore<'_> {}
// SAFETY: as above.
unsafe impl Sync for HostStore<'_> {}

impl HostStore<'_> {
    /// Calls one of the host's functions, if it is there.
    fn call<F>(&self, name: &str, function: Option<F>, call: impl FnOnce(F) -> i32) -> Result<(), String> {
        let function = function.ok_or_else(|| format!("the store has no {name}"))?;
        let _callback = InCallback::enter();
        match call(function) {
            0 => Ok(()),
            number => Err(format!("{name} returned {number}")),
        }
    }

    /// What a call adds.
    fn found<F>(
        &self,
        name: &str,
        function: Option<F>,
        call: impl FnOnce(F, *mut lw_entries) -> i32,
    ) -> Result<Vec<(String, String)>, String> {
        struct Leave(*const lw_entries);
        impl Drop for Leave {
            fn drop(&mut self) {
                INNERMOST.set(self.0);
            }
        }
        let entries = lw_entries { found: RefCell::default(), outer: INNERMOST.get() };
        let leave = Leave(entries.outer);
        INNERMOST.set(&raw const entries);
        self.call(name, function, |function| call(function, (&raw const entries).cast_mut()))?;
        drop(leave);
        Ok(entries.found.into_inner())
    }
}

fn text(text: &str) -> lw_str {
    lw_str { data: text.as_ptr().cast(), len: text.len() }
}

impl StateStore for HostStore<'_> {
    type NodeId = String;
    type State = String;
    type Error = String;

    fn get(&self, id: &String) -> Result<Option<String>, String> {
        // SAFETY: the caller's function, with what it asked for; so are those below.
        let found = self.found("get", self.0.get, |get, into| unsafe { get(self.0.user_data, text(id), into) })?;
        Ok(found.into_iter().find(|(key, _)| key == id).map(|(_, state)| state))
    }

    fn put(&self, id: &String, state: String) -> Result<(), String> {
        // SAFETY: as above.
        self.call("put", self.0.put, |put| unsafe { put(self.0.user_data, text(id), text(&state)) })
    }

    fn remove(&self, id: &String) -> Result<(), String> {
        // SAFETY: as above.
        self.call("remove", self.0.remove, |remove| unsafe { remove(self.0.user_data, text(id)) })
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        // SAFETY: as above.
        self.found("list", self.0.list, |list, into| unsafe { list(self.0.user_data, into) })
    }
}

/// Adds what is kept for an id to what a callback of a store has found.
///
/// Errors: `LW_ERR_INVALID_HANDLE` if no such callback is under way in this thread.
///
/// # Safety
/// `id` and `state` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_entries_add(entries: *mut lw_entries, id: lw_str, state: lw_str) -> lw_status {
    guard(|| {
        present(entries)?;
        // SAFETY: as the caller promises.
        let (id, state) = unsafe { (id.text()?, state.text()?) };
        let mut at = INNERMOST.get();
        while !at.is_null() {
            // SAFETY: entries leave the list before they leave the stack.
            let here = unsafe { &*at };
            if std::ptr::eq(at, entries) {
                here.found.borrow_mut().push((id.to_owned(), state.to_owned()));
                return Ok(());
            }
            at = here.outer;
        }
        Err(Fail::explained(INVALID_HANDLE, "not of a store's callback that is under way in this thread"))
    })
}

/// `lw_pool_save` into a store of the host's own, one `put` for each node.
///
/// Errors: `LW_ERR_STORE` if a callback fails: what was put until then stays put.
///
/// # Safety
/// `store` points to a struct of its `struct_size`, whose functions may be called; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_save_to(pool: lw_pool, store: *const lw_store, count: *mut usize) -> lw_status {
    guard(|| {
        let mut copy = MaybeUninit::uninit();
        // SAFETY: as the caller promises.
        let store = HostStore(unsafe { sized::input(store, &mut copy)? });
        let saved = pool::with(pool, |p| Ok(p.save(&store)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(count, saved) };
        Ok(())
    })
}

/// `lw_pool_restore` from a store of the host's own, by one `list`.
///
/// Errors: `LW_ERR_STORE` if the callback fails; `LW_ERR_CONFIG` for a node whose state cannot be. Nothing is changed then.
///
/// # Safety
/// As `lw_pool_save_to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_restore_from(pool: lw_pool, store: *const lw_store, count: *mut usize) -> lw_status {
    guard(|| {
        let mut copy = MaybeUninit::uninit();
        // SAFETY: as the caller promises.
        let store = HostStore(unsafe { sized::input(store, &mut copy)? });
        let taken = pool::with(pool, |p| Ok(p.restore(&store)?))?;
        // SAFETY: as the caller promises.
        unsafe { put(count, taken) };
        Ok(())
    })
}
