//! Attempts after the first, and attempts that are no requests: retries, plans, active checks.

use std::rc::Rc;
use std::time::Duration;

use loadwise::{Retry, RetryAsk};

use crate::closure::{Call, define, define_one};
use crate::data::object;
use crate::error::{ErrorMaker, Result};
use crate::js::{Js, Value};
use crate::pool::Pools;
use crate::request::{self, Asked};
use crate::{report, value};

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define_one::<_, { request::ARGUMENTS }, _>(js, object, pools, errors, "plan", plan)?;
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
    let ask = RetryAsk {
        ending: report::ending(call, 1, 2, 3)?,
        attempt: call.uint32(4, "attempt")?,
        idempotent: call.boolean(5, "idempotent", false)?,
        sent: call.boolean(6, "sent", true)?,
        now_ns: call.nanoseconds(7, "nowNs")?,
    };
    match Pools::of(call)?.retry(&ask) {
        Retry::After(wait) => call.js.number(wait.as_nanos() as f64 / 1e6),
        Retry::GiveUp(why) => call.js.string(why.as_str()),
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
