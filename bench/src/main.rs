//! loadwise, what others have, and what nothing can beat: measured side by side in one run.
//!
//! `cargo run --release [-- --quick]` writes RESULTS.md and results.svg beside Cargo.toml.

mod bound;
mod control;
mod floors;
mod guarded;
mod harness;
mod hosts;
mod input;
mod memory;
mod peers;
mod plot;
mod pools;
mod quotas;
mod report;
mod sessions;
mod shared;
mod slices;
mod tables;
mod waiting;

use std::time::Duration;

use harness::Effort;

/// Nodes at which everything is measured that depends on their number.
pub const SIZES: [usize; 5] = [3, 16, 100, 1000, 10_000];

pub const OURS: &str = "loadwise";
pub const FLOOR: &str = "floor";
pub const LOADWISE_01: &str = "loadwise 0.1";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, subject] = arguments.as_slice()
        && flag == memory::ARGUMENT
    {
        memory::answer(subject);
        return Ok(());
    }
    if let [flag, path, policy, n] = arguments.as_slice()
        && flag == shared::ARGUMENT
    {
        shared::take_part(path, policy, n.parse()?);
        return Ok(());
    }
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    let only = arguments.iter().find_map(|a| a.strip_prefix("--only="));
    let quick = has("--quick");
    let effort = if quick {
        Effort { rounds: 5, batch: Duration::from_micros(1500) }
    } else {
        Effort { rounds: 31, batch: Duration::from_millis(8) }
    };
    for n in SIZES {
        input::servers(n);
    }
    let cases = floors::cases().into_iter().chain(pools::cases(only)).chain(peers::cases()).chain(slices::cases());
    let cases = cases.chain(guarded::cases()).chain(quotas::cases()).chain(sessions::cases()).chain(waiting::cases());
    let cases = cases.chain(shared::cases()).chain(tables::cases()).chain(control::cases());
    let wanted = |what: &str| only.is_none_or(|only| what.contains(only));
    let cases: Vec<_> = cases.filter(|c| c.who == FLOOR || wanted(&c.what)).collect();
    let mut measured = harness::measure(cases, effort);
    if let Some(only) = only {
        if only == "memory" {
            measured.extend(memory::measure());
        }
        print!("{}", report::table(&measured));
        return Ok(());
    }
    measured.extend(memory::measure());
    let (figures, missing) = hosts::measure(quick);
    measured.extend(figures);
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(here.join("RESULTS.md"), report::markdown(&measured, &missing, effort))?;
    plot::draw(&measured, &here.join("results.svg"))?;
    print!("{}", report::summary(&measured));
    Ok(())
}
