//! `loadwise top`: a shared state as it is, live or once.

mod board;
mod condition;
mod counterparts;
mod document;
mod events;
mod keys;
mod live;
mod look;
mod once;
mod order;
mod rates;
mod screen;
mod scroll;
mod terminal;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Failure;

/// Shows the state that processes share: pools, nodes, processes, open picks
///
/// Looks from outside, without being one of the processes: only reads, and needs no more than the permission to read the
/// file. Keys are shown at the bottom, and by `?`.
///
/// With `--once` it tells of one look and ends, as plain text, or with `--json` as a document for scripts:
/// `time` (UTC), `now_ns` (of the monotonic clock, as all `*_ns`), `path`, `config_version`, `processes`, `open_picks` (the
/// oldest first, each with its `pool`), `pools` (each as `stats()` of the libraries has it).
///
/// Colours stay off where the environment has NO_COLOR.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The file of the shared state: `shared` in the configuration
    path: PathBuf,
    /// Milliseconds from one look to the next
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(50..=3_600_000))]
    interval_ms: u64,
    /// Open picks to show, the oldest of each pool; with `--once`, of all pools
    #[arg(long, value_name = "N", default_value_t = 20)]
    picks: usize,
    /// Look once, print what is seen, and end
    #[arg(long)]
    once: bool,
    /// Print JSON
    #[arg(long, requires = "once")]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  loadwise top /dev/shm/shop
  loadwise top /dev/shm/shop --once
  loadwise top /dev/shm/shop --once --json | jq '.pools[] | {name, in_flight, available}'";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.once { once::run(arguments) } else { live::run(arguments) }
}
