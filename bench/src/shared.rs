//! One state under several processes, beside one engine under as many threads.
//!
//! The processes are this program again: each opens the file, says that it is ready, and then does what a line of its
//! input says. Eight are attached, so that sums are over eight rows; as many of them are busy as there are processors.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use loadwise::{Engine, NodeSpec, Outcome, Pool, Request, now_ns};

use crate::bound::Bound;
use crate::guarded::{HISTOGRAMS, configured, everything_and, placed_and_limited, plain, use_all};
use crate::harness::{Body, Case, one, stay_on, timed};
use crate::pools::{PICK, pick_and_finish, verb_of};
use crate::{OURS, SIZES};

/// How a process is asked to take part.
pub const ARGUMENT: &str = "--attached-to";
const ATTACHED: usize = 8;
const BUSY: usize = 2;
const PLAIN: &str = "p2c";
const ALL: &str = "everything on";
/// Whatever the file has.
const THERE: &str = "what is there";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for n in SIZES {
        cases.push(alone(PLAIN, n));
        cases.push(together(PLAIN, n));
    }
    cases.push(alone(ALL, 1000));
    cases.push(together(ALL, 1000));
    cases.push(threads_with_everything_on());
    cases.push(Case {
        what: "reap a process that was killed with 2 picks a node".into(),
        n: 1000,
        who: OURS,
        body: reap(),
        bound: Some(Bound::Absolute(1e6)),
    });
    cases
}

fn named(policy: &str) -> String {
    verb_of(PICK, &format!("{policy}, shared"))
}

/// One process, which has nobody beside it.
fn alone(policy: &'static str, n: usize) -> Case {
    let make = move || {
        let file = Segment::new();
        let pool = file.pool(policy, n);
        one(move |_| {
            let _alive = &file;
            pick_and_finish(&pool, &Request::new(), Outcome::Success)
        })
    };
    Case { what: named(policy), n, who: OURS, body: Body::Fresh(1, Box::new(make)), bound: None }
}

/// Two busy processes of eight, beside two threads of one.
fn together(policy: &'static str, n: usize) -> Case {
    let make = move || {
        let file = Segment::new();
        let mut attached: Vec<Attached> = (0..ATTACHED).map(|_| Attached::new(&file.0, policy, n)).collect();
        let processes = move |count: u64| {
            let _alive = &file;
            let busy = &mut attached[..BUSY];
            let told = busy.iter_mut().enumerate();
            told.for_each(|(processor, process)| process.tell(&format!("run {count} {processor}")));
            let took: u64 = busy.iter_mut().map(|process| process.answer().parse().unwrap_or(0)).sum();
            Duration::from_nanos(took / BUSY as u64)
        };
        Body::Processes(BUSY, Box::new(processes))
    };
    let threads = verb_of(PICK, policy);
    let bound = Bound::TimesThreads { what: threads, times: 1.3 };
    Case { what: named(policy), n, who: OURS, body: Body::Fresh(BUSY, Box::new(make)), bound: Some(bound) }
}

/// What two processes with everything on are beside.
fn threads_with_everything_on() -> Case {
    let make = || {
        let pool = Arc::new(configure(ALL, 1000, None));
        crate::harness::many(BUSY, move |_| pick_and_finish(&pool, &Request::new(), Outcome::Success))
    };
    Case { what: verb_of(PICK, ALL), n: 1000, who: OURS, body: Body::Fresh(BUSY, Box::new(make)), bound: None }
}

/// The maintenance that finds a process dead, which had picks open on every node.
fn reap() -> Body {
    let file = Segment::new();
    let pool = file.pool(PLAIN, 1000);
    timed(move |_| {
        let mut killed = Attached::new(&file.0, PLAIN, 1000);
        killed.tell("hold 2000");
        killed.answer();
        // Maintenance looks after processes ten times a second.
        std::thread::sleep(Duration::from_millis(110));
        killed.kill();
        let start = Instant::now();
        pool.maintain(now_ns());
        let took = start.elapsed();
        assert_eq!(pool.stats().in_flight, 0, "it was found dead");
        took
    })
}

/// A file that is gone when it is not needed any more.
pub struct Segment(pub PathBuf);

impl Segment {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        Self(directory.join(format!("loadwise-bench-{}-{number}", std::process::id())))
    }

    pub fn pool(&self, policy: &str, n: usize) -> Pool {
        configure(policy, n, Some(&self.0))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn configure(policy: &str, n: usize, shared: Option<&Path>) -> Pool {
    let (text, node): (_, fn(usize) -> NodeSpec) = match policy {
        PLAIN => ("strategy: p2c".to_owned(), plain),
        _ => (everything_and(HISTOGRAMS), placed_and_limited),
    };
    let mut config = configured(&text, n, node);
    config.shared = shared.and_then(Path::to_str).map(Into::into);
    let pool = Pool::builder().config(config).build().unwrap_or_else(|e| panic!("{policy}: {e}"));
    if policy == ALL {
        use_all(&pool);
    }
    pool
}

/// A process that has a shared pool open, until it is dropped.
pub struct Attached {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Attached {
    /// To what is there.
    pub fn to(path: &Path) -> Self {
        Self::new(path, THERE, 0)
    }

    fn new(path: &Path, policy: &str, n: usize) -> Self {
        let program = std::env::current_exe().unwrap_or_else(|e| panic!("{e}"));
        let mut command = Command::new(program);
        command.arg(ARGUMENT).arg(path).args([policy, &n.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{e}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { panic!("it has no pipes") };
        let mut process = Self { child, input, output: BufReader::new(output) };
        process.answer();
        process
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.input, "{what}").unwrap_or_else(|e| panic!("{e}"));
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap_or(0);
        assert_ne!(read, 0, "a process ended");
        line.trim().to_owned()
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The child's part.
pub fn take_part(path: &str, policy: &str, n: usize) {
    let path = Path::new(path);
    let pool = match policy {
        THERE => {
            let engine = Engine::attach(path).unwrap_or_else(|e| panic!("{e}"));
            engine.pool("default").unwrap_or_else(|| panic!("there is no pool"))
        }
        _ => Arc::new(configure(policy, n, Some(path))),
    };
    println!("ready");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0u64);
        let count = number(1);
        match words[0] {
            "run" => {
                stay_on(number(2) as usize);
                println!("{}", run(&pool, count).as_nanos());
            }
            _ => {
                for _ in 0..count {
                    let _ = pool.acquire(&Request::new());
                }
                println!("held");
            }
        }
    }
}

/// Nobody's first and last operations are alone, and each node has come up before.
fn run(pool: &Pool, count: u64) -> Duration {
    let some = |count: u64| {
        for _ in 0..count {
            std::hint::black_box(pick_and_finish(pool, &Request::new(), Outcome::Success));
        }
    };
    let around = (count / 4).max(8 * pool.len() as u64);
    some(around);
    let start = Instant::now();
    some(count);
    let took = start.elapsed();
    some(around);
    took
}
