//! A C program made of bytes.
//!
//! - [`memory`]: what the program passes: heap blocks of exactly the size that it names
//! - [`world`]: what the program holds: handles, picks, and what is known of them
//! - [`calls`]: calls on pools; [`others`]: calls on all else
//! - [`callbacks`]: its predicates and own strategies

mod callbacks;
mod calls;
mod memory;
mod others;
mod world;

use crate::bytes::Bytes;
use world::World;

const CALLS_MAX: usize = 400;

pub fn run(bytes: Bytes<'_>) {
    let mut world = World::new(bytes);
    for _ in 0..CALLS_MAX {
        if world.bytes.0.is_empty() {
            break;
        }
        match world.below(40) {
            n @ 0..=31 => calls::make(&mut world, n),
            n => others::make(&mut world, n - 32),
        }
    }
    world.end();
}
