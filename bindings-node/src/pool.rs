//! A pool and the functions that use it: acquire and release, and what there is to know of a node.

use std::cell::RefCell;
use std::rc::Rc;

use loadwise::config::PoolConfig;
use loadwise::{ConfigError, Ending, FailureKind, Lease, NodeRef, Pool, Report, Request, Ticket, TicketError};
use napi::sys;

use crate::closure::{Call, define, define_one};
use crate::error::{Failure, Result};
use crate::js::{Js, Type, Value, node_api};
use crate::{control, data, request, value};

/// A pool of one environment, until it is closed.
#[derive(Debug)]
pub struct Handle {
    pool: RefCell<Option<Rc<Pool>>>,
    chosen: Chosen,
}

impl Handle {
    /// The pool, which stays for the caller even if a callback closes it.
    #[inline(always)]
    pub fn pool(&self) -> Result<Rc<Pool>> {
        self.pool.borrow().clone().ok_or(Failure::Closed)
    }

    pub fn close(&self) {
        drop(self.pool.take());
    }
}

/// Where a pick leaves what does not fit into the number that it returns: the node's index, its generation, and whether a
/// callback failed. JavaScript reads it right after the call.
#[derive(Debug)]
struct Chosen {
    numbers: *mut u32,
    array: sys::napi_ref,
    env: sys::napi_env,
}

impl Chosen {
    fn new<'c>(js: Js<'c>) -> Result<(Self, Value<'c>)> {
        let (array, numbers) = js.uint32_array(3)?;
        let kept = node_api!(js, napi_create_reference(array.raw(), 1) -> sys::napi_ref)?;
        Ok((Self { numbers, array: kept, env: js.env() }, array))
    }

    #[inline(always)]
    fn set(&self, node: NodeRef, callback_failed: bool) {
        // SAFETY: the array has three numbers, `array` keeps it, and only `lib/pool.js` has it, which never detaches it;
        // the pool's functions run on its environment's thread alone.
        unsafe {
            self.numbers.write(node.index);
            self.numbers.add(1).write(node.generation);
            self.numbers.add(2).write(u32::from(callback_failed));
        }
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        // SAFETY: made in this environment; dropped by a finalizer, which Node runs on its thread while it lives.
        unsafe { sys::napi_delete_reference(self.env, self.array) };
    }
}

/// `open(config: text | object)` → the functions of a pool.
pub fn open<'c>(call: &Call<'c, ()>) -> Result<Value<'c>> {
    let (js, given) = (call.js, call.argument(0)?);
    let config = match js.type_of(given)? {
        Type::String => PoolConfig::parse(&js.text(given, "")?)?,
        Type::Object => PoolConfig::from_value(&value::read(js, given, "")?)?,
        _ => return Err(js.not(given, "", "a configuration, text or an object")),
    };
    functions(call, config)
}

/// `openFile(path)` → the functions of a pool.
pub fn open_file<'c>(call: &Call<'c, ()>) -> Result<Value<'c>> {
    functions(call, PoolConfig::from_path(call.text(0, "path")?)?)
}

fn functions<'c>(call: &Call<'c, ()>, config: PoolConfig) -> Result<Value<'c>> {
    let js = call.js;
    let pool = Pool::builder().config(config).build()?;
    let (chosen, array) = Chosen::new(js)?;
    let handle = Rc::new(Handle { pool: RefCell::new(Some(Rc::new(pool))), chosen });
    let object = js.object()?;
    js.set(object, "chosen", array)?;
    define_one::<_, 0, _>(js, object, &handle, call.errors, "acquire", acquire)?;
    define_one::<_, 1, _>(js, object, &handle, call.errors, "release", release)?;
    define(
        js,
        object,
        &handle,
        call.errors,
        &[
            ("ask", ask),
            ("finish", finish),
            ("ticketText", ticket_text),
            ("read", data::read),
            ("hasLabel", data::has_label),
        ],
    )?;
    control::define_on(js, object, &handle, call.errors)?;
    Ok(object)
}

/// `acquire()` → ticket, with `chosen` filled in.
fn acquire<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    acquired(call, call.state.pool()?.acquire(&Request::new())?)
}

/// `ask(key, exclude, require, health, predicate, nowNs, ownStrategy)`: `acquire` with conditions.
fn ask<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    acquired(call, request::acquire(call, &*call.state.pool()?)?)
}

#[inline(always)]
fn acquired<'c>(call: &Call<'c, Handle>, lease: Lease) -> Result<Value<'c>> {
    call.state.chosen.set(lease.node, lease.callback_failed);
    call.js.number(lease.ticket.as_u64() as f64)
}

/// `release(ticket)` → whether it was open: a success, of which no more is said. False on a closed pool.
fn release<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    released(call, ticket(call)?, Report::success())
}

/// `finish(ticket, outcome, kind, latencyMs, retryAfterMs, nowNs)`: `release` with an outcome.
fn finish<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    released(call, ticket(call)?, report(call)?)
}

#[inline(always)]
fn released<'c>(call: &Call<'c, Handle>, ticket: Ticket, report: Report) -> Result<Value<'c>> {
    let Ok(pool) = call.state.pool() else { return call.js.boolean(false) };
    match pool.release(ticket, report) {
        Ok(()) => call.js.boolean(true),
        Err(TicketError::Stale) => call.js.boolean(false),
        Err(invalid) => Err(invalid.into()),
    }
}

/// `ticketText(ticket, field)` → a text of the node that an open ticket is about.
fn ticket_text<'c>(call: &Call<'c, Handle>) -> Result<Value<'c>> {
    let ticket = ticket(call)?;
    let node = call.state.pool()?.node_of(ticket)?;
    data::field(call, node, call.uint32(1, "field")?)
}

#[inline(always)]
fn ticket<T>(call: &Call<'_, T>) -> Result<Ticket> {
    const BOUND: f64 = (1u64 << 53) as f64;
    match call.js.as_number(call.argument(0)?) {
        Some(number) if number < BOUND && number as u64 as f64 == number => Ok(Ticket::from_u64(number as u64)),
        _ => Err(TicketError::Invalid.into()),
    }
}

/// The report of `(_, outcome, kind, latencyMs, retryAfterMs, nowNs)`.
pub fn report<T>(call: &Call<'_, T>) -> Result<Report> {
    const OUTCOME: usize = 1;
    const KIND: usize = 2;
    const LATENCY: usize = 3;
    const RETRY_AFTER: usize = 4;
    const NOW: usize = 5;
    let js = call.js;
    let outcome = match call.given(OUTCOME)? {
        Some(word) => js
            .with_bytes(word, "outcome", Outcome::parse)?
            .ok_or_else(|| ConfigError::new("outcome", 0, "must be success, failure, rate_limited or cancelled"))?,
        None => Outcome::Success,
    };
    let kind = match call.given(KIND)? {
        Some(word) => Some(FailureKind::parse(&js.text(word, "kind")?).ok_or_else(unknown_kind)?),
        None => None,
    };
    let retry_after = call.milliseconds(RETRY_AFTER, "retryAfterMs")?.map(std::time::Duration::from_nanos);
    let ending = match (outcome, kind, retry_after) {
        (Outcome::Failure, kind, None) => Ending::Failure(kind.unwrap_or_default()),
        (Outcome::RateLimited, None, retry_after) => Ending::RateLimited { retry_after },
        (Outcome::Success, None, None) => Ending::Success,
        (Outcome::Cancelled, None, None) => Ending::Cancelled,
        (_, Some(_), _) => return Err(ConfigError::new("kind", 0, "is for the outcome failure").into()),
        _ => return Err(ConfigError::new("retryAfterMs", 0, "is for the outcome rate_limited").into()),
    };
    Ok(Report { ending, latency_ns: call.milliseconds(LATENCY, "latencyMs")?, now_ns: call.nanoseconds(NOW, "nowNs")? })
}

fn unknown_kind() -> Failure {
    let known = FailureKind::ALL.map(FailureKind::as_str).join(", ");
    ConfigError::new("kind", 0, format!("unknown kind of failure; known are {known}")).into()
}

#[derive(Clone, Copy)]
enum Outcome {
    Success,
    Failure,
    RateLimited,
    Cancelled,
}

impl Outcome {
    fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"success" => Some(Self::Success),
            b"failure" => Some(Self::Failure),
            b"rate_limited" => Some(Self::RateLimited),
            b"cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}
