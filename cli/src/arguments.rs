//! What the command line says; each command has its own part beside what it does.

use clap::{Parser, Subcommand};

/// Which node takes the next request, and how are they all?
///
/// Processes that open the same `shared` file balance on one state. This command looks at such a state from outside,
/// checks configurations before they are used, and explains decisions.
#[derive(Debug, Parser)]
#[command(name = "loadwise", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Top(crate::top::Arguments),
    Check(crate::check::Arguments),
    Explain(crate::explain::Arguments),
    Completions(crate::completions::Arguments),
    #[command(hide = true)]
    Manual(crate::manual::Arguments),
}

const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 something is wrong with what was looked at, and standard error says what; 2 the command \
line is wrong.";
