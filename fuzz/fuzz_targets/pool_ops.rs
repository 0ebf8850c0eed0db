//! Bytes choose operations on a pool and on the model of it; both must agree after each.

#![no_main]

#[path = "../bytes.rs"]
mod bytes;
#[path = "../../core/tests/model/mod.rs"]
#[allow(dead_code, reason = "the lists of the tests are drawn and shortened otherwise")]
mod model;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use model::lockstep::run;
use model::ops::{Op, Setup, Source};

const OPS_MAX: usize = 1_000;

impl Source for Bytes<'_> {
    fn below(&mut self, n: u32) -> u32 {
        u32::from(self.next()) % n
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let setup = Setup::draw(&mut bytes);
    let mut ops = Vec::new();
    while !bytes.0.is_empty() && ops.len() < OPS_MAX {
        // A callback that panics would end the fuzzer.
        ops.push(Op::draw(&mut bytes, false));
    }
    if let Err(why) = run(&setup, &ops) {
        let ops: Vec<String> = ops.iter().map(|op| format!("{op:?},")).collect();
        panic!("{why}\n{setup:?}\n{}", ops.join("\n"));
    }
});
