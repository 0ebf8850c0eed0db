//! Files that are not what they should be, and one that may only be read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use serde_json::Value;

use crate::holder::{Holder, Room};
use crate::{Done, loadwise, run};

/// What each command that takes a state says of a file.
fn told(path: &str) -> Vec<String> {
    let commands: [&[&str]; 3] = [&["top", path, "--once"], &["top", path, "--once", "--json"], &["explain", path]];
    let told = commands.map(|command| {
        let done = run(command);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{command:?}: {}", done.err);
        done.err.trim_end().to_owned()
    });
    told.into()
}

#[test]
fn a_file_that_is_not_there() {
    let room = Room::new("missing");
    let path = room.state();
    let shared = format!("loadwise: shared state {path}: there is no such file");
    let config = format!("{path}: cannot be read: No such file or directory (os error 2)");
    assert_eq!(told(&path), [shared.clone(), shared, config]);
    assert!(!room.0.join("state").exists(), "a look makes no file");
}

#[test]
fn a_file_that_is_something_else() {
    let room = Room::new("foreign");
    let path = room.write("notes", "loadwise is a library, which is no state at all");
    let shared = format!("loadwise: shared state {path}: it is no shared state: it has 47 bytes");
    let as_state = told(&path);
    assert_eq!(as_state[..2], [shared.clone(), shared]);
    assert!(as_state[2].starts_with(&format!("{path}:1: ")), "{}", as_state[2]);
    let directory = room.0.to_str().unwrap();
    assert!(told(directory)[0].ends_with("it is no shared state: it is not a plain file"));
}

/// A good state, with one word of its head changed.
fn changed(room: &Room, word: usize, value: u64) -> String {
    let holder = Holder::open(&room.config("nodes: [a]"));
    let mut bytes = fs::read(room.state()).unwrap();
    drop(holder);
    bytes[word * 8..][..8].copy_from_slice(&value.to_le_bytes());
    fs::write(room.0.join("changed"), bytes).unwrap();
    room.path("changed")
}

#[test]
fn a_state_of_another_version() {
    let room = Room::new("version");
    let path = changed(&room, 1, 99);
    let reason = "it is of another version of loadwise (layout 99): let all programs use one";
    let message = format!("loadwise: shared state {path}: {reason}");
    assert_eq!(told(&path), [message.as_str(); 3]);
}

#[test]
fn a_state_that_is_damaged_or_cut_off() {
    let room = Room::new("damaged");
    let path = changed(&room, 7, 1);
    assert!(told(&path).iter().all(|told| told.ends_with("it is damaged: its checksum is wrong")));
    let whole = fs::read(room.state()).unwrap();
    let cut = room.path("cut");
    fs::write(&cut, &whole[..5000]).unwrap();
    assert!(told(&cut).iter().all(|told| told.ends_with("it is no shared state: it was cut off after 5000 bytes")));
}

/// Whoever may only read the file sees all of it: another user, where the test may be one.
#[test]
fn a_state_that_may_only_be_read() {
    let room = Room::new("readonly");
    let mut holder = Holder::open(&room.config("nodes: [a, b]"));
    holder.pick("default", 3);
    fs::set_permissions(room.state(), Permissions::from_mode(0o400)).unwrap();
    let mut command = loadwise(&["top", &room.state(), "--once", "--json"]);
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        const NOBODY: u32 = 65534;
        // Where it can get at the program.
        let program = room.path("loadwise");
        fs::copy(env!("CARGO_BIN_EXE_loadwise"), &program).unwrap();
        fs::set_permissions(&room.0, Permissions::from_mode(0o755)).unwrap();
        let as_nobody = |owner: u32| {
            std::os::unix::fs::chown(room.state(), Some(owner), Some(owner)).unwrap();
            let mut command = std::process::Command::new(&program);
            command.args(["top", &room.state(), "--once", "--json"]).uid(NOBODY).gid(NOBODY).current_dir("/");
            command
        };
        let refused = Done::from(as_nobody(0).output().unwrap());
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains("Permission denied"), "{}", refused.err);
        command = as_nobody(NOBODY);
    }
    let done = Done::from(command.output().unwrap());
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&told["pools"][0]["in_flight"], &told["processes"][0]["pid"]), (&3.into(), &holder.pid().into()));
    assert_eq!(told["processes"][0]["alive"], Value::Bool(true));
}
