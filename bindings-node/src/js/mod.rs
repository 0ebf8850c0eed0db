//! Node-API as far as loadwise needs it: the values of one call, made and read.

mod text;

use std::marker::PhantomData;
use std::ptr;

use loadwise::ConfigError;
use napi::sys;

use crate::error::{Failure, Result};

/// An environment, during one call from Node on its thread.
#[derive(Debug, Clone, Copy)]
pub struct Js<'c> {
    env: sys::napi_env,
    call: PhantomData<&'c ()>,
}

/// A JavaScript value, alive during that call.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Value<'c> {
    raw: sys::napi_value,
    call: PhantomData<&'c ()>,
}

/// What a value is, as `typeof` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Undefined,
    Null,
    Boolean,
    Number,
    String,
    Symbol,
    Object,
    Function,
    External,
    BigInt,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Symbol => "a symbol",
            Self::Object => "an object",
            Self::Function => "a function",
            Self::External => "an external",
            Self::BigInt => "a bigint",
        }
    }
}

/// Calls Node-API, whose last argument is where the result goes; a status that is not OK is a [`Failure::Node`].
macro_rules! node_api {
    ($js:expr, $function:ident($($argument:expr),*) -> $result:ty) => {{
        let mut result = ::std::mem::MaybeUninit::<$result>::uninit();
        // SAFETY: `Js` exists only during a call from Node on its thread, and so do its values; the pointers among the
        // arguments are to live locals; the result is written whenever the status is OK.
        let status = unsafe { ::napi::sys::$function($js.env(), $($argument,)* result.as_mut_ptr()) };
        if status == ::napi::sys::Status::napi_ok {
            // SAFETY: as above.
            Ok(unsafe { result.assume_init() })
        } else {
            Err($crate::error::Failure::Node(status))
        }
    }};
    ($js:expr, $function:ident($($argument:expr),*)) => {{
        // SAFETY: as above; there is no result.
        let status = unsafe { ::napi::sys::$function($js.env(), $($argument),*) };
        if status == ::napi::sys::Status::napi_ok { Ok(()) } else { Err($crate::error::Failure::Node(status)) }
    }};
}
pub(crate) use node_api;

impl<'c> Value<'c> {
    /// What a function returns that returns nothing; to be used for nothing else.
    #[inline(always)]
    pub fn nothing() -> Self {
        Self { raw: ptr::null_mut(), call: PhantomData }
    }

    /// # Safety
    /// `raw` must be a value of the call that `'c` stands for.
    #[inline(always)]
    pub unsafe fn new(raw: sys::napi_value) -> Self {
        Self { raw, call: PhantomData }
    }

    #[inline(always)]
    pub fn raw(self) -> sys::napi_value {
        self.raw
    }
}

impl<'c> Js<'c> {
    /// # Safety
    /// To be called on the thread of `env`, in a call from Node that outlives `'c`.
    #[inline(always)]
    pub unsafe fn new(env: sys::napi_env) -> Self {
        Self { env, call: PhantomData }
    }

    #[inline(always)]
    pub fn env(self) -> sys::napi_env {
        self.env
    }

    #[inline(always)]
    pub fn value(self, made: Result<sys::napi_value>) -> Result<Value<'c>> {
        made.map(|raw| Value { raw, call: PhantomData })
    }

    #[inline(always)]
    pub fn undefined(self) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_get_undefined() -> sys::napi_value))
    }

    pub fn null(self) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_get_null() -> sys::napi_value))
    }

    #[inline(always)]
    pub fn boolean(self, b: bool) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_get_boolean(b) -> sys::napi_value))
    }

    #[inline(always)]
    pub fn number(self, number: f64) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_create_double(number) -> sys::napi_value))
    }

    #[inline(always)]
    pub fn small(self, number: u32) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_create_uint32(number) -> sys::napi_value))
    }

    /// A number if it is one exactly, else a bigint.
    pub fn integer(self, integer: u64) -> Result<Value<'c>> {
        const EXACT: u64 = 1 << 53;
        if integer < EXACT {
            return self.number(integer as f64);
        }
        self.value(node_api!(self, napi_create_bigint_uint64(integer) -> sys::napi_value))
    }

    pub fn optional(self, number: Option<f64>) -> Result<Value<'c>> {
        number.map_or_else(|| self.undefined(), |n| self.number(n))
    }

    pub fn string(self, text: &str) -> Result<Value<'c>> {
        let (data, length) = (text.as_ptr().cast(), text.len() as isize);
        if text.is_ascii() {
            // Nothing to decode.
            return self.value(node_api!(self, napi_create_string_latin1(data, length) -> sys::napi_value));
        }
        self.value(node_api!(self, napi_create_string_utf8(data, length) -> sys::napi_value))
    }

    pub fn object(self) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_create_object() -> sys::napi_value))
    }

    pub fn array(self, length: usize) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_create_array_with_length(length) -> sys::napi_value))
    }

    /// A `Uint32Array` and where its numbers are; they stay there while it lives, unless it is detached.
    pub fn uint32_array(self, length: usize) -> Result<(Value<'c>, *mut u32)> {
        self.typed_array(sys::TypedarrayType::uint32_array, length)
    }

    /// The same of a `Float64Array`.
    pub fn float64_array(self, length: usize) -> Result<(Value<'c>, *mut f64)> {
        self.typed_array(sys::TypedarrayType::float64_array, length)
    }

    fn typed_array<T>(self, kind: sys::napi_typedarray_type, length: usize) -> Result<(Value<'c>, *mut T)> {
        let (mut data, bytes) = (ptr::null_mut(), length * size_of::<T>());
        let buffer = node_api!(self, napi_create_arraybuffer(bytes, &raw mut data) -> sys::napi_value)?;
        let array = node_api!(self, napi_create_typedarray(kind, length, buffer, 0) -> sys::napi_value);
        Ok((self.value(array)?, data.cast()))
    }

    pub fn set(self, object: Value<'c>, name: &str, value: Value<'c>) -> Result<()> {
        let name = self.string(name)?;
        node_api!(self, napi_set_property(object.raw, name.raw, value.raw))
    }

    pub fn set_at(self, array: Value<'c>, index: usize, value: Value<'c>) -> Result<()> {
        node_api!(self, napi_set_element(array.raw, index as u32, value.raw))
    }

    pub fn get(self, object: Value<'c>, name: &str) -> Result<Value<'c>> {
        let name = self.string(name)?;
        self.get_by(object, name)
    }

    pub fn get_by(self, object: Value<'c>, name: Value<'c>) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_get_property(object.raw, name.raw) -> sys::napi_value))
    }

    pub fn at(self, array: Value<'c>, index: usize) -> Result<Value<'c>> {
        self.value(node_api!(self, napi_get_element(array.raw, index as u32) -> sys::napi_value))
    }

    #[inline(always)]
    pub fn type_of(self, value: Value<'c>) -> Result<Type> {
        use sys::ValueType as T;
        Ok(match node_api!(self, napi_typeof(value.raw) -> sys::napi_valuetype)? {
            T::napi_undefined => Type::Undefined,
            T::napi_null => Type::Null,
            T::napi_boolean => Type::Boolean,
            T::napi_number => Type::Number,
            T::napi_string => Type::String,
            T::napi_symbol => Type::Symbol,
            T::napi_function => Type::Function,
            T::napi_external => Type::External,
            T::napi_bigint => Type::BigInt,
            _ => Type::Object,
        })
    }

    /// The number, if it is one.
    #[inline(always)]
    pub fn as_number(self, value: Value<'c>) -> Option<f64> {
        node_api!(self, napi_get_value_double(value.raw) -> f64).ok()
    }

    /// The number as an index, if it is one.
    #[inline(always)]
    pub fn as_uint32(self, value: Value<'c>) -> Option<u32> {
        node_api!(self, napi_get_value_uint32(value.raw) -> u32).ok()
    }

    pub fn as_boolean(self, value: Value<'c>) -> Option<bool> {
        node_api!(self, napi_get_value_bool(value.raw) -> bool).ok()
    }

    /// A bigint as sign and magnitude, if it has no more than 64 bits.
    pub fn bigint(self, value: Value<'c>) -> Result<Option<i128>> {
        let (mut negative, mut words, mut word) = (0, 1, 0u64);
        let (sign, count) = (&raw mut negative, &raw mut words);
        node_api!(self, napi_get_value_bigint_words(value.raw, sign, count, &raw mut word))?;
        let magnitude = i128::from(if words == 0 { 0 } else { word });
        Ok((words <= 1).then_some(if negative == 0 { magnitude } else { -magnitude }))
    }

    pub fn is_array(self, value: Value<'c>) -> Result<bool> {
        node_api!(self, napi_is_array(value.raw) -> bool)
    }

    pub fn length(self, array: Value<'c>) -> Result<usize> {
        Ok(node_api!(self, napi_get_array_length(array.raw) -> u32)? as usize)
    }

    /// Whether an object is `{...}`, of this realm or another, and no instance of a class: those keep their content
    /// elsewhere than in properties, as `Map` does.
    pub fn is_plain(self, object: Value<'c>) -> Result<bool> {
        let parent = |v: Value<'c>| self.value(node_api!(self, napi_get_prototype(v.raw) -> sys::napi_value));
        let prototype = parent(object)?;
        Ok(self.type_of(prototype)? == Type::Null || self.type_of(parent(prototype)?)? == Type::Null)
    }

    /// The names of an object's own enumerable properties, symbols left out.
    pub fn names(self, object: Value<'c>) -> Result<Value<'c>> {
        let filter = sys::KeyFilter::enumerable | sys::KeyFilter::skip_symbols;
        let (mode, conversion) = (sys::KeyCollectionMode::own_only, sys::KeyConversion::numbers_to_strings);
        let names =
            node_api!(self, napi_get_all_property_names(object.raw, mode, filter, conversion) -> sys::napi_value);
        self.value(names)
    }

    /// Calls a function. A failure leaves what it threw pending.
    pub fn call(self, function: Value<'c>, arguments: &[Value<'c>]) -> Result<Value<'c>> {
        let this = self.undefined()?;
        // `Value` is a `napi_value` and nothing else.
        let (count, first) = (arguments.len(), arguments.as_ptr().cast());
        self.value(node_api!(self, napi_call_function(this.raw, function.raw, count, first) -> sys::napi_value))
    }

    /// Runs `body` with handles that are given back after it, for loops.
    pub fn scoped<R>(self, body: impl FnOnce() -> Result<R>) -> Result<R> {
        let scope = node_api!(self, napi_open_handle_scope() -> sys::napi_handle_scope)?;
        let result = body();
        node_api!(self, napi_close_handle_scope(scope))?;
        result
    }

    /// The error of an argument that is something else than it should be.
    #[cold]
    pub fn not(self, value: Value<'c>, name: &str, wanted: &str) -> Failure {
        let found = self.type_of(value).map_or("something else", Type::name);
        ConfigError::new(name, 0, format!("must be {wanted}, not {found}")).into()
    }
}
