//! The N-API addon under the npm package `loadwise`: the Rust core as JavaScript functions.
//!
//! `lib/*.js` makes classes of what [`bind`] returns. Functions are made on raw Node-API:
//! converting arguments through a framework costs more than a pick does.

#![deny(missing_debug_implementations)]

mod attempts;
mod callback;
mod closure;
mod control;
mod data;
mod engine;
mod error;
mod events;
mod explain;
mod function;
mod health;
mod js;
mod learned;
mod pool;
mod report;
mod request;
mod select;
mod sessions;
mod sharing;
mod value;
mod wait;

use std::rc::Rc;

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, JsValue};
use napi_derive::napi;

use closure::{Call, define, define_one};
use error::{ErrorMaker, Result};
use js::{Js, Value};

/// The functions of the addon for one environment: the main thread, or a worker. Errors are made by
/// `make_error(status, code, message, ...details)`.
#[napi]
pub fn bind<'e>(env: Env, make_error: Unknown<'e>) -> napi::Result<Object<'e>> {
    // SAFETY: Node calls this on the environment's thread, and both values are of this call.
    let (js, make_error) = unsafe { (Js::new(env.raw()), Value::new(make_error.raw())) };
    match functions(js, make_error) {
        Ok(made) => Ok(Object::from_raw(env.raw(), made.raw())),
        Err(failure) => Err(napi::Error::from_reason(failure.to_string())),
    }
}

fn functions<'c>(js: Js<'c>, make_error: Value<'c>) -> Result<Value<'c>> {
    let errors = Rc::new(ErrorMaker::new(js, make_error)?);
    let object = js.object()?;
    let nothing = Rc::new(());
    define(
        js,
        object,
        &nothing,
        &errors,
        &[("openTracker", health::open), ("openStrategy", select::open), ("codes", data::codes)],
    )?;
    pool::define_on(js, object, &errors)?;
    // What a call of a closure costs at least, for benchmarks.
    define_one::<_, 0, _>(js, object, &nothing, &errors, "empty", |call: &Call<'_, ()>| call.js.small(1))?;
    Ok(object)
}
