//! Pages of the manual, from the same texts as `--help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::failure::Failure;

/// Writes the pages of the manual into a directory, one for each command
#[derive(Debug, clap::Args)]
pub struct Arguments {
    directory: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let command = crate::Arguments::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &arguments.directory)
        .map_err(|error| Failure::Wrong(format!("{}: {error}", arguments.directory.display())))?;
    Ok(ExitCode::SUCCESS)
}
