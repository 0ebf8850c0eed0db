//! The pools of one environment, and the functions that pick and finish.
//!
//! JavaScript names a pool by its number. The functions are the environment's, not a pool's: V8 calls them without a
//! detour only as long as it sees the same function at a place, however many pools there are.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use loadwise::config::PoolConfig;
use loadwise::{Lease, Pool, Report, Request, StateError, Ticket, TicketError};
use napi::sys;

use crate::closure::{Call, define, define_one};
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Value, node_api};
use crate::request::Asked;
use crate::{attempts, control, data, engine, events, explain, learned, report, request, sessions, sharing, wait};

/// The pools of one environment. Its functions keep it.
#[derive(Debug)]
pub struct Pools {
    /// By number; a number is given out again when nobody in JavaScript has it any more.
    slots: RefCell<Vec<Slot>>,
    pub registers: Registers,
}

/// A pool as the environment has it. A call counts in `kept`, which needs no atomic operation, and goes to the pool itself at
/// once; that an engine may have it, too, is one step further.
#[derive(Debug, Clone)]
pub struct Held {
    pool: NonNull<Pool>,
    #[expect(clippy::redundant_allocation, reason = "two counts, of which one is not atomic")]
    kept: Rc<Arc<Pool>>,
}

impl Held {
    fn new(pool: Arc<Pool>) -> Self {
        Self { pool: NonNull::from(&*pool), kept: Rc::new(pool) }
    }

    pub fn weak(&self) -> Weak<Pool> {
        Arc::downgrade(&self.kept)
    }
}

impl Deref for Held {
    type Target = Pool;

    #[inline(always)]
    fn deref(&self) -> &Pool {
        // SAFETY: it is the pool that `kept` keeps where it is.
        unsafe { self.pool.as_ref() }
    }
}

#[derive(Debug)]
enum Slot {
    Open(Held),
    Closed,
    Free,
}

impl Pools {
    /// The pool of a call, by its first argument. It stays for the caller even if a callback closes it.
    pub fn of(call: &Call<'_, Self>) -> Result<Held> {
        let number = call.js.as_uint32(call.argument(0)?).ok_or(StateError::Closed)?;
        call.state.at(number as usize)
    }

    #[inline(always)]
    fn at(&self, number: usize) -> Result<Held> {
        match self.slots.borrow().get(number) {
            Some(Slot::Open(pool)) => Ok(pool.clone()),
            _ => Err(StateError::Closed.into()),
        }
    }

    fn add(&self, pool: Arc<Pool>) -> usize {
        let mut slots = self.slots.borrow_mut();
        let open = Slot::Open(Held::new(pool));
        match slots.iter().position(|slot| matches!(slot, Slot::Free)) {
            Some(number) => {
                slots[number] = open;
                number
            }
            None => {
                slots.push(open);
                slots.len() - 1
            }
        }
    }

    /// Whether a number is of this very pool.
    pub fn is_at(&self, number: u32, pool: &Arc<Pool>) -> bool {
        matches!(self.slots.borrow().get(number as usize), Some(Slot::Open(held)) if Arc::ptr_eq(&held.kept, pool))
    }

    fn put(&self, number: usize, slot: Slot) {
        // The old one is dropped when the borrow is over.
        let _old = self.slots.borrow_mut().get_mut(number).map(|place| std::mem::replace(place, slot));
    }
}

/// Numbers that JavaScript and the hottest functions share: each argument and each result that Node converts costs a
/// quarter of an empty call. Written right before a call, read right after it.
#[derive(Debug)]
pub struct Registers {
    numbers: *mut f64,
    array: sys::napi_ref,
    env: sys::napi_env,
}

/// What each is; `lib/registers.js` has the same.
const POOL: usize = 0;
const TICKET: usize = 1;
const INDEX: usize = 2;
const GENERATION: usize = 3;
/// Of a pick: whether a callback failed. Of a release: whether the ticket was open.
const FLAG: usize = 4;
const REGISTERS: usize = 5;

impl Registers {
    fn new<'c>(js: Js<'c>) -> Result<(Self, Value<'c>)> {
        let (array, numbers) = js.float64_array(REGISTERS)?;
        let kept = node_api!(js, napi_create_reference(array.raw(), 1) -> sys::napi_ref)?;
        Ok((Self { numbers, array: kept, env: js.env() }, array))
    }

    #[inline(always)]
    fn get(&self, register: usize) -> f64 {
        debug_assert!(register < REGISTERS);
        // SAFETY: the array has so many numbers, `array` keeps it, and only `lib` has it, which never detaches it; the
        // functions run on their environment's thread alone.
        unsafe { self.numbers.add(register).read() }
    }

    #[inline(always)]
    fn set(&self, register: usize, number: f64) {
        debug_assert!(register < REGISTERS);
        // SAFETY: as above.
        unsafe { self.numbers.add(register).write(number) };
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: made in this environment; dropped by a finalizer, which Node runs on its thread while it lives.
        unsafe { sys::napi_delete_reference(self.env, self.array) };
    }
}

/// Puts the functions of pools on `object`.
pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, errors: &Rc<ErrorMaker>) -> Result<()> {
    let (registers, array) = Registers::new(js)?;
    js.set(object, "registers", array)?;
    let pools = Rc::new(Pools { slots: RefCell::default(), registers });
    define_one::<_, 0, _>(js, object, &pools, errors, "acquire", acquire)?;
    define_one::<_, 0, _>(js, object, &pools, errors, "release", release)?;
    define_one::<_, { request::ARGUMENTS_USUAL }, _>(js, object, &pools, errors, "ask", ask)?;
    define_one::<_, { request::ARGUMENTS }, _>(js, object, &pools, errors, "askMore", ask)?;
    define_one::<_, { request::ARGUMENTS }, _>(js, object, &pools, errors, "askOnce", ask_once)?;
    let opener = Rc::new(Opener(pools.clone()));
    define(js, object, &opener, errors, &[("open", open), ("openFile", open_file)])?;
    define(
        js,
        object,
        &pools,
        errors,
        &[
            ("finish", finish),
            ("firstToken", first_token),
            ("ticketNode", ticket_node),
            ("described", data::described),
            ("candidate", data::candidate),
            ("hasLabel", data::has_label),
            ("close", close),
            ("closed", closed),
        ],
    )?;
    let others = [
        attempts::define_on,
        control::define_on,
        engine::define_on,
        events::define_on,
        explain::define_on,
        learned::define_on,
        sessions::define_on,
        sharing::define_on,
        wait::define_on,
    ];
    others.iter().try_for_each(|define_on| define_on(js, object, &pools, errors))
}

/// Makes pools, which keep the environment's others.
#[derive(Debug)]
struct Opener(Rc<Pools>);

/// `open(config: text | object)` → `{number, keeper}`: the pool is freed with its keeper.
fn open<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, PoolConfig::from_value(&engine::document(call.js, call.argument(0)?)?)?)
}

/// `openFile(path)`: as `open`.
fn open_file<'c>(call: &Call<'c, Opener>) -> Result<Value<'c>> {
    opened(call, PoolConfig::from_path(call.text(0, "path")?)?)
}

fn opened<'c>(call: &Call<'c, Opener>, config: PoolConfig) -> Result<Value<'c>> {
    handed_out(call.js, &call.state.0, Arc::new(Pool::builder().config(config).build()?))
}

/// Gives a pool a number: `{number, keeper}`.
pub fn handed_out<'c>(js: Js<'c>, pools: &Rc<Pools>, pool: Arc<Pool>) -> Result<Value<'c>> {
    let number = pools.add(pool);
    let keeper = keeper(js, pools.clone(), number).inspect_err(|_| pools.put(number, Slot::Free))?;
    data::object(js, &[("number", js.number(number as f64)?), ("keeper", keeper)])
}

/// A pool that JavaScript still has.
struct Kept {
    pools: Rc<Pools>,
    number: usize,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.pools.put(self.number, Slot::Free);
    }
}

fn keeper<'c>(js: Js<'c>, pools: Rc<Pools>, number: usize) -> Result<Value<'c>> {
    unsafe extern "C" fn finalize(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
        // SAFETY: from `into_raw` below; Node finalizes an external once.
        drop(unsafe { Box::from_raw(data.cast::<Kept>()) });
    }
    let kept = Box::into_raw(Box::new(Kept { pools, number }));
    let (data, finalizer) = (kept.cast(), Some(finalize as _));
    match node_api!(js, napi_create_external(data, finalizer, ptr::null_mut()) -> sys::napi_value) {
        // SAFETY: made in this call.
        Ok(raw) => Ok(unsafe { Value::new(raw) }),
        Err(failure) => {
            // SAFETY: from `into_raw` above; there is no external to finalize it.
            drop(unsafe { Box::from_raw(kept) });
            Err(failure)
        }
    }
}

fn close<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    if let (Ok(_), Some(number)) = (Pools::of(call), call.js.as_uint32(call.argument(0)?)) {
        call.state.put(number as usize, Slot::Closed);
    }
    call.js.undefined()
}

fn closed<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.boolean(Pools::of(call).is_err())
}

/// `acquire()`, by the registers: of `POOL`, gives `TICKET`, `INDEX`, `GENERATION` and `FLAG`.
fn acquire<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let registers = &call.state.registers;
    let lease = call.state.at(registers.get(POOL) as usize)?.acquire(&Request::new())?;
    Ok(acquired(registers, lease))
}

/// `ask(pool, key, exclude, require, health, predicate, nowNs, ownStrategy)`: `acquire` with conditions, which gives the
/// same. `askMore` has `zone`, `session` and `cost` after these.
fn ask<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let lease = request::acquire(call, &*Pools::of(call)?)?;
    Ok(acquired(&call.state.registers, lease))
}

/// `askOnce(...)`: `askMore` of a pick that has waited as long as it may, which is counted if it finds no room now.
fn ask_once<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let pool = Pools::of(call)?;
    let Asked { mut answer, callback_failed } =
        request::asked(call, |request| pool.acquire_within(request, Duration::from_nanos(1)))?;
    request::note(&mut answer, callback_failed);
    Ok(acquired(&call.state.registers, answer?))
}

/// Writes a pick into the registers.
#[inline(always)]
pub fn acquired<'c>(registers: &Registers, lease: Lease) -> Value<'c> {
    // Below 2⁵³; a signed number is converted faster.
    registers.set(TICKET, lease.ticket.as_u64() as i64 as f64);
    registers.set(INDEX, f64::from(lease.node.index));
    registers.set(GENERATION, f64::from(lease.node.generation));
    registers.set(FLAG, f64::from(u8::from(lease.callback_failed)));
    Value::nothing()
}

/// `release()`, by the registers: of `POOL` and `TICKET`, gives `FLAG`. A success, of which no more is said.
fn release<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let registers = &call.state.registers;
    let pool = call.state.at(registers.get(POOL) as usize);
    let open = released(pool, ticket_of(registers.get(TICKET))?, Report::success())?;
    registers.set(FLAG, f64::from(u8::from(open)));
    Ok(Value::nothing())
}

/// `finish(pool, ticket, outcome, kind, latencyMs, retryAfterMs, nowNs)` → whether the ticket was open.
fn finish<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, ticket) = (Pools::of(call), ticket(call)?);
    call.js.boolean(report::told(call, |report| released(pool, ticket, report))??)
}

/// `firstToken(pool, ticket, nowNs)` → whether it was the first of an open ticket.
fn first_token<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, ticket, now_ns) = (Pools::of(call), ticket(call)?, call.nanoseconds(2, "nowNs")?);
    let Ok(pool) = pool else { return call.js.boolean(false) };
    let noted = match now_ns {
        Some(now_ns) => pool.first_token_at(ticket, now_ns),
        None => pool.first_token(ticket),
    };
    match noted {
        Ok(was_first) => call.js.boolean(was_first),
        Err(TicketError::Stale) => call.js.boolean(false),
        Err(invalid) => Err(invalid.into()),
    }
}

/// Whether the ticket was open; on a closed pool it is not.
#[inline(always)]
fn released(pool: Result<Held>, ticket: Ticket, report: Report<'_>) -> Result<bool> {
    let Ok(pool) = pool else { return Ok(false) };
    match pool.release(ticket, report) {
        Ok(()) => Ok(true),
        Err(TicketError::Stale) => Ok(false),
        Err(invalid) => Err(invalid.into()),
    }
}

/// `ticketNode(pool, ticket, field)` → how the node that an open ticket is about is described.
fn ticket_node<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (ticket, pool) = (ticket(call)?, Pools::of(call)?);
    data::describe(call, &pool, pool.node_of(ticket)?, 2)
}

fn ticket<T>(call: &Call<'_, T>) -> Result<Ticket> {
    ticket_of(call.js.as_number(call.argument(1)?).unwrap_or(f64::NAN))
}

#[inline(always)]
fn ticket_of(number: f64) -> Result<Ticket> {
    const BOUND: f64 = (1u64 << 53) as f64;
    let whole = number as i64 as f64 == number;
    if whole && (0.0..BOUND).contains(&number) {
        Ok(Ticket::from_u64(number as i64 as u64))
    } else {
        Err(TicketError::Invalid.into())
    }
}
