//! Bytes choose which words of a segment are written over; then it is opened, and used as far as that goes.

#![no_main]

#[path = "../../core/tests/shared/damage.rs"]
mod damage;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = if PathBuf::from("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    directory.join(format!("loadwise-fuzz-{}", std::process::id()))
});
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| damage::image(&PATH));

fuzz_target!(|data: &[u8]| {
    let mut choices = data.chunks(4);
    let mut next = || {
        let mut four = [0; 4];
        let chunk = choices.next().unwrap_or_default();
        four[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(four)
    };
    damage::wound_and_use(&IMAGE, &PATH, &mut next);
});
