//! `top` in a terminal, as a person has it.

use std::os::unix::process::ExitStatusExt;

use pty_process::blocking::Command;
use rustix::process::Signal;

use crate::holder::{Holder, Room};
use crate::terminal::Terminal;
use crate::{run, until};

const POOLS: &str = "
pools:
  shop: {strategy: p2c, lease_timeout_ms: 600000, nodes: [a, b, c]}
  search: {nodes: [x, y]}
";

fn top(room: &Room, columns: u16, rows: u16, environment: &[(&str, &str)]) -> Terminal {
    let command = Command::new(env!("CARGO_BIN_EXE_loadwise")).args(["top", &room.state(), "--interval-ms", "50"]);
    let command = command.env_remove("NO_COLOR").env("TERM", "xterm-256color").envs(environment.iter().copied());
    let terminal = Terminal::run(command, columns, rows);
    terminal.shows("q quit");
    terminal
}

fn quits(mut terminal: Terminal) {
    terminal.press("q");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_given_back();
}

#[test]
fn the_screen_follows_what_happens() {
    let room = Room::new("follows");
    let mut holder = Holder::open(&room.config(POOLS));
    let terminal = top(&room, 80, 24, &[]);
    terminal.until("title and totals", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines[0].starts_with("loadwise  ")
            && lines[1].starts_with("processes 1  available 5/5  in flight 0  picks 0/s  errors -  no node 0/s")
            && lines[2].starts_with(" 1 shop   2 search")
            && lines[3].starts_with("shop  p2c  available 3/3  in flight 0  picks 0/s  errors -")
    });
    holder.pick("shop", 5);
    terminal.until("the picks are in flight, and open", |screen| {
        screen.contains("shop  p2c  available 3/3  in flight 5  ")
            && screen.lines().filter(|line| line.contains("ms ") && line.contains(&holder.pid().to_string())).count()
                >= 5
    });
    holder.spin("shop");
    terminal.until("the rate of picks", |screen| {
        let rate = screen.lines().nth(3).and_then(|line| line.split("picks ").nth(1)?.split("/s").next()?.parse().ok());
        rate.is_some_and(|rate: f64| rate > 10.0)
    });
    holder.health("shop", "b", "unhealthy");
    terminal.shows("shop: b went down: unhealthy");
    terminal.until("marks of the pool and of the node", |screen| {
        screen.contains(" 1 shop!   2 search") && screen.lines().any(|line| line.starts_with("! b "))
    });
    holder.health("shop", "b", "healthy");
    terminal.shows("shop: b came back");
    holder.reload("pools: {shop: {nodes: [a, d]}, mail: {nodes: [m]}}");
    terminal.until("nodes and pools come and go", |screen| {
        ["pool search went", "shop: b, c went", "shop: d came", "pool mail came, with 1 node"]
            .iter()
            .all(|event| screen.contains(event))
    });
    let mut other = Holder::open(&room.config("pools: {}"));
    let came = format!("process {} (", other.pid());
    terminal.until("who came", |screen| screen.lines().any(|line| line.contains(&came) && line.contains(") came")));
    other.kill();
    terminal.until("who died", |screen| screen.lines().any(|line| line.contains(&came) && line.contains(" died, ")));
    quits(terminal);
}

#[test]
fn keys_choose_what_is_shown() {
    let room = Room::new("keys");
    let mut holder = Holder::open(&room.config(POOLS));
    let terminal = top(&room, 80, 24, &[]);
    terminal.press("\t");
    terminal.shows("search  p2c  available 2/2");
    terminal.press("1");
    terminal.shows("shop  p2c  available 3/3");
    terminal.press("\x1b[C");
    terminal.shows("search  p2c");
    terminal.press("\x1b[Z");
    terminal.shows("shop  p2c");
    terminal.press("s");
    terminal.shows("sort: by id");
    terminal.press("\x1b[B\x1b[B");
    terminal
        .until("the third node is marked", |screen| screen.lines().any(|line| line.starts_with("c  healthy  tier 0")));
    terminal.press("?");
    terminal.shows("pause and go on");
    terminal.press("?");
    terminal.until("the help goes", |screen| !screen.contains("pause and go on"));
    terminal.press("p");
    terminal.shows("PAUSED");
    holder.pick("shop", 2);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(terminal.line(3).contains("in flight 0"), "{}", terminal.text());
    terminal.press("p");
    terminal.until("it goes on", |screen| !screen.contains("PAUSED") && screen.contains("in flight 2"));
    // Escape and Ctrl-C quit as q does.
    let mut terminal = terminal;
    terminal.press("\x1b");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_given_back();
    let mut terminal = top(&room, 80, 24, &[]);
    terminal.press("\x03");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_given_back();
}

#[test]
fn the_screen_takes_the_size_that_it_gets() {
    let room = Room::new("size");
    let _holder = Holder::open(&room.config(POOLS));
    let terminal = top(&room, 80, 24, &[]);
    assert!(!terminal.text().contains("FAILURES BY KIND"));
    terminal.resize(200, 50);
    terminal.until("more is told where there is room", |screen| {
        screen.contains("FAILURES BY KIND") && screen.lines().count() == 50 && screen.lines().last() != Some("")
    });
    terminal.resize(40, 8);
    terminal.until("less is told", |screen| !screen.contains("FAILURES BY KIND") && screen.contains("NODE"));
    terminal.resize(1, 1);
    terminal.resize(80, 24);
    terminal.until("all is there again", |screen| screen.contains("OPEN FOR") && screen.contains("q quit"));
    quits(terminal);
}

#[test]
fn the_file_may_be_made_anew() {
    let room = Room::new("anew");
    let mut holder = Holder::open(&room.config(POOLS));
    holder.pick("shop", 3);
    let terminal = top(&room, 80, 24, &[]);
    std::fs::remove_file(room.state()).unwrap();
    terminal.shows("the file was removed");
    holder.pick("shop", 1);
    terminal.shows("in flight 4");
    let mut other = Holder::open(&room.config("pools: {other: {nodes: [n]}}"));
    other.pick("other", 2);
    terminal.until("the new file", |screen| {
        screen.contains("the file was made anew") && screen.contains("other  p2c  available 1/1  in flight 2")
    });
    // What cannot be looked at leaves what there was, until there is something better.
    let foreign = room.write("foreign", "no state");
    std::fs::rename(&foreign, room.state()).unwrap();
    terminal.shows("it is no shared state");
    terminal.shows("in flight 2");
    std::fs::remove_file(room.state()).unwrap();
    let _third = Holder::open(&room.config("pools: {third: {nodes: [n]}}"));
    terminal.shows("third  p2c  available 1/1");
    // To touch what was cut off would end it.
    std::fs::OpenOptions::new().write(true).open(room.state()).unwrap().set_len(100).unwrap();
    terminal.shows("it was cut off after 100 bytes");
    quits(terminal);
}

#[test]
fn pools_and_processes_come_and_go_as_fast_as_they_can() {
    let room = Room::new("churn");
    let mut holder = Holder::open(&room.config(POOLS));
    let terminal = top(&room, 80, 24, &[]);
    let mut others: Vec<Holder> = (0..2).map(|_| Holder::open(&room.config("pools: {}"))).collect();
    for round in 0..300 {
        let nodes: Vec<String> = (0..1 + round * 7 % 30).map(|i| format!("n{i}")).collect();
        let strategy = ["maglev", "p2c", "ring_hash", "round_robin"][round % 4];
        holder.reload(&format!(
            "pools:\n  p{}: {{strategy: {strategy}, nodes: [{}]}}\n  stays: {{nodes: [a]}}",
            round % 5,
            nodes.join(", ")
        ));
        holder.pick("stays", 1);
        if round % 100 == 50 {
            let mut other = others.pop().unwrap_or_else(|| Holder::open(&room.config("pools: {}")));
            other.kill();
        }
    }
    terminal.until("it shows what there is", |screen| screen.contains(" stays ") && screen.contains("in flight 300"));
    quits(terminal);
}

#[test]
fn a_signal_ends_it_and_gives_the_terminal_back() {
    let room = Room::new("signal");
    let _holder = Holder::open(&room.config(POOLS));
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let mut terminal = top(&room, 80, 24, &[]);
        terminal.signal(signal);
        assert_eq!(terminal.ends().signal(), Some(signal.as_raw()), "as it would end any process");
        terminal.is_given_back();
    }
}

#[test]
fn colors_stay_off_where_nobody_wants_them() {
    let room = Room::new("colors");
    let mut holder = Holder::open(&room.config(POOLS));
    holder.health("shop", "a", "unhealthy");
    let terminal = top(&room, 80, 24, &[]);
    assert!(terminal.has_colors());
    quits(terminal);
    let terminal = top(&room, 80, 24, &[("NO_COLOR", "1")]);
    assert!(!terminal.has_colors());
    terminal.shows("! a ");
    quits(terminal);
}

/// Of the pages that it maps of the file, none is its own: it has written to none.
#[test]
fn it_only_reads() {
    let room = Room::new("reads");
    let mut holder = Holder::open(&room.config(
        "stats: {latency: nodes}\naffinity: true\nquotas: [{dimension: rpm, limit: 100}]\nlease_timeout_ms: 1\nnodes: [a, b]",
    ));
    let terminal = top(&room, 80, 24, &[]);
    holder.spin("default");
    holder.pick("default", 20);
    terminal.until("it has looked often", |screen| screen.contains("/s  errors 0%"));
    let smaps = std::fs::read_to_string(format!("/proc/{}/smaps", terminal.child.id())).unwrap();
    let (mut is_of_file, mut mappings, mut own_kb) = (false, 0, 0);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some(range) if range.contains('-') => {
                is_of_file = line.ends_with(&room.state());
                mappings += usize::from(is_of_file);
            }
            Some("Anonymous:") if is_of_file => own_kb += words.next().unwrap().parse::<u64>().unwrap(),
            _ => {}
        }
    }
    assert!(mappings >= 2, "head and pool: {smaps}");
    assert_eq!(own_kb, 0);
    quits(terminal);
}

/// As from a service that has a terminal to print on, and none of its own.
#[test]
fn without_keys_there_is_no_screen() {
    let room = Room::new("keyless");
    let _holder = Holder::open(&room.config(POOLS));
    let detached = r#"exec setsid -w "$0" top "$1" < /dev/null"#;
    let command = Command::new("sh").args(["-c", detached, env!("CARGO_BIN_EXE_loadwise"), &room.state()]);
    let mut terminal = Terminal::run(command, 80, 24);
    assert_eq!(terminal.ends().code(), Some(2));
    terminal.shows("top needs a terminal, and keys come from none");
    terminal.is_given_back();
}

/// Keys are those of the terminal, wherever standard input comes from.
#[test]
fn standard_input_may_be_something_else() {
    let room = Room::new("input");
    let _holder = Holder::open(&room.config(POOLS));
    let piped = r#"exec "$0" top "$1" < /dev/null"#;
    let command = Command::new("sh").args(["-c", piped, env!("CARGO_BIN_EXE_loadwise"), &room.state()]);
    let terminal = Terminal::run(command, 80, 24);
    terminal.shows("q quit");
    quits(terminal);
}

#[test]
fn where_it_cannot_begin_the_terminal_is_left_alone() {
    let room = Room::new("nothing");
    let command = Command::new(env!("CARGO_BIN_EXE_loadwise")).args(["top", &room.state()]);
    let mut terminal = Terminal::run(command, 80, 24);
    assert_eq!(terminal.ends().code(), Some(1));
    terminal.shows("there is no such file");
    terminal.is_given_back();
    until("nothing was made", || !std::path::Path::new(&room.state()).exists());
    assert_eq!(run(&["top", &room.state()]).code, 2, "and no terminal at all is the caller's mistake");
}
