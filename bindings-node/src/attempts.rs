//! Attempts after the first, and attempts that are no requests: retries, plans, active checks.

use std::rc::Rc;
use std::time::Duration;

use loadwise::{Again, ConfigError, Retry, RetryAsk};

use crate::closure::{Call, define, define_one};
use crate::data::object;
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Value};
use crate::pool::{Pools, acquired};
use crate::request::{self, Asked};
use crate::{report, value};

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define_one::<_, { request::ARGUMENTS }, _>(js, object, pools, errors, "plan", plan)?;
    define_one::<_, { request::ARGUMENTS + ENDED }, _>(js, object, pools, errors, "pickAgain", pick_again)?;
    define(
        js,
        object,
        pools,
        errors,
        &[("retry", retry), ("checksDue", checks_due), ("nextCheck", next_check), ("reportCheck", report_check)],
    )
}

/// `retry(pool, outcome, kind, retryAfterMs, attempt, idempotent, sent, nowNs)` → after how many milliseconds, or a word
/// for why not.
fn retry<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    told(call.js, Pools::of(call)?.retry(&ended(call, 1)?))
}

/// `pickAgain(...)`, as `askMore`, and after that what `retry` has after the pool → the same as `retry`. With a time, the
/// registers are as after `askMore`.
fn pick_again<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, ask) = (Pools::of(call)?, ended(call, request::ARGUMENTS)?);
    let Asked { answer, callback_failed } = request::asked(call, |request| pool.pick_again(request, &ask))?;
    let retry = match answer {
        Ok(Again::Pick(pick, wait)) => {
            let mut lease = pick.into_lease();
            lease.callback_failed |= callback_failed;
            acquired(&call.state.registers, lease);
            Retry::After(wait)
        }
        Ok(Again::GiveUp(why)) => Retry::GiveUp(why),
        Err(mut none) => {
            none.callback_failed |= callback_failed;
            return Err(none.into());
        }
    };
    told(call.js, retry)
}

/// How many arguments tell of an attempt that has ended.
const ENDED: usize = 7;

/// An attempt that has ended, by the arguments from `first` on.
fn ended<T>(call: &Call<'_, T>, first: usize) -> Result<RetryAsk> {
    let ending = report::ending(call, first, first + 1, first + 2)?;
    let attempt = call.uint32(first + 3, "attempt")?;
    if attempt == 0 {
        return Err(ConfigError::new("attempt", 0, "must be 1 for the first attempt, 2 for the second").into());
    }
    Ok(RetryAsk {
        idempotent: call.boolean(first + 4, "idempotent", false)?,
        sent: call.boolean(first + 5, "sent", true)?,
        now_ns: call.nanoseconds(first + 6, "nowNs")?,
        ..RetryAsk::new(ending, attempt)
    })
}

fn told<'c>(js: Js<'c>, retry: Retry) -> Result<Value<'c>> {
    match retry {
        Retry::After(wait) => js.number(wait.as_nanos() as f64 / 1e6),
        Retry::GiveUp(why) => js.string(why.as_str()),
    }
}

/// `plan(...)`, as `askMore` → `{attempts, hedgeAfterMs}`.
fn plan<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let pool = Pools::of(call)?;
    let Asked { answer, callback_failed } = request::asked(call, |request| pool.plan(request))?;
    let plan = answer.map_err(|mut none| {
        none.callback_failed |= callback_failed;
        none
    })?;
    value::data(call.js, &plan.to_value(), &[])
}

/// `checksDue(pool, nowNs)` → the checks that the caller is to make.
fn checks_due<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, now_ns) = (call.js, call.now_ns(1)?);
    let due = Pools::of(call)?.checks_due(now_ns);
    let checks = js.array(due.len())?;
    for (i, check) in due.iter().enumerate() {
        js.scoped(|| {
            let properties = [
                ("id", js.string(&check.id)?),
                ("name", js.string(&check.name)?),
                ("address", js.string(&check.address)?),
                ("deadlineNs", js.number(check.deadline_ns as f64)?),
            ];
            js.set_at(checks, i, object(js, &properties)?)
        })?;
    }
    Ok(checks)
}

/// `nextCheck(pool)` → when a check is due, or undefined.
fn next_check<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    call.js.optional(Pools::of(call)?.next_check_ns().map(|ns| ns as f64))
}

/// `reportCheck(pool, id, ok, latencyMs, nowNs)` → whether the node's health changed.
fn report_check<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, ok) = (call.js, call.argument(2)?);
    let ok = js.as_boolean(ok).ok_or_else(|| js.not(ok, "ok", "a boolean"))?;
    let latency = call.milliseconds(3, "latencyMs")?.map(Duration::from_nanos);
    let now_ns = call.nanoseconds(4, "nowNs")?;
    js.boolean(Pools::of(call)?.report_check(&call.text(1, "id")?, ok, latency, now_ns)?)
}
