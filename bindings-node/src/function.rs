//! JavaScript functions that the core calls when something happens.

use std::thread::{self, ThreadId};

use napi::sys;

use crate::error::Result;
use crate::js::{Js, Value, node_api};

/// A function that JavaScript keeps alive, and this does not: what a pool holds must not keep those who hold the pool.
#[derive(Debug)]
pub struct Listener {
    env: sys::napi_env,
    function: sys::napi_ref,
    thread: ThreadId,
}

// SAFETY: what is behind the pointers is used on the environment's own thread only, which every use checks.
unsafe impl Send for Listener {}
// SAFETY: as above.
unsafe impl Sync for Listener {}

impl Listener {
    pub fn new<'c>(js: Js<'c>, function: Value<'c>) -> Result<Self> {
        // A count of 0 is a weak reference.
        let function = node_api!(js, napi_create_reference(function.raw(), 0) -> sys::napi_ref)?;
        Ok(Self { env: js.env(), function, thread: thread::current().id() })
    }

    /// Calls it with what `arguments` makes, if JavaScript still has it. To be called during a call from Node. The function
    /// throws nothing of its own; if JavaScript may not run any more, there is nobody to tell.
    pub fn call(&self, arguments: impl for<'c> FnOnce(Js<'c>) -> Result<Vec<Value<'c>>>) {
        if thread::current().id() != self.thread {
            return;
        }
        // SAFETY: on the thread of the environment. The pools of an environment are called by its JavaScript only, so this
        // is during a call from Node.
        let js = unsafe { Js::new(self.env) };
        let _ = js.scoped(|| {
            let function = node_api!(js, napi_get_reference_value(self.function) -> sys::napi_value)?;
            if !function.is_null() {
                // SAFETY: it was got in this call.
                js.call(unsafe { Value::new(function) }, &arguments(js)?)?;
            }
            Ok(())
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if thread::current().id() == self.thread {
            // SAFETY: made in this environment; dropped in a call from Node or by a finalizer, while it lives.
            unsafe { sys::napi_delete_reference(self.env, self.function) };
        }
    }
}
