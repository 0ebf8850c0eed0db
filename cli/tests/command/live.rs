//! `top` in a terminal.

use pty_process::blocking::Command;

use crate::holder::{Holder, Room};
use crate::terminal::Terminal;

const KEYS: &str = "q quit";

fn top(room: &Room, columns: u16, rows: u16) -> Terminal {
    let command = Command::new(env!("CARGO_BIN_EXE_loadwise")).args(["top", &room.state(), "--interval-ms", "100"]);
    let terminal = Terminal::run(command.env_remove("NO_COLOR").env("TZ", "UTC"), columns, rows);
    terminal.shows(KEYS);
    terminal
}

#[test]
fn show() {
    let room = Room::new("show");
    let mut holder = Holder::open(&room.config(
        "pools:\n  shop: {strategy: p2c, stats: {latency: nodes}, lease_timeout_ms: 60000, nodes: ['10.0.0.1:8080', '10.0.0.2:8080', {id: '10.0.0.3:8080', weight: 5, tier: 1}]}\n  search: {nodes: [a, b]}",
    ));
    let mut other = Holder::open(&room.config("pools: {}"));
    holder.pick("shop", 5);
    holder.finish(2, "timeout");
    holder.health("shop", "10.0.0.2:8080", "unhealthy");
    other.spin("shop");
    let mut terminal = top(&room, 80, 24);
    std::thread::sleep(std::time::Duration::from_millis(700));
    println!("{}", terminal.text());
    terminal.resize(200, 50);
    std::thread::sleep(std::time::Duration::from_millis(700));
    println!("{}", terminal.text());
    terminal.press("?");
    std::thread::sleep(std::time::Duration::from_millis(300));
    println!("{}", terminal.text());
    terminal.press("q");
    println!("{:?}", terminal.ends());
    terminal.is_given_back();
    let done = crate::run(&["top", &room.state(), "--once"]);
    println!("{}{}", done.out, done.err);
}
