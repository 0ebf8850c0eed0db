//! A pool beside a plain model of one: the same operations on both, and after each they must agree.
//!
//! - [`ops`]: operations, drawn from random numbers or from a fuzzer's bytes
//! - [`pool`]: the model, a re-statement of what a pool does in the plainest data there is
//! - [`request`]: who may be picked, by the model
//! - [`lockstep`]: runs operations on both
//! - [`shrink`]: makes a failing list short

pub mod lockstep;
pub mod ops;
pub mod pool;
pub mod request;
pub mod shrink;
