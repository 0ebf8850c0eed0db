//! The `loadwise` command: looks at states that processes share, checks configurations, explains decisions.

mod arguments;
mod check;
mod completions;
mod configuration;
mod explain;
mod failure;
mod manual;
mod numbers;
mod output;
#[cfg(test)]
#[path = "../tests/command/terminal.rs"]
#[allow(dead_code, reason = "what the tests of the command need of it is not needed here")]
mod pseudo_terminal;
mod table;
mod top;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Top(arguments) => top::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Manual(arguments) => manual::run(&arguments),
    };
    done.unwrap_or_else(|failure| failure.tell())
}
