//! `loadwise explain`: what a pick would do, and why.

mod target;
mod text;

use std::process::ExitCode;

use loadwise::Request;

use crate::failure::Failure;
use crate::output;

/// Says which node a request would get, and why
///
/// Of a shared state it asks as things are now, from outside: nothing is picked, no turn or draw is used up, and none of
/// the processes notices. Of a configuration it makes the pool, on memory of this process alone, and asks that.
///
/// Rules that draw are asked for one draw of theirs: the next request may get another node. `explain` again to see
/// others.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The file of a shared state, or a configuration; `-` is a configuration on standard input
    #[arg(value_name = "PATH|CONFIG")]
    target: String,
    /// The pool, where there are several
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// The request's key, for strategies that hash
    #[arg(long)]
    key: Option<String>,
    /// Whose session it is, for pools with `affinity`
    #[arg(long)]
    session: Option<String>,
    /// A node that must not be chosen; may be given often
    #[arg(long, value_name = "ID")]
    exclude: Vec<String>,
    /// A label that the node must have; may be given often
    #[arg(long, value_name = "LABEL=VALUE", value_parser = label)]
    require: Vec<(String, String)>,
    /// The caller's zone
    #[arg(long)]
    zone: Option<String>,
    /// What the request is expected to use of a quota; may be given often
    #[arg(long, value_name = "DIMENSION=UNITS", value_parser = cost)]
    cost: Vec<(String, u64)>,
    /// Print the explanation as JSON, as `explain` of the libraries has it
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  loadwise explain /dev/shm/shop --pool api --key user-17
  loadwise explain pools.yaml --pool api --exclude 10.0.0.1:80 --require region=eu --cost tokens=800 --json";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let pool = target::pool(&arguments.target, arguments.pool.as_deref())?;
    let exclude: Vec<&str> = arguments.exclude.iter().map(String::as_str).collect();
    let require: Vec<(&str, &str)> = arguments.require.iter().map(|(key, value)| (&**key, &**value)).collect();
    let cost: Vec<(&str, u64)> = arguments.cost.iter().map(|(dimension, units)| (&**dimension, *units)).collect();
    let mut request = Request::new().exclude(&exclude).require(&require).cost(&cost);
    request.key = arguments.key.as_ref().map(String::as_bytes);
    request.session = arguments.session.as_ref().map(String::as_bytes);
    request.zone = arguments.zone.as_deref();
    let explanation = pool.explain(&request);
    if arguments.json {
        output::print(&(explanation.to_value().to_json() + "\n"))?;
    } else {
        output::print(&text::of(pool.name(), &explanation))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn label(text: &str) -> Result<(String, String), String> {
    let (label, value) = text.split_once('=').ok_or("must be LABEL=VALUE")?;
    Ok((label.to_owned(), value.to_owned()))
}

fn cost(text: &str) -> Result<(String, u64), String> {
    let (dimension, units) = text.rsplit_once('=').ok_or("must be DIMENSION=UNITS")?;
    let units =
        units.parse().map_err(|_| format!("must be DIMENSION=UNITS with a whole number of units, not {units:?}"))?;
    Ok((dimension.to_owned(), units))
}
