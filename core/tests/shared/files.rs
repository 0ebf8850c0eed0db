//! Files that are no state, or not one for this program, and file systems that have no room.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use loadwise::{Engine, Error, Limits, Outcome, Request, now_ns};
use serde_json::{Value, json};

use crate::process::{Process, Segment, unshare};

/// Writes a word of a file.
fn write(path: &Path, at_word: u64, value: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&value.to_le_bytes(), at_word * 8).unwrap();
}

type Spoil = fn(&Path);

/// What can be wrong with a file, and what is said of it.
const BAD: [(&str, Spoil); 7] = [
    ("it is no shared state: it has 0 bytes", |path| std::fs::write(path, "").unwrap()),
    ("it is no shared state: it does not begin like one", |path| std::fs::write(path, "x".repeat(9000)).unwrap()),
    ("it is no shared state: it was cut off after 1000 bytes", |path| {
        OpenOptions::new().write(true).open(path).unwrap().set_len(1000).unwrap();
    }),
    ("it is of another version of loadwise (layout 0): let all programs use one", |path| write(path, 1, 0)),
    ("it is of another version of loadwise (layout 4): let all programs use one", |path| write(path, 2, 0)),
    ("it is damaged: its checksum is wrong", |path| write(path, 3, 7)),
    ("it is damaged: its checksum is wrong", |path| write(path, 7, 7)),
];

/// A state that was used, and then spoiled.
fn spoiled(name: &str, spoil: Spoil) -> Segment {
    let segment = Segment::new(name);
    drop(Engine::from_config(&segment.config("nodes: [a, b]")).unwrap());
    spoil(&segment.0);
    segment
}

fn message(error: &Error) -> (u32, String) {
    (error.code(), error.to_string())
}

#[test]
fn a_bad_file_is_an_error_and_stays_as_it_is() {
    for (said, spoil) in BAD {
        let segment = spoiled("fails", spoil);
        let before = std::fs::read(&segment.0).unwrap();
        let expected = (205, format!("shared state {}: {said}", segment.0.display()));
        for on_bad_segment in ["", "on_bad_segment: fail"] {
            let config = format!("shared: {{path: '{}', {on_bad_segment}}}\nnodes: [a]", segment.0.display());
            assert_eq!(message(&Engine::from_config(&config).unwrap_err()), expected);
        }
        assert_eq!(message(&Engine::attach(&segment.0).unwrap_err()), expected);
        assert_eq!(message(&Engine::view(&segment.0).unwrap_err()), expected);
        assert_eq!(std::fs::read(&segment.0).unwrap(), before);
    }
    let error = message(&Engine::from_config("shared: /dev\nnodes: [a]").unwrap_err());
    assert_eq!(error.0, 205);
    let error = message(&Engine::from_config("shared: /dev/null\nnodes: [a]").unwrap_err());
    assert_eq!(error, (205, "shared state /dev/null: it is no shared state: it is not a plain file".to_owned()));
}

#[test]
fn a_bad_file_is_made_anew_where_that_is_asked_for() {
    for (_, spoil) in BAD {
        let segment = spoiled("anew", spoil);
        let config = format!("shared: {{path: '{}', on_bad_segment: recreate}}\nnodes: [a, b]", segment.0.display());
        let mut one = Process::open(&config);
        one.pick();
        let mut other = Process::open(&config);
        assert_eq!(other.ask(json!({"stats": 0}))["in_flight"], json!(1), "they are in the same new one");
        let directory = segment.0.parent().unwrap();
        let name = segment.0.file_name().unwrap().to_str().unwrap();
        let left = std::fs::read_dir(directory).unwrap().filter(|entry| {
            let entry = entry.as_ref().unwrap().file_name();
            entry.to_str().is_some_and(|entry| entry.starts_with(name))
        });
        assert_eq!(left.count(), 1, "nothing of the old one is left");
    }
}

#[test]
fn who_is_attached_goes_on_when_its_file_is_made_anew() {
    let segment = Segment::new("old");
    let mut old = Process::open(&segment.config("nodes: [a]"));
    old.pick();
    write(&segment.0, 1, 99);
    let config = format!("shared: {{path: '{}', on_bad_segment: recreate}}\nnodes: [a]", segment.0.display());
    let mut new = Process::open(&config);
    assert_eq!(new.in_flight(), json!({"a": 0}));
    new.pick();
    new.pick();
    assert_eq!((old.in_flight(), new.in_flight()), (json!({"a": 1}), json!({"a": 2})));
    assert_eq!((old.finish(9), new.finish(9)), (1, 2));
}

#[test]
fn a_process_goes_on_alone_where_that_is_asked_for() {
    for (said, spoil) in BAD {
        let segment = spoiled("alone", spoil);
        let before = std::fs::read(&segment.0).unwrap();
        let config = format!("shared: {{path: '{}', on_bad_segment: private}}\nnodes: [a]", segment.0.display());
        let engine = Engine::from_config(&config).unwrap();
        assert_eq!(engine.private_because(), Some(said));
        assert_eq!((engine.shared_path(), engine.processes()), (None, vec![]));
        let pool = engine.pool("default").unwrap();
        pool.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
        assert_eq!(engine.reload_from(&config.replace("[a]", "[a, b]")).unwrap().changed, ["default"]);
        assert_eq!(std::fs::read(&segment.0).unwrap(), before);
    }
}

#[test]
fn capacities_that_contradict_those_of_the_file_are_an_error() {
    let segment = Segment::new("capacities");
    let path = segment.0.display();
    let of = |processes: u32, limits: &str| {
        format!("shared: {{path: '{path}', max_processes: {processes}}}\nnodes: [a]\nlimits: {{{limits}}}")
    };
    let engine = Engine::from_config(&of(8, "max_nodes: 50, max_picks: 100")).unwrap();
    let refused = |config: &str| Engine::from_config(config).unwrap_err().to_string();
    assert_eq!(
        refused(&of(9, "max_nodes: 50")),
        "line 1: shared.max_processes: 9, but the shared state was made for 8"
    );
    assert_eq!(refused(&of(8, "max_nodes: 51")), "line 3: limits.max_nodes: 51, but the shared pool was made for 50");
    assert_eq!(
        refused(&of(8, "max_picks: 256")),
        "line 3: limits.max_picks: 256, but the shared pool was made for 128"
    );
    // Who says nothing takes what is there, and so does who says the same.
    for config in [segment.config("nodes: [a]"), of(8, "max_nodes: 50, max_picks: 100")] {
        let again = Engine::from_config(&config).unwrap();
        let limits = again.config().get("pools").unwrap().get("default").unwrap().get("limits").unwrap().clone();
        assert_eq!(limits.get("max_nodes").unwrap().to_json(), "50");
    }
    let more = (0..51).map(|i| format!("n{i}"));
    assert_eq!(engine.pool("default").unwrap().set_nodes(more).unwrap_err().code(), 101);
    assert!(Limits::default().max_nodes > 50);
}

#[test]
fn as_many_processes_as_it_was_made_for() {
    let segment = Segment::new("many");
    let config = format!("shared: {{path: '{}', max_processes: 3}}\nnodes: [a]", segment.0.display());
    let mut processes = [Process::open(&config), Process::open(&config), Process::open(&config)];
    let mut late = Process::new();
    let refused = late.ask(json!({"open": config}));
    assert_eq!(refused["code"], json!(206), "{refused}");
    assert_eq!(refused["error"], json!("more processes share the state than shared.max_processes allows"));
    // To look takes no place.
    assert_eq!(Engine::view(&segment.0).unwrap().processes().len(), 3);
    processes[1].picks(5);
    processes[1].kill();
    let opened = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        late.ask(json!({"open": config})) == json!("ok")
    });
    assert!(opened, "a place is free when its process is gone, although nobody maintained anything");
    assert_eq!(late.in_flight(), json!({"a": 0}));
    let mut one = Process::new();
    assert_eq!(one.ask(json!({"open": config}))["code"], json!(206));
    processes[0].ask(json!({"close": 0}));
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert_eq!(one.ask(json!({"open": config})), json!("ok"));
}

#[test]
fn the_file_has_the_mode_that_is_asked_for() {
    for (mode, expected) in [("", 0o600), ("mode: '0660'", 0o660), ("mode: '644'", 0o644)] {
        let segment = Segment::new("mode");
        let config = format!("shared: {{path: '{}', {mode}}}\nnodes: [a]", segment.0.display());
        let _engine = Engine::from_config(&config).unwrap();
        assert_eq!(std::fs::metadata(&segment.0).unwrap().mode() & 0o777, expected);
    }
}

/// A program that runs another one with a small file system of its own at its first argument.
fn on_own_file_system(options: &str) -> Option<Vec<String>> {
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$1\" && shift && exec \"$@\"");
    let mut program = unshare(&["-m"])?;
    program.extend(["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]);
    Some(program)
}

/// A directory that is gone when the test is over.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("loadwise-mount-{}-{}", std::process::id(), now_ns()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_file_system_without_room_is_an_error_of_who_wants_more() {
    let directory = Directory::new();
    let Some(mut program) = on_own_file_system("size=2m") else {
        return;
    };
    program.push(directory.0.display().to_string());
    let mut process = Process::under(&program);
    let path = directory.0.join("state");
    let config = |nodes: usize, rest: &str| {
        let nodes: Vec<String> = (0..nodes).map(|i| format!("node-{i:05}")).collect();
        format!("shared: '{}'\nnodes: {nodes:?}\n{rest}", path.display())
    };
    let full = |answer: &Value| {
        assert_eq!(answer["code"], json!(205), "{answer}");
        assert!(answer["error"].as_str().unwrap().ends_with("its file system is full"), "{answer}");
    };
    // Too large from the beginning: nothing of it is left, and a smaller one fits.
    full(&process.ask(json!({"open": config(2000, "affinity: {entries: 4096}")})));
    assert_eq!(process.ask(json!({"open": config(3, "")})), json!("ok"));
    process.picks(10);
    // What it has no room for is refused as a whole, and what is there goes on.
    full(&process.ask(json!({"reload": config(2000, "")})));
    full(&process.ask(json!({"reload": config(3, "strategy: {name: maglev, table_size: 65537}\naffinity: true")})));
    full(&process.ask(json!({"reload": format!("pools: {{default: {{nodes: [a]}}, {}}}",
        (0..30).map(|i| format!("p{i}: {{nodes: [x]}}")).collect::<Vec<_>>().join(", "))})));
    assert_eq!(process.ask(json!({"names": 0})), json!(["default"]));
    assert_eq!(process.ask(json!({"stats": 0}))["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(process.picks(50).len(), 50);
    assert_eq!(process.finish(100), 60);
    assert_eq!(process.in_flight(), json!({"node-00000": 0, "node-00001": 0, "node-00002": 0}));
}

/// A program that runs another one on the file systems of a process.
fn beside(process: &Process) -> Vec<String> {
    let user = if rustix::process::geteuid().is_root() { vec![] } else { vec!["-U", "--preserve-credentials"] };
    let words = ["nsenter"].into_iter().chain(user).chain(["-m", "-t"]).map(str::to_owned);
    words.chain([process.child.id().to_string()]).collect()
}

#[test]
fn a_process_whose_counts_have_no_room_is_refused_and_the_others_go_on() {
    let directory = Directory::new();
    let Some(mut program) = on_own_file_system("size=16m") else {
        return;
    };
    program.push(directory.0.display().to_string());
    let mut first = Process::under(&program);
    let (path, filling) = (directory.0.join("state"), directory.0.join("filling"));
    let nodes: Vec<String> = (0..2000).map(|i| format!("node-{i:05}")).collect();
    let config = format!("shared: '{}'\nnodes: {nodes:?}", path.display());
    assert_eq!(first.ask(json!({"open": config})), json!("ok"));
    let fill = |with: &[&str]| {
        let program = [&beside(&first)[..], &with.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()].concat();
        std::process::Command::new(&program[0]).args(&program[1..]).env("LC_ALL", "C").output().unwrap()
    };
    let of = format!("of={}", filling.display());
    let filled = fill(&["dd", "if=/dev/zero", &of, "bs=4k"]);
    assert!(String::from_utf8_lossy(&filled.stderr).contains("No space left"), "{filled:?}");
    // Eight count side by side, in what was reserved with the nodes; a ninth needs more.
    let mut others: Vec<Process> = (1..8).map(|_| Process::under(&beside(&first))).collect();
    for other in &mut others {
        assert_eq!(other.ask(json!({"attach": path})), json!("ok"));
    }
    let mut ninth = Process::under(&beside(&first));
    let refused = ninth.ask(json!({"attach": path}));
    assert_eq!(refused["code"], json!(205), "{refused}");
    assert!(refused["error"].as_str().unwrap().ends_with("its file system is full"), "{refused}");
    assert!(fill(&["rm", &filling.display().to_string()]).status.success());
    assert_eq!(ninth.ask(json!({"attach": path})), json!("ok"));
    for process in others.iter_mut().chain([&mut first, &mut ninth]) {
        assert_eq!(process.picks(100).len(), 100);
    }
    let in_flight = ninth.in_flight();
    let sum: u64 = in_flight.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(sum, 900);
}

#[test]
fn a_file_that_cannot_be_written_can_be_looked_at() {
    let directory = Directory::new();
    let Some(mut program) = on_own_file_system("size=64m") else {
        return;
    };
    // The program starts where the file system is writable, and goes on where it is not.
    let at = program.len() - 2;
    program[at] = "mount -t tmpfs tmpfs \"$1\" && cp \"$2\" \"$1/state\" && mount -o remount,ro \"$1\" && shift 2 && \
                   exec \"$@\""
        .to_owned();
    let segment = Segment::new("readonly");
    let mut writer = Process::open(&segment.config("nodes: [a, b]"));
    writer.picks(2);
    program.extend([directory.0.display().to_string(), segment.0.display().to_string()]);
    let mut process = Process::under(&program);
    let path = directory.0.join("state");
    for what in ["open", "attach"] {
        let how = if what == "open" {
            format!("shared: '{}'\nnodes: [a]", path.display())
        } else {
            path.display().to_string()
        };
        let refused = process.ask(json!({what: how}));
        assert_eq!(refused["code"], json!(205), "{refused}");
        assert!(refused["error"].as_str().unwrap().contains("Read-only file system"), "{refused}");
    }
    assert_eq!(process.ask(json!({"view": path})), json!("ok"));
    assert_eq!(process.ask(json!({"stats": 0}))["in_flight"], json!(2));
    assert_eq!(process.ask(json!({"weigh": "a", "weight": 3})), json!(207));
}
