//! A part of what `make fuzz` looks for in segments that were damaged.

use crate::damage::{image, wound_and_use};
use crate::process::Segment;

#[test]
fn damaged_words_are_harmless() {
    let segment = Segment::new("damaged");
    let image = image(&segment.0);
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (seed >> 33) as u32
    };
    for _ in 0..60 {
        wound_and_use(&image, &segment.0, &mut next);
    }
}
