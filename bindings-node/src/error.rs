//! What goes wrong, and how it becomes an exception of the package's classes.

use std::fmt;
use std::ptr;

use loadwise::{CODES, ConfigError, Error, NoNode, StateError, TicketError};
use napi::sys;

use crate::js::{Js, Value, node_api};

pub type Result<T> = std::result::Result<T, Failure>;

/// The number of [`CODES`] that no error of the core has.
const PANIC: u32 = 606;

#[derive(Debug)]
pub enum Failure {
    Error(Error),
    NoNode(NoNode),
    /// A defect of ours, contained.
    Panic,
    /// Node-API refused; if JavaScript threw, that is pending.
    Node(sys::napi_status),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(e) => e.fmt(f),
            Self::NoNode(e) => e.fmt(f),
            Self::Panic => f.write_str("a defect of loadwise, contained: please report it"),
            Self::Node(status) => write!(f, "Node-API failed with status {status}"),
        }
    }
}

impl Failure {
    fn status(&self) -> u32 {
        match self {
            Self::Error(e) => e.code(),
            Self::NoNode(e) => e.code(),
            Self::Panic | Self::Node(_) => PANIC,
        }
    }

    /// The error of a value inside of another: its key is `outer` and then its own.
    pub fn within(self, outer: &str) -> Self {
        match self {
            Self::Error(Error::Config(mut e)) => {
                let dot = if outer.is_empty() || e.key.is_empty() || e.key.starts_with('[') { "" } else { "." };
                e.key = format!("{outer}{dot}{}", e.key);
                e.into()
            }
            other => other,
        }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self::Error(e.into())
    }
}

impl From<StateError> for Failure {
    fn from(e: StateError) -> Self {
        Self::Error(e.into())
    }
}

impl From<TicketError> for Failure {
    fn from(e: TicketError) -> Self {
        Self::Error(e.into())
    }
}

impl From<NoNode> for Failure {
    fn from(e: NoNode) -> Self {
        Self::NoNode(e)
    }
}

/// The `code` of a status: `ERR_LOADWISE_` and its word in the table that all languages share.
pub fn code(status: u32) -> String {
    let word = CODES.iter().find(|(number, ..)| *number == status).map_or("UNKNOWN", |(_, word, _)| word);
    format!("ERR_LOADWISE_{}", word.strip_prefix("ERR_").unwrap_or(word))
}

/// The JavaScript function that makes an error: `(status, code, message, ...details) → Error`.
#[derive(Debug)]
pub struct ErrorMaker {
    env: sys::napi_env,
    function: sys::napi_ref,
}

impl ErrorMaker {
    pub fn new<'c>(js: Js<'c>, function: Value<'c>) -> Result<Self> {
        let function = node_api!(js, napi_create_reference(function.raw(), 1) -> sys::napi_ref)?;
        Ok(Self { env: js.env(), function })
    }

    /// Throws; what is returned to Node then is not looked at.
    #[cold]
    pub fn throw(&self, js: Js<'_>, failure: &Failure) -> sys::napi_value {
        // What cannot be thrown is thrown already.
        let _ = self.try_throw(js, failure);
        ptr::null_mut()
    }

    fn try_throw(&self, js: Js<'_>, failure: &Failure) -> Result<()> {
        if node_api!(js, napi_is_exception_pending() -> bool)? {
            return Ok(());
        }
        let error = self.make(js, failure)?;
        node_api!(js, napi_throw(error.raw()))
    }

    /// The exception of a failure, not thrown.
    pub fn make<'c>(&self, js: Js<'c>, failure: &Failure) -> Result<Value<'c>> {
        let none = js.undefined()?;
        let details = match failure {
            Failure::Error(Error::Config(e)) => [js.string(&e.key)?, js.integer(e.line as u64)?, none],
            Failure::NoNode(e) => [
                js.string(e.reason.as_str())?,
                e.retry_at_ns.map_or_else(|| js.undefined(), |ns| js.number(ns as f64))?,
                js.boolean(e.callback_failed)?,
            ],
            _ => [none; 3],
        };
        let status = failure.status();
        let [first, second, third] = details;
        let message = js.string(&failure.to_string())?;
        let arguments = [js.small(status)?, js.string(&code(status))?, message, first, second, third];
        let function = node_api!(js, napi_get_reference_value(self.function) -> sys::napi_value)?;
        // SAFETY: it was got in this call.
        js.call(unsafe { Value::new(function) }, &arguments)
    }
}

impl Drop for ErrorMaker {
    fn drop(&mut self) {
        // SAFETY: made in this environment; dropped by a finalizer, which Node runs on its thread while it lives.
        unsafe { sys::napi_delete_reference(self.env, self.function) };
    }
}
