//! Many processes on one state balance as one process does.

use std::collections::VecDeque;

use loadwise::{Engine, Outcome, Pool, Request, Ticket};
use serde_json::json;

use crate::process::{Process, Segment};

/// Requests that each server ends in a round: one does ten times as much as another.
const SERVED: [u32; 6] = [1, 2, 3, 4, 6, 10];
const ROUNDS: usize = 400;
const PROCESSES: usize = 8;
/// 23 of the 26 that are served at most.
const ARRIVING: usize = 23;

fn nodes() -> String {
    let nodes: Vec<String> = (0..SERVED.len()).map(|i| format!("n{i}")).collect();
    format!("nodes: [{}]", nodes.join(", "))
}

/// Who takes a pick, and ends it.
trait Balancer {
    /// The node, by its number.
    fn pick(&mut self, process: usize) -> usize;
    /// Ends the oldest pick of a process on a node.
    fn finish(&mut self, process: usize, node: usize);
}

/// The largest queue against the mean one, over all rounds but the first.
fn unevenness(balancer: &mut impl Balancer) -> f64 {
    let mut queues: [VecDeque<usize>; SERVED.len()] = Default::default();
    let (mut largest, mut all) = (0.0, 0.0);
    let mut turn = 0;
    for round in 0..ROUNDS {
        for _ in 0..ARRIVING {
            // Processes take requests as they come, not in turns.
            turn = (turn * 5 + 3) % PROCESSES + round % 2;
            let process = turn % PROCESSES;
            let node = balancer.pick(process);
            queues[node].push_back(process);
        }
        if round >= ROUNDS / 10 {
            let lengths = queues.iter().map(VecDeque::len);
            largest += lengths.clone().max().unwrap() as f64;
            all += lengths.sum::<usize>() as f64 / SERVED.len() as f64;
        }
        for (node, queue) in queues.iter_mut().enumerate() {
            for _ in 0..SERVED[node] {
                if let Some(process) = queue.pop_front() {
                    balancer.finish(process, node);
                }
            }
        }
    }
    largest / all
}

/// Real processes, each with an engine of this configuration.
struct Processes(Vec<(Process, [VecDeque<u64>; SERVED.len()])>);

impl Processes {
    fn open(config: &str) -> Self {
        Self((0..PROCESSES).map(|_| (Process::open(config), Default::default())).collect())
    }
}

impl Balancer for Processes {
    fn pick(&mut self, process: usize) -> usize {
        let (process, held) = &mut self.0[process];
        let picked = process.ask(json!({"acquire": 0}));
        let node: usize = picked["node"].as_str().unwrap().strip_prefix('n').unwrap().parse().unwrap();
        held[node].push_back(picked["ticket"].as_u64().unwrap());
        node
    }

    fn finish(&mut self, process: usize, node: usize) {
        let (process, held) = &mut self.0[process];
        let ticket = held[node].pop_front().unwrap();
        assert_eq!(process.ask(json!({"release": ticket})), json!("ok"));
    }
}

/// One process for all.
struct Alone(std::sync::Arc<Pool>, [VecDeque<Ticket>; SERVED.len()]);

impl Balancer for Alone {
    fn pick(&mut self, _: usize) -> usize {
        let lease = self.0.acquire(&Request::new()).unwrap();
        let node = lease.node.index as usize;
        self.1[node].push_back(lease.ticket);
        node
    }

    fn finish(&mut self, _: usize, node: usize) {
        let ticket = self.1[node].pop_front().unwrap();
        self.0.release(ticket, Outcome::Success).unwrap();
    }
}

fn eight_balance_as_one(strategy: &str) {
    let config = format!("strategy: {strategy}\n{}", nodes());
    let engine = Engine::from_config(&config).unwrap();
    let one = unevenness(&mut Alone(engine.pool("default").unwrap(), Default::default()));
    let segment = Segment::new("fair");
    let shared = unevenness(&mut Processes::open(&segment.config(&config)));
    let private = unevenness(&mut Processes::open(&config));
    println!(
        "{strategy}: largest over mean queue: one process {one:.2}, eight sharing {shared:.2}, eight alone {private:.2}"
    );
    assert!(shared <= one * 1.1, "{strategy}: eight sharing {shared:.2}, one process {one:.2}");
    assert!(private >= one * 1.2, "{strategy}: eight alone {private:.2}, one process {one:.2}");
}

#[test]
fn least_request_over_eight_processes() {
    eight_balance_as_one("least_request");
}

#[test]
fn p2c_over_eight_processes() {
    eight_balance_as_one("p2c");
}
