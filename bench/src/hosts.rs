//! The same in C, Python and Node: their own scripts, started in this run.
//!
//! A script prints JSON: an object of figures in nanoseconds by name, `{"empty method": 15.2, …}`, or a list of objects
//! `{"what": …, "n": …, "ns": …}`, either one also as the member `results`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::bound::Bound;
use crate::harness::{Measured, Unit};

/// A language's script, and what it needs.
struct Host {
    who: &'static str,
    script: &'static str,
    command: fn(&Path) -> Option<Command>,
}

const HOSTS: [Host; 3] = [
    Host { who: "C", script: "c/bench.c", command: c },
    Host { who: "Python", script: "python/bench.py", command: |script| interpreter("PYTHON", "python3", script) },
    Host { who: "Node", script: "node/bench.mjs", command: |script| interpreter("NODE", "node", script) },
];

/// Figures of the scripts that there are, and the names of those that there are not or that failed.
pub fn measure(quick: bool) -> (Vec<Measured>, Vec<String>) {
    let (mut figures, mut missing) = (Vec::new(), Vec::new());
    for host in &HOSTS {
        match run(host, quick) {
            Ok(found) => figures.extend(found),
            Err(why) => missing.push(format!("{} ({}): {why}", host.who, host.script)),
        }
    }
    (figures, missing)
}

fn run(host: &Host, quick: bool) -> Result<Vec<Measured>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(host.script);
    if !script.exists() {
        return Err("there is no such script".into());
    }
    eprintln!("{}", host.script);
    let mut command = (host.command)(&script).ok_or("what it needs could not be built")?;
    if quick {
        command.env("QUICK", "1");
    }
    let output = command.output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        // Its words may name places of this machine.
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err("it failed; is what it measures installed?".into());
    }
    let json: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("no JSON: {e}"))?;
    let mut figures = Vec::new();
    read(json.get("results").unwrap_or(&json), host.who, &mut figures);
    for i in 0..figures.len() {
        figures[i].bound = bound(host.who, &figures[i].what, &figures);
    }
    Ok(figures)
}

fn read(json: &Value, who: &str, into: &mut Vec<Measured>) {
    let mut add = |what: &str, figure: &Value| {
        let number = |keys: &[&str]| keys.iter().find_map(|key| figure.get(key)?.as_f64());
        let Some(ns) = figure.as_f64().or_else(|| number(&["ns", "ns_per_op", "median_ns"])) else { return };
        let n = number(&["n", "nodes"]).unwrap_or(0.0) as usize;
        let threads = number(&["threads"]).unwrap_or(1.0) as usize;
        let spread = number(&["spread", "mad"]).unwrap_or(0.0);
        let (what, who) = (what.to_owned(), who.to_owned());
        into.push(Measured { what, n, threads, who, ns, spread, bound: None, unit: Unit::Nanos });
    };
    match json {
        Value::Object(by_name) => by_name.iter().for_each(|(name, figure)| add(name, figure)),
        Value::Array(list) => {
            for figure in list {
                let name = ["what", "name"].iter().find_map(|key| figure.get(key)?.as_str());
                add(name.unwrap_or("?"), figure);
            }
        }
        _ => {}
    }
}

/// By what the figure is called: against the language's empty call, or against Rust.
fn bound(who: &str, what: &str, all: &[Measured]) -> Option<Bound> {
    let times = match (who, what) {
        ("C", what) if what.starts_with(crate::pools::PICK) => return Some(Bound::OverRust(8.0)),
        ("Python", "acquire + release") => 5.0,
        ("Python", "with pick") => 14.0,
        ("Node", "acquire + release") => 6.0,
        _ => return None,
    };
    let empty = all.iter().find(|m| m.what.starts_with("empty"))?;
    Some(Bound::OfEmpty { times, ns: times * empty.ns })
}

fn interpreter(variable: &str, default: &str, script: &Path) -> Option<Command> {
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| default.into()));
    command.arg(script);
    Some(command)
}

/// Compiles against the header and the library of this repository.
fn c(script: &Path) -> Option<Command> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "-q", "-p", "loadwise-ffi", "--target-dir"])
        .arg(root.join("target"))
        .current_dir(root)
        .status()
        .ok()?;
    let place = root.join("target/bench-c");
    std::fs::create_dir_all(&place).ok()?;
    // The program looks for the library by its SONAME.
    std::fs::copy(root.join("target/release/libloadwise.so"), place.join("libloadwise.so.0")).ok()?;
    let program = place.join("bench");
    let compiled = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-O2", "-o"])
        .args([program.as_path(), script])
        .arg(format!("-I{}", root.join("include").display()))
        .arg(place.join("libloadwise.so.0"))
        .arg(format!("-Wl,-rpath,{}", place.display()))
        .status()
        .ok()?;
    (built.success() && compiled.success()).then(|| Command::new(program))
}
