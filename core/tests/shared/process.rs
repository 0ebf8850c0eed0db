//! Processes of the test's own: this program again, told line by line what to do with an engine.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use loadwise::{Engine, Outcome, Pool, Request, Ticket, now_ns};
use serde_json::{Value, json};

/// Set in the processes that are told what to do.
const TOLD: &str = "LOADWISE_SHARED_TEST";

/// A file for a segment that is gone when the test is over.
pub struct Segment(pub PathBuf);

impl Segment {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        Self(directory.join(format!("loadwise-test-{}-{number}-{name}", std::process::id())))
    }

    /// A configuration whose state is in this file.
    pub fn config(&self, rest: &str) -> String {
        format!("shared: '{}'\n{rest}", self.0.display())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Another process.
pub struct Process {
    pub child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub fn new() -> Self {
        Self::under(&[])
    }

    /// One that another program starts, which gets the command as its last arguments.
    pub fn under(program: &[String]) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut command = match program {
            [] => Command::new(own),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(own);
                command
            }
        };
        let mut child = command
            .args(["--exact", "process::does_as_it_is_told", "--nocapture", "--test-threads=1"])
            .env(TOLD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut process = Self { child, input, output };
        assert_eq!(process.answer(), json!("ready"));
        process
    }

    /// One that has opened an engine of this configuration.
    pub fn open(config: &str) -> Self {
        let mut process = Self::new();
        assert_eq!(process.ask(json!({"open": config})), json!("ok"));
        process
    }

    pub fn ask(&mut self, what: Value) -> Value {
        self.tell(&what);
        self.answer()
    }

    pub fn tell(&mut self, what: &Value) {
        writeln!(self.input, "{what}").unwrap();
    }

    pub fn answer(&mut self) -> Value {
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

    /// The id of a node, picked and held.
    pub fn pick(&mut self) -> String {
        self.ask(json!({"pick": 1}))[0].as_str().expect("a node").to_owned()
    }

    pub fn picks(&mut self, count: usize) -> Vec<String> {
        serde_json::from_value(self.ask(json!({"pick": count}))).unwrap()
    }

    /// Ends the oldest picks; how many were open.
    pub fn finish(&mut self, count: usize) -> u64 {
        self.ask(json!({"finish": count, "ok": true})).as_u64().unwrap()
    }

    /// In flight by node.
    pub fn in_flight(&mut self) -> Value {
        self.ask(json!({"in_flight": 0}))
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, signal: &str) {
        let told = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that runs another one in namespaces of its own, as root or where users may; `None`, with a word about it,
/// where neither is allowed.
pub fn unshare(flags: &[&str]) -> Option<Vec<String>> {
    let attempt = |first: &[&str]| {
        let words = ["unshare"].iter().chain(first).chain(flags);
        let program: Vec<String> = words.map(|word| (*word).to_owned()).collect();
        let works = Command::new(&program[0]).args(&program[1..]).arg("true").output();
        works.is_ok_and(|output| output.status.success()).then_some(program)
    };
    let program = attempt(&[]).or_else(|| attempt(&["-U", "-r"]));
    if program.is_none() {
        println!("\nSKIP unshare {flags:?} is not allowed: run the tests as root");
    }
    program
}

/// What a told process has.
struct Told {
    engine: Option<Engine>,
    held: VecDeque<Ticket>,
}

impl Told {
    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("an engine was opened")
    }

    fn pool(&self, what: &Value) -> std::sync::Arc<Pool> {
        let name = what.get("pool").and_then(Value::as_str).unwrap_or("default");
        self.engine().pool(name).expect("a pool of this name")
    }

    fn open(&mut self, engine: Result<Engine, loadwise::Error>) -> Value {
        match engine {
            Ok(engine) => {
                self.engine = Some(engine);
                json!("ok")
            }
            Err(error) => json!({"code": error.code(), "error": error.to_string()}),
        }
    }

    fn follow(&mut self, what: &Value) -> Value {
        let text = |key: &str| what.get(key).and_then(Value::as_str);
        let count = |key: &str| what.get(key).and_then(Value::as_u64).map(|count| count as usize);
        if let Some(config) = text("open") {
            return self.open(Engine::from_config(config));
        }
        if let Some(path) = text("attach") {
            return self.open(Engine::attach(path));
        }
        if let Some(path) = text("view") {
            return self.open(Engine::view(path));
        }
        if what.get("close").is_some() {
            self.engine = None;
            return json!("ok");
        }
        let replaced = match (text("reload"), text("reload_if_new")) {
            (Some(config), _) => Some(self.engine().reload_from(config)),
            (_, Some(config)) => Some(self.engine().reload_from_if_new(config)),
            _ => None,
        };
        if let Some(reloaded) = replaced {
            return match reloaded {
                Ok(reloaded) => {
                    json!({"added": reloaded.added, "removed": reloaded.removed, "changed": reloaded.changed})
                }
                Err(error) => json!({"code": error.code(), "error": error.to_string()}),
            };
        }
        if let Some(count) = count("pick") {
            let pool = self.pool(what);
            let mut nodes = Vec::new();
            for _ in 0..count {
                match pool.acquire(&Request::new()) {
                    Ok(lease) => {
                        self.held.push_back(lease.ticket);
                        nodes.push(pool.id_of(lease.node).to_string());
                    }
                    Err(none) => nodes.push(none.reason.to_string()),
                }
            }
            return json!(nodes);
        }
        if what.get("acquire").is_some() {
            let pool = self.pool(what);
            let lease = pool.acquire(&Request::new()).expect("a node");
            return json!({"node": pool.id_of(lease.node).to_string(), "ticket": lease.ticket.as_u64()});
        }
        if let Some(count) = count("finish") {
            let pool = self.pool(what);
            let outcome = if what["ok"] == json!(true) { Outcome::Success } else { Outcome::Failure };
            let tickets: Vec<Ticket> = self.held.drain(..count.min(self.held.len())).collect();
            let open = tickets.into_iter().filter(|&ticket| pool.release(ticket, outcome).is_ok());
            return json!(open.count());
        }
        if let Some(ticket) = what.get("release").and_then(Value::as_u64) {
            return match self.pool(what).release(Ticket::from_u64(ticket), Outcome::Success) {
                Ok(()) => json!("ok"),
                Err(error) => json!(loadwise::Error::from(error).code()),
            };
        }
        if what.get("tickets").is_some() {
            return json!(self.held.iter().map(|ticket| ticket.as_u64()).collect::<Vec<_>>());
        }
        if what.get("maintain").is_some() {
            self.engine().maintain(now_ns());
            return json!("ok");
        }
        if what.get("in_flight").is_some() {
            let stats = self.pool(what).stats();
            return json!(
                stats
                    .nodes
                    .iter()
                    .map(|node| (node.id.clone(), node.in_flight))
                    .collect::<std::collections::BTreeMap<_, _>>()
            );
        }
        if what.get("stats").is_some() {
            return serde_json::from_str(&self.pool(what).stats().to_value().to_json()).unwrap();
        }
        if what.get("config").is_some() {
            return serde_json::from_str(&self.engine().config().to_json()).unwrap();
        }
        if what.get("names").is_some() {
            return json!(self.engine().names());
        }
        if what.get("processes").is_some() {
            let processes = self.engine().processes();
            let told =
                processes.iter().map(|p| json!({"in_namespace": p.in_namespace, "alive": p.alive, "own": p.is_own}));
            return json!(told.collect::<Vec<_>>());
        }
        if what.get("differences").is_some() {
            let differences =
                self.engine().differences().into_iter().map(|d| (d.pool, d.key, d.configured, d.in_force));
            return json!(differences.collect::<Vec<_>>());
        }
        if let (Some(id), Some(ok)) = (text("report"), what.get("ok")) {
            let outcome = if *ok == json!(true) { Outcome::Success } else { Outcome::Failure };
            return json!(self.pool(what).report(id, outcome).map_or_else(|error| error.code(), |_| 0));
        }
        if let (Some(id), Some(weight)) = (text("weigh"), count("weight")) {
            return json!(self.pool(what).set_weight(id, weight as u32).map_or_else(|error| error.code(), |()| 0));
        }
        if let Some(configs) = what.get("spin_reload").and_then(Value::as_array) {
            let configs: Vec<&str> = configs.iter().filter_map(Value::as_str).collect();
            loop {
                for config in &configs {
                    let _ = self.engine().reload_from(config);
                }
            }
        }
        if what.get("spin").is_some() {
            let pool = self.pool(what);
            loop {
                if let Ok(pick) = pool.pick(&Request::new()) {
                    let _ = pick.finish(Outcome::Success);
                }
            }
        }
        if let Some(program) = what.get("exec").and_then(Value::as_array) {
            let words: Vec<&str> = program.iter().filter_map(Value::as_str).collect();
            panic!("{}", Command::new(words[0]).args(&words[1..]).exec());
        }
        panic!("what is {what}?");
    }
}

/// In a process that was started for it: follows what its input says. Else there is nothing to do.
#[test]
fn does_as_it_is_told() {
    if std::env::var_os(TOLD).is_none() {
        return;
    }
    println!("\n> \"ready\"");
    let mut told = Told { engine: None, held: VecDeque::new() };
    for line in std::io::stdin().lines() {
        let answer = told.follow(&serde_json::from_str(&line.unwrap()).unwrap());
        println!("> {answer}");
    }
}
