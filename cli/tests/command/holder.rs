//! Processes that share a state and do with it as they are told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loadwise::{Engine, FailureKind, HealthStatus, Outcome, Report, Request, Ticket, now_ns};
use serde_json::{Value, json};

/// Set in the processes that are told what to do.
const TOLD: &str = "LOADWISE_CLI_TEST";

/// A directory for the file of a state, gone when the test is over.
pub struct Room(pub PathBuf);

impl Room {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let above = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        let room = above.join(format!("loadwise-cli-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir(&room).unwrap();
        Self(room)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// The file of the state.
    pub fn state(&self) -> String {
        self.path("state")
    }

    /// A configuration whose state is in this room.
    pub fn config(&self, rest: &str) -> String {
        format!("shared: '{}'\n{rest}", self.state())
    }

    /// A file with this text.
    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Holder {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Holder {
    /// A process that has opened an engine of this configuration.
    pub fn open(config: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "holder::does_as_it_is_told", "--nocapture", "--test-threads=1"])
            .env(TOLD, config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut holder = Self { child, input, output };
        assert_eq!(holder.answer(), json!("open"));
        holder
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn ask(&mut self, what: Value) -> Value {
        writeln!(self.input, "{what}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the process ended");
            // The test harness writes lines of its own.
            if let Some(answer) = line.trim().strip_prefix("> ") {
                return serde_json::from_str(answer).unwrap();
            }
        }
    }

    /// Picks so often, and holds them; the nodes.
    pub fn pick(&mut self, pool: &str, count: u64) -> Value {
        self.ask(json!({"pick": count, "pool": pool}))
    }

    /// Finishes the oldest picks in this way: `success`, `cancel`, or the kind of a failure.
    pub fn finish(&mut self, count: u64, how: &str) {
        assert_eq!(self.ask(json!({"finish": count, "how": how})), json!(count));
    }

    pub fn health(&mut self, pool: &str, node: &str, health: &str) {
        self.ask(json!({"health": health, "node": node, "pool": pool}));
    }

    /// Another configuration for all.
    pub fn reload(&mut self, config: &str) {
        assert_eq!(self.ask(json!({"reload": config})), json!("ok"));
    }

    /// From now on, makes such picks as fast as it can, one at a time.
    pub fn spin(&mut self, pool: &str) {
        assert_eq!(self.ask(json!({"spin": 0, "pool": pool})), json!("ok"));
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a process that was started for it: follows what its input says. Else there is nothing to do.
#[test]
fn does_as_it_is_told() {
    let Ok(config) = std::env::var(TOLD) else { return };
    let engine: &'static Engine = Box::leak(Box::new(Engine::from_config(&config).unwrap()));
    println!("\n> \"open\"");
    let mut held: VecDeque<(String, Ticket)> = VecDeque::new();
    for line in std::io::stdin().lines() {
        let what: Value = serde_json::from_str(&line.unwrap()).unwrap();
        println!("> {}", follow(engine, &mut held, &what));
    }
}

fn follow(engine: &'static Engine, held: &mut VecDeque<(String, Ticket)>, what: &Value) -> Value {
    let text = |key: &str| what.get(key).and_then(Value::as_str);
    let pool = || engine.pool(text("pool").unwrap_or("default")).expect("a pool of this name");
    if let Some(count) = what.get("pick").and_then(Value::as_u64) {
        let pool = pool();
        let nodes = (0..count).map(|_| match pool.acquire(&Request::new()) {
            Ok(lease) => {
                held.push_back((pool.name().to_owned(), lease.ticket));
                pool.id_of(lease.node).to_string()
            }
            Err(none) => none.reason.to_string(),
        });
        return json!(nodes.collect::<Vec<_>>());
    }
    if let Some(count) = what.get("finish").and_then(Value::as_u64) {
        let mut finished = 0;
        for (pool, ticket) in held.drain(..(count as usize).min(held.len())) {
            let pool = engine.pool(&pool).expect("it is still there");
            let report = match text("how").unwrap() {
                "success" => Report::success().latency(Duration::from_millis(20)),
                "cancel" => Report::cancelled(),
                kind => Report::failure(FailureKind::parse(kind).unwrap()),
            };
            finished += u64::from(pool.release(ticket, report).is_ok());
        }
        return json!(finished);
    }
    if let (Some(health), Some(node)) = (text("health"), text("node")) {
        pool().set_health(node, HealthStatus::parse(health).unwrap()).unwrap();
        return json!("ok");
    }
    if let Some(config) = text("reload") {
        engine.reload_from(config).unwrap();
        return json!("ok");
    }
    if what.get("maintain").is_some() {
        engine.maintain(now_ns());
        return json!("ok");
    }
    if what.get("spin").is_some() {
        let pool = pool();
        std::thread::spawn(move || {
            loop {
                if let Ok(pick) = pool.pick(&Request::new()) {
                    let _ = pick.finish(Outcome::Success);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        return json!("ok");
    }
    panic!("what is {what}?");
}
