//! Measuring many things in one run: rounds in which every case has its turn, so that noise hits all alike.
//!
//! A case runs in batches of a fixed time. Each round runs one batch of each case, after a short one that warms the
//! caches again; what is kept of a case is the median of its batches and their median absolute deviation.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::bound::Bound;

/// What is measured.
pub struct Case {
    pub what: String,
    /// Nodes; 0 where there are none.
    pub n: usize,
    /// Whose: a floor, loadwise, or a peer.
    pub who: &'static str,
    pub body: Body,
    /// What DESIGN asks of it.
    pub bound: Option<Bound>,
}

/// Runs an operation so many times.
pub enum Body {
    /// By the measuring thread.
    One(Box<dyn FnMut(u64)>),
    /// By the measuring thread, which tells what of the time counts.
    Timed(Box<dyn FnMut(u64) -> Duration>),
    /// By as many threads at once.
    Many(usize, Arc<dyn Fn(u64) + Send + Sync>),
    /// By as many processes at once; the mean of their times.
    Processes(usize, Box<dyn FnMut(u64) -> Duration>),
    /// Made for each round and dropped after it, for a number of threads: a process has few pools at a time.
    Fresh(usize, Box<dyn FnMut() -> Body>),
}

impl Body {
    pub fn threads(&self) -> usize {
        match self {
            Self::Many(threads, _) | Self::Processes(threads, _) | Self::Fresh(threads, _) => *threads,
            Self::One(_) | Self::Timed(_) => 1,
        }
    }

    /// Nanoseconds of one operation, on average over `count`, as one thread sees them.
    fn run(&mut self, count: u64) -> f64 {
        let elapsed = match self {
            // Time on the processor: what others do on this machine meanwhile is not the operation's.
            Self::One(run) => {
                let start = processor_time();
                run(count);
                processor_time() - start
            }
            Self::Timed(run) | Self::Processes(_, run) => run(count),
            Self::Many(threads, run) => run_by(*threads, run, count),
            Self::Fresh(_, make) => return make().run(count),
        };
        elapsed.as_nanos() as f64 / count as f64
    }
}

/// How long this thread has run.
pub fn processor_time() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// To run on one processor, this thread or process. Those that take turns on one do not meet.
pub fn stay_on(processor: usize) {
    let mut processors = CpuSet::new();
    processors.set(processor);
    let _ = sched_setaffinity(None, &processors);
}

/// The mean of the threads' times.
fn run_by(threads: usize, run: &Arc<dyn Fn(u64) + Send + Sync>, count: u64) -> Duration {
    let barrier = Barrier::new(threads);
    let one = |processor: usize| {
        stay_on(processor);
        run(count / 8 + 1);
        barrier.wait();
        let start = Instant::now();
        run(count);
        let elapsed = start.elapsed();
        // Nobody's last operations are alone.
        run(count / 8 + 1);
        elapsed
    };
    std::thread::scope(|scope| {
        let one = &one;
        let running: Vec<_> = (0..threads).map(|processor| scope.spawn(move || one(processor))).collect();
        let took: Duration = running.into_iter().filter_map(|thread| thread.join().ok()).sum();
        took / threads as u32
    })
}

/// What is known of a case after the run.
#[derive(Debug, Clone)]
pub struct Measured {
    pub what: String,
    pub n: usize,
    pub threads: usize,
    pub who: String,
    pub ns: f64,
    /// Median absolute deviation.
    pub spread: f64,
    pub bound: Option<Bound>,
    pub unit: Unit,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Nanos,
    Bytes,
}

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    pub batch: Duration,
}

/// Rounds for cases that take many batches for one operation.
const ROUNDS_OF_THE_SLOW: usize = 3;

pub fn measure(mut cases: Vec<Case>, effort: Effort) -> Vec<Measured> {
    let count_of = |case: &mut Case| match &mut case.body {
        Body::Fresh(_, make) => calibrate(&mut make(), effort.batch),
        body => calibrate(body, effort.batch),
    };
    eprintln!("{} cases", cases.len());
    let counts: Vec<u64> = cases.iter_mut().map(count_of).collect();
    let mut samples: Vec<Vec<f64>> = vec![Vec::with_capacity(effort.rounds); cases.len()];
    for round in 0..effort.rounds {
        eprintln!("round {} of {}", round + 1, effort.rounds);
        for ((case, &count), samples) in cases.iter_mut().zip(&counts).zip(&mut samples) {
            // What takes many batches for a single operation is steady enough.
            let last = samples.last().copied().unwrap_or(0.0);
            if round >= ROUNDS_OF_THE_SLOW && last > 20.0 * effort.batch.as_nanos() as f64 {
                continue;
            }
            samples.push(match &mut case.body {
                Body::Fresh(_, make) => warm_run(&mut make(), case.n, count),
                body => warm_run(body, case.n, count),
            });
        }
    }
    cases
        .into_iter()
        .zip(samples)
        .map(|(case, samples)| {
            let (ns, spread) = median_and_spread(&samples);
            let threads = case.body.threads();
            Measured {
                what: case.what,
                n: case.n,
                threads,
                who: case.who.into(),
                ns,
                spread,
                bound: case.bound,
                unit: Unit::Nanos,
            }
        })
        .collect()
}

fn warm_run(body: &mut Body, n: usize, count: u64) -> f64 {
    // Processes warm up by themselves.
    if count > 8 && !matches!(body, Body::Processes(..)) {
        body.run(warm_up(n, count));
    }
    body.run(count)
}

/// Operations that bring back the caches: by chance each node should have come up, unless that takes many batches.
fn warm_up(n: usize, count: u64) -> u64 {
    (count / 8).max((8 * n as u64).min(count * 2)).min(count * 2)
}

/// Operations that take about as long as a batch.
fn calibrate(body: &mut Body, batch: Duration) -> u64 {
    // The first operation may set up what the others use.
    body.run(1);
    let mut count = 1;
    loop {
        let start = Instant::now();
        let measured = body.run(count);
        let ns = match body {
            // They warm up by themselves, for long.
            Body::Processes(..) => measured,
            // What a case does beside what counts takes time too.
            _ => start.elapsed().as_nanos() as f64 / count as f64,
        };
        let ns = ns.max(0.1);
        let enough = (batch.as_nanos() as f64 / ns).max(1.0) as u64;
        if count >= enough / 4 {
            return enough;
        }
        count = (enough / 2).min(count * 32).max(count + 1);
    }
}

fn median_and_spread(samples: &[f64]) -> (f64, f64) {
    let middle = median(samples.to_vec());
    (middle, median(samples.iter().map(|s| (s - middle).abs()).collect()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// A body that runs `op` with the number of the operation.
pub fn one<R>(mut op: impl FnMut(u64) -> R + 'static) -> Body {
    Body::One(Box::new(move |count| {
        for i in 0..count {
            black_box(op(i));
        }
    }))
}

/// A body whose `op` tells how long the part that counts took.
pub fn timed(mut op: impl FnMut(u64) -> Duration + 'static) -> Body {
    let mut number = 0;
    Body::Timed(Box::new(move |count| {
        (0..count)
            .map(|_| {
                number += 1;
                op(number)
            })
            .sum()
    }))
}

/// A body that `threads` threads run at once.
pub fn many<R>(threads: usize, op: impl Fn(u64) -> R + Send + Sync + 'static) -> Body {
    Body::Many(
        threads,
        Arc::new(move |count| {
            for i in 0..count {
                black_box(op(i));
            }
        }),
    )
}
