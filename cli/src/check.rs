//! `loadwise check`: whether configurations are right.

use std::process::ExitCode;

use loadwise::config::Value;

use crate::configuration::{Configuration, Document, Problem};
use crate::failure::{Failure, WRONG};
use crate::output;

/// Checks configurations before they are used
///
/// Reads YAML or JSON, pools by name or a pool alone, and makes the pools once, on memory of this process: what `open`
/// and `reload` would refuse is refused here. No shared state is touched.
///
/// What is wrong is told on standard error as `FILE:LINE: KEY: MESSAGE`, the first of each file, in the order of the
/// files. The exit code is 1 then.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Configurations; `-` is standard input
    #[arg(required = true, value_name = "CONFIG")]
    configs: Vec<String>,
    /// Tell on standard output, as JSON: a list of `{file, ok, errors: [{line, key, message}]}`
    ///
    /// `line` is null for what is of no line, as a file that cannot be read. With `--print`, `config` has the
    /// configuration, or null.
    #[arg(long)]
    json: bool,
    /// Print the configurations that are right, with every default, as JSON
    ///
    /// What is printed is a configuration again.
    #[arg(long)]
    print: bool,
}

const EXAMPLES: &str = "\
Examples:
  loadwise check pools.yaml
  loadwise check --json --print - < pools.yaml";

/// What came of one configuration.
type Checked = (String, Result<Configuration, Problem>);

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let is_input = |name: &&String| *name == crate::configuration::STANDARD_INPUT;
    if arguments.configs.iter().filter(is_input).count() > 1 {
        return Err(Failure::Usage("standard input can be read once only".to_owned()));
    }
    let check = |name: &String| (name.clone(), Document::read(name).and_then(|document| document.configuration()));
    let checked: Vec<Checked> = arguments.configs.iter().map(check).collect();
    if arguments.json {
        let results = Value::list(checked.iter().map(|checked| result(checked, arguments.print)));
        output::print(&(results.to_json() + "\n"))?;
    } else {
        for (_, checked) in &checked {
            match checked {
                Ok(configuration) if arguments.print => {
                    output::print(&(configuration.with_defaults().to_json() + "\n"))?;
                }
                Ok(_) => {}
                Err(problem) => output::complain(&format!("{problem}\n")),
            }
        }
    }
    let is_right = checked.iter().all(|(_, checked)| checked.is_ok());
    Ok(if is_right { ExitCode::SUCCESS } else { WRONG.into() })
}

fn result((name, checked): &Checked, with_config: bool) -> Value {
    let errors = Value::list(checked.as_ref().err().map(Problem::to_value));
    let result = [("file", name.as_str().into()), ("ok", checked.is_ok().into()), ("errors", errors)];
    let config = || checked.as_ref().map_or_else(|_| Value::null(), Configuration::with_defaults);
    Value::map(result.into_iter().chain(with_config.then(|| ("config", config()))))
}
