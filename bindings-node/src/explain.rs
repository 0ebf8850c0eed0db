//! The reasons of a decision.

use std::rc::Rc;

use crate::closure::{Call, define_one};
use crate::error::{ErrorMaker, Failure, Result};
use crate::js::{Js, Value};
use crate::pool::{Pools, acquired};
use crate::request::{self, Asked};
use crate::value;

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define_one::<_, { request::ARGUMENTS }, _>(js, object, pools, errors, "explain", explain)?;
    define_one::<_, { request::ARGUMENTS }, _>(js, object, pools, errors, "acquireExplained", acquire_explained)
}

/// `explain(...)`, as `askMore` → the reasons of the next pick.
fn explain<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let pool = Pools::of(call)?;
    let explained = request::asked(call, |request| pool.explain(request))?;
    value::data(call.js, &explained.answer.to_value(), &[])
}

/// `acquireExplained(...)`, as `askMore` → `[explanation, error]`; without an error the registers are as after `askMore`.
fn acquire_explained<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, pool) = (call.js, Pools::of(call)?);
    let Asked { answer: (mut answer, explanation), callback_failed } =
        request::asked(call, |request| pool.acquire_explained(request))?;
    request::note(&mut answer, callback_failed);
    let pair = js.array(2)?;
    js.set_at(pair, 0, value::data(js, &explanation.to_value(), &[])?)?;
    let error = match answer {
        Ok(lease) => {
            acquired(&call.state.registers, lease);
            js.undefined()?
        }
        Err(none) => call.errors.make(js, &Failure::NoNode(none))?,
    };
    js.set_at(pair, 1, error)?;
    Ok(pair)
}
