//! Picks that wait for room. Real threads and the real clock: deadlines are far away where nothing should take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loadwise::{NoNodeReason, Pool, Report, Request};

const LONG: Duration = Duration::from_secs(60);

/// A pick that waits gets the room that another thread makes.
#[test]
fn a_release_from_another_thread_wakes_the_one_who_waits() {
    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}]}").unwrap();
    let first = pool.pick(&Request::new()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.pick_within(&Request::new(), LONG).map(|pick| pick.id().to_string()));
        while pool.waiting() == 0 {
            std::thread::yield_now();
        }
        first.finish(Report::success()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), "a");
    });
    assert_eq!((pool.waiting(), pool.stats().in_flight), (0, 0));
}

/// Eight threads share one place, and each comes to its turn.
#[test]
fn all_who_wait_come_to_their_turn() {
    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}]}").unwrap();
    let (inside, served) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let pick = pool.pick_within(&Request::new(), LONG).expect("its turn");
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone");
                    served.fetch_add(1, Ordering::Relaxed);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    pick.finish(Report::success()).unwrap();
                }
            });
        }
    });
    assert_eq!(served.into_inner(), 400);
    assert_eq!(pool.stats().wait_timeouts, 0);
}

/// Nobody makes room: after the timeout the pick says so, and it is counted.
#[test]
fn after_the_timeout_the_pick_gives_up() {
    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}]}").unwrap();
    let _held = pool.pick(&Request::new()).unwrap();
    let begin = Instant::now();
    let refused = pool.pick_within(&Request::new(), Duration::from_millis(120)).unwrap_err();
    assert_eq!(refused.reason, NoNodeReason::Saturated);
    assert!(begin.elapsed() >= Duration::from_millis(120));
    assert_eq!((pool.stats().wait_timeouts, pool.waiting()), (1, 0));
    assert!(pool.pick_within(&Request::new(), Duration::ZERO).is_err());
    assert_eq!(pool.stats().wait_timeouts, 1, "who does not wait gives nothing up");
}

/// More than `acquire_queue` do not wait: they are refused at once.
#[test]
fn the_queue_has_a_bound() {
    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}], acquire_queue: 3}").unwrap();
    let _held = pool.pick(&Request::new()).unwrap();
    let places: Vec<_> = (0..3).map(|_| pool.wait(|| ()).unwrap()).collect();
    let begin = Instant::now();
    assert_eq!(pool.pick_within(&Request::new(), LONG).unwrap_err().reason, NoNodeReason::Saturated);
    assert!(begin.elapsed() < LONG);
    assert_eq!(pool.stats().queue_refusals, 1);
    assert!(pool.stop_waiting(places[1]) && !pool.stop_waiting(places[1]));
    assert!(pool.wait(|| ()).is_ok());
    let none = Pool::from_config("{nodes: [a], acquire_queue: 0}").unwrap();
    assert!(none.wait(|| ()).is_err());
}

/// Waiting helps where there is no room, not where there is no node.
#[test]
fn only_room_is_waited_for() {
    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}]}").unwrap();
    for (request, reason) in [
        (Request::new().exclude(&["a"]), NoNodeReason::AllExcluded),
        (Request::new().require(&[("no", "such")]), NoNodeReason::NoMatch),
    ] {
        assert_eq!(pool.pick_within(&request, LONG).unwrap_err().reason, reason);
    }
    let empty = Pool::from_config("{}").unwrap();
    assert_eq!(empty.pick_within(&Request::new(), LONG).unwrap_err().reason, NoNodeReason::Empty);
}

/// Room may come from a window that moves on, from a node that joins, or from a higher limit: all of them end the wait.
#[test]
fn room_may_come_from_elsewhere() {
    let pool =
        Pool::from_config("{nodes: [a], quotas: [{dimension: rpm, limit: 1, window_ms: 200, buckets: 1}]}").unwrap();
    pool.pick(&Request::new()).unwrap().finish(Report::success()).unwrap();
    assert!(pool.pick_within(&Request::new(), LONG).is_ok(), "the window moved on");

    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}]}").unwrap();
    let _held = pool.pick(&Request::new()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.pick_within(&Request::new(), LONG).map(|pick| pick.id().to_string()));
        while pool.waiting() == 0 {
            std::thread::yield_now();
        }
        pool.register("b").unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), "b");
    });
}

/// For event loops: `wake` is called once, after which a pick finds the room.
#[test]
fn without_a_thread_that_sleeps() {
    let pool = Pool::from_config("{nodes: [{id: a, max_in_flight: 1}]}").unwrap();
    let first = pool.pick(&Request::new()).unwrap();
    let woken = Arc::new(AtomicU64::new(0));
    let count = woken.clone();
    let place = pool.wait(move || assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0)).unwrap();
    assert_eq!(pool.waiting(), 1);
    drop(first);
    assert_eq!((woken.load(Ordering::SeqCst), pool.waiting()), (1, 0));
    assert!(!pool.stop_waiting(place), "it was called");
    drop(pool.pick(&Request::new()).unwrap());
    assert_eq!(woken.load(Ordering::SeqCst), 1, "once");
    // One that panics harms nobody.
    pool.wait(|| panic!("as asked for")).unwrap();
    drop(pool.pick(&Request::new()).unwrap());
    assert!(pool.pick(&Request::new()).is_ok());
}
