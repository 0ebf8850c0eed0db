//! The command, as people and scripts call it, on states that real processes share.

mod holder;
mod terminal;

mod check;
mod docs;
mod explain;
mod files;
mod live;
mod once;
mod usage;

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The command with these arguments.
fn loadwise(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadwise"));
    command.args(arguments);
    command
}

/// What came of a command: exit code, standard output, standard error.
struct Done {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

fn run(arguments: &[&str]) -> Done {
    loadwise(arguments).stdin(Stdio::null()).output().unwrap().into()
}

fn run_with_input(arguments: &[&str], input: &str) -> Done {
    let mut command = loadwise(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// What a command prints that succeeds, as JSON.
fn json(arguments: &[&str]) -> serde_json::Value {
    let done = run(arguments);
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{}", done.out);
    serde_json::from_str(&done.out).unwrap()
}

/// Waits for what must come, however busy the machine is.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
