//! Waiting for room: how long it takes from the end of a pick to that of the waiter, who sleeps on another thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use loadwise::{Lease, NodeSpec, Outcome, Pool, Request};

use crate::bound::Bound;
use crate::harness::{Body, Case, one, timed};
use crate::pools::pick_and_finish;
use crate::{FLOOR, OURS};

const HAND_OVER: &str = "wait: from a release to the waiter's pick on another thread";
/// What one figure is the median of.
const TIMES: usize = 15;
/// In which a thread that has nothing to do falls asleep.
const FALL_ASLEEP: Duration = Duration::from_micros(200);
const LONG: Duration = Duration::from_secs(60);

pub fn cases() -> Vec<Case> {
    let case = |what: &str, n, who, body, bound| Case { what: what.into(), n, who, body, bound };
    vec![
        case("wake a sleeping thread (condition variable)", 0, FLOOR, lazily(signals), None),
        case(HAND_OVER, 1, OURS, lazily(hand_overs), Some(Bound::Absolute(100_000.0))),
        case("wait: join the queue, pick + finish, be woken", 1, OURS, in_line(), None),
    ]
}

/// The median of some times, by what is made when it is first needed.
fn lazily<F: FnMut() -> Duration + 'static>(make: fn() -> F) -> Body {
    let mut once = None;
    timed(move |_| {
        let once = once.get_or_insert_with(make);
        let mut times: [Duration; TIMES] = std::array::from_fn(|_| once());
        times.sort_unstable();
        times[TIMES / 2]
    })
}

fn pool_of_one() -> Pool {
    let node = NodeSpec::new("10.0.0.0:8080").max_in_flight(1);
    Pool::builder().node(node).build().unwrap_or_else(|e| panic!("{e}"))
}

fn in_flight(pool: &Pool) -> u64 {
    pool.nodes().iter().map(|node| node.in_flight).sum()
}

/// One picks whenever it is told to, and says when it had its pick.
fn waiter(pool: Arc<Pool>, go: Receiver<()>, had: Sender<(Instant, Lease)>) {
    while go.recv().is_ok() {
        let lease = pool.acquire_within(&Request::new(), LONG).unwrap_or_else(|e| panic!("{e}"));
        if had.send((Instant::now(), lease)).is_err() {
            return;
        }
    }
}

fn hand_overs() -> impl FnMut() -> Duration {
    let pool = Arc::new(pool_of_one());
    let (go, told) = channel();
    let (had, when) = channel();
    let waiters = pool.clone();
    spawn(move || waiter(waiters, told, had));
    move || {
        let first = pool.acquire(&Request::new()).unwrap_or_else(|e| panic!("{e}"));
        let _ = go.send(());
        while pool.waiting() == 0 {
            std::hint::spin_loop();
        }
        sleep(FALL_ASLEEP);
        let start = Instant::now();
        pool.release(first.ticket, Outcome::Success).unwrap_or_else(|e| panic!("{e}"));
        let (end, lease) = when.recv().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((in_flight(&pool), pool.waiting()), (1, 0), "in flight and waiting after a hand-over");
        pool.release(lease.ticket, Outcome::Success).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(in_flight(&pool), 0, "in flight at the end");
        end - start
    }
}

/// What no hand-over can be faster than.
fn signals() -> impl FnMut() -> Duration {
    let signal = Arc::new((Mutex::new(None::<()>), Condvar::new()));
    let (had, when) = channel();
    let sleeper = signal.clone();
    spawn(move || {
        loop {
            let mut is_set = sleeper.0.lock().unwrap_or_else(|e| e.into_inner());
            while is_set.take().is_none() {
                is_set = sleeper.1.wait(is_set).unwrap_or_else(|e| e.into_inner());
            }
            if had.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    move || {
        sleep(FALL_ASLEEP);
        let start = Instant::now();
        *signal.0.lock().unwrap_or_else(|e| e.into_inner()) = Some(());
        signal.1.notify_one();
        when.recv().unwrap_or_else(|e| panic!("{e}")) - start
    }
}

/// On one thread, what the queue costs whoever ends a pick and whoever waits.
fn in_line() -> Body {
    let pool = pool_of_one();
    one(move |_| {
        let place = pool.wait(|| ());
        pick_and_finish(&pool, &Request::new(), Outcome::Success);
        place
    })
}
