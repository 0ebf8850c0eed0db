//! A C program made of bytes.
//!
//! - [`memory`]: what the program passes: heap blocks of exactly the size that it names
//! - [`world`]: what the program holds: handles, picks, and what is known of them
//! - [`calls`]: picks, ends, nodes; [`policies`]: sessions, checks, retries, events, figures, configurations
//! - [`engines`]: engines; [`others`]: calls on all else
//! - [`callbacks`]: its predicates and own strategies

mod callbacks;
mod calls;
mod engines;
mod memory;
mod others;
mod policies;
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
        match world.below(72) {
            n @ 0..=31 => calls::make(&mut world, n),
            n @ 32..=39 => others::make(&mut world, n - 32),
            n @ 40..=47 => engines::make(&mut world, n - 40),
            n => policies::make(&mut world, n - 48),
        }
    }
    world.end();
}
