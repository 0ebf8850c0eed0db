//! Functions that Node calls: a Rust function, and the state that it is about.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use loadwise::ConfigError;
use napi::sys;

use crate::error::{ErrorMaker, Failure, Result};
use crate::js::{Js, Type, Value, node_api};

/// The most arguments that a function takes. One on the hot path says itself how many: Node fills in each.
const ARGUMENTS_MAX: usize = 8;

pub type Body<T> = for<'c> fn(&Call<'c, T>) -> Result<Value<'c>>;

/// One call of a function.
#[derive(Debug)]
pub struct Call<'c, T> {
    pub js: Js<'c>,
    pub state: &'c T,
    pub errors: &'c Rc<ErrorMaker>,
    /// Those that are not given are undefined.
    arguments: &'c [Value<'c>],
}

struct Closure<T, F> {
    body: F,
    state: Rc<T>,
    errors: Rc<ErrorMaker>,
}

/// Makes functions of `state` properties of `object`. Each keeps the state alive.
pub fn define<'c, T: 'static>(
    js: Js<'c>,
    object: Value<'c>,
    state: &Rc<T>,
    errors: &Rc<ErrorMaker>,
    functions: &[(&str, Body<T>)],
) -> Result<()> {
    functions
        .iter()
        .try_for_each(|(name, body)| define_one::<T, ARGUMENTS_MAX, _>(js, object, state, errors, name, *body))
}

/// Makes a function of up to `ARGUMENTS` arguments.
pub fn define_one<'c, T: 'static, const ARGUMENTS: usize, F>(
    js: Js<'c>,
    object: Value<'c>,
    state: &Rc<T>,
    errors: &Rc<ErrorMaker>,
    name: &str,
    body: F,
) -> Result<()>
where
    F: for<'a> Fn(&Call<'a, T>) -> Result<Value<'a>> + 'static,
{
    let closure = Box::into_raw(Box::new(Closure { body, state: state.clone(), errors: errors.clone() })).cast();
    let (text, length) = (name.as_ptr().cast(), name.len() as isize);
    let callback = Some(trampoline::<T, ARGUMENTS, F> as _);
    let made = node_api!(js, napi_create_function(text, length, callback, closure) -> sys::napi_value);
    let kept = made.and_then(|raw| {
        let (finalizer, none, no_reference) = (Some(finalize::<T, F> as _), ptr::null_mut(), ptr::null_mut());
        node_api!(js, napi_add_finalizer(raw, closure, finalizer, none, no_reference)).map(|()| raw)
    });
    match kept {
        // SAFETY: made in this call.
        Ok(raw) => js.set(object, name, unsafe { Value::new(raw) }),
        Err(failure) => {
            // SAFETY: from `into_raw` above; no finalizer has it, and nobody can call the function.
            drop(unsafe { Box::from_raw(closure.cast::<Closure<T, F>>()) });
            Err(failure)
        }
    }
}

unsafe extern "C" fn trampoline<T: 'static, const ARGUMENTS: usize, F>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value
where
    F: for<'a> Fn(&Call<'a, T>) -> Result<Value<'a>>,
{
    let mut count = ARGUMENTS;
    let mut arguments = [ptr::null_mut(); ARGUMENTS];
    let mut data = ptr::null_mut();
    // SAFETY: `env` and `info` are of this call, and the rest are live locals of the sizes told.
    let status = unsafe {
        let (count, first) = (&raw mut count, arguments.as_mut_ptr());
        sys::napi_get_cb_info(env, info, count, first, ptr::null_mut(), &raw mut data)
    };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: `data` is what `define_one` gave; a function that runs is not collected, so it has not been finalized.
    let closure = unsafe { &*data.cast::<Closure<T, F>>() };
    // SAFETY: this is a call from Node, which has filled in all arguments.
    let (js, arguments) = unsafe { (Js::new(env), arguments.map(|raw| Value::new(raw))) };
    let given = arguments.get(..count).unwrap_or(&arguments);
    let call = Call { js, state: &*closure.state, errors: &closure.errors, arguments: given };
    match catch_unwind(AssertUnwindSafe(|| (closure.body)(&call))) {
        Ok(Ok(value)) => value.raw(),
        Ok(Err(failure)) => closure.errors.throw(js, &failure),
        Err(_) => closure.errors.throw(js, &Failure::Panic),
    }
}

unsafe extern "C" fn finalize<T: 'static, F>(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: from `into_raw`; Node finalizes a function once, when nobody can call it any more.
    drop(unsafe { Box::from_raw(data.cast::<Closure<T, F>>()) });
}

impl<'c, T> Call<'c, T> {
    /// The argument; undefined, if it was not given.
    #[inline(always)]
    pub fn argument(&self, index: usize) -> Result<Value<'c>> {
        self.arguments.get(index).map_or_else(|| self.js.undefined(), |value| Ok(*value))
    }

    /// The argument, unless it is undefined.
    #[inline(always)]
    pub fn given(&self, index: usize) -> Result<Option<Value<'c>>> {
        let Some(value) = self.arguments.get(index) else { return Ok(None) };
        Ok((self.js.type_of(*value)? != Type::Undefined).then_some(*value))
    }

    pub fn text(&self, index: usize, name: &str) -> Result<String> {
        self.js.text(self.argument(index)?, name)
    }

    /// A boolean; `otherwise` if it is not given.
    pub fn boolean(&self, index: usize, name: &str, otherwise: bool) -> Result<bool> {
        match self.given(index)? {
            Some(value) => self.js.as_boolean(value).ok_or_else(|| self.js.not(value, name, "a boolean")),
            None => Ok(otherwise),
        }
    }

    /// A number, unless it is undefined.
    pub fn optional_number(&self, index: usize, name: &str) -> Result<Option<f64>> {
        match self.given(index)? {
            Some(value) => self.js.as_number(value).map(Some).ok_or_else(|| self.js.not(value, name, "a number")),
            None => Ok(None),
        }
    }

    /// The time that is given, or now.
    pub fn now_ns(&self, index: usize) -> Result<u64> {
        Ok(self.nanoseconds(index, "nowNs")?.unwrap_or_else(loadwise::now_ns))
    }

    /// A whole number from 0 to 2³² - 1.
    pub fn uint32(&self, index: usize, name: &str) -> Result<u32> {
        match self.js.as_number(self.argument(index)?) {
            Some(n) if n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&n) => Ok(n as u32),
            _ => Err(ConfigError::new(name, 0, "must be a whole number from 0 to 4294967295").into()),
        }
    }

    /// A time in milliseconds, as whole nanoseconds.
    #[inline]
    pub fn milliseconds(&self, index: usize, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.given(index)? else { return Ok(None) };
        match self.js.as_number(value) {
            // Beyond 2⁶⁴ the conversion stays at its end.
            Some(ms) if ms >= 0.0 && ms.is_finite() => Ok(Some((ms * 1e6) as u64)),
            _ => Err(ConfigError::new(name, 0, "must be a number of milliseconds, finite and not negative").into()),
        }
    }

    /// A time in nanoseconds: a number or a bigint.
    pub fn nanoseconds(&self, index: usize, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.given(index)? else { return Ok(None) };
        let time = match self.js.as_number(value) {
            Some(ns) => (ns >= 0.0 && ns.is_finite()).then_some(ns as u64),
            None => self.bigint(value)?,
        };
        let wrong = || ConfigError::new(name, 0, "must be nanoseconds: a number or a bigint from 0 to 2^64 - 1").into();
        time.map(Some).ok_or_else(wrong)
    }

    /// A whole number from 0 to 2⁶⁴ - 1: a number, if it is one exactly, or a bigint.
    pub fn uint64(&self, index: usize, name: &str) -> Result<u64> {
        const EXACT: f64 = (1u64 << 53) as f64;
        let value = self.argument(index)?;
        let whole = match self.js.as_number(value) {
            Some(n) => (n.fract() == 0.0 && (0.0..EXACT).contains(&n)).then_some(n as u64),
            None => self.bigint(value)?,
        };
        let wrong = || ConfigError::new(name, 0, "must be a whole number from 0 to 2^64 - 1, or a bigint").into();
        whole.ok_or_else(wrong)
    }

    fn bigint(&self, value: Value<'c>) -> Result<Option<u64>> {
        match self.js.type_of(value)? {
            Type::BigInt => Ok(self.js.bigint(value)?.and_then(|n| u64::try_from(n).ok())),
            _ => Ok(None),
        }
    }
}
