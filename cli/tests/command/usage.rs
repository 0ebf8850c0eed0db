//! How the command is called, and what it says of itself.

use std::process::{Command, Stdio};

use crate::holder::{Holder, Room};
use crate::{loadwise, run, run_with_input};

#[test]
fn the_help_tells_of_everything() {
    assert_eq!(run(&["--version"]).out, format!("loadwise {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["top", "check", "explain", "completions", "Exit codes"] {
        assert!(help.out.contains(word), "{word} is missing:\n{}", help.out);
    }
    let of = |command: &str, words: &[&str]| {
        let help = run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        words.iter().for_each(|word| assert!(help.out.contains(word), "{word} is missing:\n{}", help.out));
    };
    of("top", &["--once", "--json", "--picks", "--interval-ms", "[default: 1000]", "NO_COLOR", "Examples:"]);
    of("check", &["--json", "--print", "FILE:LINE: KEY: MESSAGE", "Examples:"]);
    of("explain", &["--pool", "--key", "--session", "--exclude", "--require", "--zone", "--cost", "--json"]);
}

#[test]
fn a_command_line_that_cannot_be_is_told() {
    let calls: [&[&str]; 8] = [
        &[],
        &["watch"],
        &["top"],
        &["top", "x", "--json"],
        &["top", "x", "--interval-ms", "0"],
        &["top", "x", "--picks", "all"],
        &["explain"],
        &["completions", "dos"],
    ];
    for call in calls {
        let done = run(call);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{call:?}");
        assert!(done.err.contains("Usage:") || done.err.contains("--help"), "{call:?}: {}", done.err);
    }
}

#[test]
fn without_a_terminal_there_is_no_screen() {
    let room = Room::new("pipe");
    let _holder = Holder::open(&room.config("nodes: [a]"));
    let done = run(&["top", &room.state()]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    assert!(done.err.contains("needs a terminal") && done.err.contains("--once"), "{}", done.err);
}

#[test]
fn whoever_reads_no_further_has_seen_enough() {
    let room = Room::new("head");
    let nodes: Vec<String> = (0..1000).map(|i| format!("node-{i}")).collect();
    let _holder = Holder::open(&room.config(&format!("nodes: [{}]", nodes.join(", "))));
    let mut child = loadwise(&["top", &room.state(), "--once", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_full_disk_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = loadwise(&["completions", "bash"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
}

#[test]
fn completions_are_scripts_and_manual_pages_are_written() {
    let script = run(&["completions", "bash"]);
    assert_eq!(script.code, 0);
    if Command::new("bash").arg("--version").output().is_ok() {
        let mut check = Command::new("bash");
        let script = script.out + "\ncomplete -p loadwise";
        let done = check.args(["--norc", "-c", &script]).output().unwrap();
        assert!(String::from_utf8_lossy(&done.stdout).contains("loadwise"), "{done:?}");
    }
    let room = Room::new("manual");
    assert_eq!(run(&["manual", room.0.to_str().unwrap()]).code, 0);
    let page = std::fs::read_to_string(room.0.join("loadwise-top.1")).unwrap();
    assert!(page.contains(".TH loadwise-top 1") && page.contains("interval"), "{page}");
    assert!(room.0.join("loadwise.1").exists() && !room.0.join("loadwise-manual.1").exists());
    let done = run_with_input(&["manual", "/dev/null/nowhere"], "");
    assert!(done.code == 1 && done.err.starts_with("loadwise: /dev/null/nowhere: "), "{}", done.err);
}
