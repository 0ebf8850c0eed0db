//! Bytes choose calls of the C ABI: right ones, and wrong in every way that a C program can be wrong without breaking the
//! promises of the header. No call may crash or panic, and what cannot be must be refused.

#![no_main]

#[path = "../abi/mod.rs"]
mod abi;
#[path = "../bytes.rs"]
mod bytes;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| abi::run(bytes::Bytes(data)));
