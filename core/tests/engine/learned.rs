//! What was learned of nodes, taken up by a pool made later.

use std::time::Duration;

use loadwise::config::{Kind, Value};
use loadwise::{
    BreakerState, Error, FileStore, HealthStatus, InMemoryStore, NodeStatus, Outcome, Pool, Report, Request,
    StateError, StateStore,
};

use super::Directory;

const SECOND: u64 = 1_000_000_000;
const T0: u64 = 1_000 * SECOND;
const EVERYTHING: &str = "
strategy: peak_ewma
breaker: {open_ms: 1000}
outlier: true
adaptive_limit: {min: 2}
quotas: [{dimension: rpm, limit: 100}, {dimension: tpm, limit: 5000, default_cost: 0}]
nodes: [a, b, c]";

fn node(pool: &Pool, id: &str, now_ns: u64) -> NodeStatus {
    pool.nodes_at(now_ns).into_iter().find(|node| node.id == id).unwrap()
}

fn on(pool: &Pool, id: &str, cost: &[(&str, u64)], report: Report<'_>, now_ns: u64) {
    let only = |c: &loadwise::Candidate<'_>| c.id().as_str() == id;
    let pick = pool.pick(&Request::new().predicate(&only).cost(cost).now_ns(now_ns)).unwrap();
    pick.finish(report.now_ns(now_ns)).unwrap();
}

fn fail(pool: &Pool, id: &str, times: usize) {
    for _ in 0..times {
        pool.report(id, Report::from(Outcome::Failure).now_ns(T0)).unwrap();
    }
}

/// Down in its third hold: how long that is from now.
fn taken_down(pool: &Pool, id: &str) -> u64 {
    fail(pool, id, 3);
    let mut until = node(pool, id, T0).hold_until_ns.unwrap();
    for _ in 0..2 {
        let probe = pool.pick(&Request::new().now_ns(until)).unwrap();
        assert_eq!(probe.id().as_str(), id);
        probe.finish(Report::from(Outcome::Failure).now_ns(until)).unwrap();
        until = node(pool, id, until).hold_until_ns.unwrap();
    }
    until
}

/// Through all that keeps states, to a pool made after.
fn carried(pool: &Pool, make: impl Fn() -> Pool) -> Vec<Pool> {
    let directory = Directory::new("carried");
    let path = directory.file("learned.json");
    let memory = InMemoryStore::<String, String>::new();
    let count = pool.len();
    assert_eq!(pool.save(&memory).unwrap(), count);
    assert_eq!(pool.save(&FileStore::open(&path).unwrap()).unwrap(), count);
    let text = pool.learned().to_json();
    let (of_data, of_memory, of_file) = (make(), make(), make());
    assert_eq!(of_data.learn_from(&Value::parse(&text).unwrap()).unwrap(), count);
    assert_eq!(of_memory.restore(&memory).unwrap(), count);
    assert_eq!(of_file.restore(&FileStore::open(&path).unwrap()).unwrap(), count);
    vec![of_data, of_memory, of_file]
}

#[test]
fn the_first_pick_after_a_restart_knows_where_to_go() {
    // On the clock of the machine, as a host would do it.
    let make = || {
        let slow_probes = "health: {probe_interval_ms: 60000}";
        Pool::from_config(&format!("{{strategy: peak_ewma, {slow_probes}, nodes: [fast, slow, down]}}")).unwrap()
    };
    let pool = make();
    for (id, ms) in [("fast", 5), ("slow", 500)] {
        pool.report(id, Report::success().latency(Duration::from_millis(ms))).unwrap();
    }
    (0..3).for_each(|_| assert!(pool.report("down", Outcome::Failure).is_ok()));
    for after in carried(&pool, make) {
        for _ in 0..20 {
            assert_eq!(after.pick(&Request::new()).unwrap().id().as_str(), "fast");
        }
        let down = &after.nodes()[2];
        assert_eq!((down.health, down.available), (HealthStatus::Unhealthy, false));
        let left = down.hold_until_ns.unwrap().saturating_sub(loadwise::now_ns());
        // Half of a minute is certain, less what this test has taken.
        assert!(left > 10 * SECOND && left <= 60 * SECOND, "{left}");
    }
}

#[test]
fn a_hold_goes_on_and_the_next_is_longer() {
    let config = "{health: {probe_interval_ms: 1000}, seed: 1, nodes: [a, b]}";
    let pool = Pool::from_config(config).unwrap();
    let until = taken_down(&pool, "a");
    let saved_at = until - SECOND;
    let learned = pool.learned_at(saved_at);

    // Another machine's clock.
    let (after, now) = (Pool::from_config(config).unwrap(), 77 * SECOND);
    assert_eq!(after.learn_from_at(&learned, now).unwrap(), 2);
    assert_eq!(node(&after, "a", now).hold_until_ns, Some(now + SECOND));
    let pick = |now_ns: u64| after.pick(&Request::new().now_ns(now_ns)).unwrap();
    (0..20).for_each(|_| assert_eq!(pick(now + SECOND - 1).id().as_str(), "b"));
    let probe = pick(now + SECOND);
    assert_eq!(probe.id().as_str(), "a");
    probe.finish(Report::from(Outcome::Failure).now_ns(now + SECOND)).unwrap();
    let next = node(&after, "a", now + SECOND).hold_until_ns.unwrap() - (now + SECOND);
    // The fourth: 8 s, half of it certain.
    assert!((4 * SECOND..=8 * SECOND).contains(&next), "{next}");
}

#[test]
fn everything_is_carried_over() {
    let pool = Pool::from_config(EVERYTHING).unwrap();
    for i in 0..40 {
        on(&pool, "a", &[("rpm", 1), ("tpm", 100)], Report::success().latency(Duration::from_millis(10 + i)), T0);
    }
    on(&pool, "b", &[], Report::from(Outcome::Failure).latency(Duration::from_millis(3)), T0);
    on(&pool, "b", &[], Report::from(Outcome::Failure).latency(Duration::from_millis(3)), T0);
    fail(&pool, "c", 5);
    let at = T0 + SECOND / 10;
    let learned = pool.learned_at(at);
    let (after, now) = (Pool::from_config(EVERYTHING).unwrap(), 5 * SECOND);
    assert_eq!(after.learn_from_at(&learned, now).unwrap(), 3);
    assert_eq!(after.learned_at(now), learned, "told again as it was heard");
    for id in ["a", "b", "c"] {
        let (was, is) = (node(&pool, id, at), node(&after, id, now));
        let known =
            |n: &NodeStatus| (n.health, n.consecutive_failures, n.breaker, n.available, n.latency_ns, n.success_rate);
        assert_eq!(known(&was), known(&is), "{id}");
        assert_eq!(was.hold_until_ns.map(|ns| ns - at), is.hold_until_ns.map(|ns| ns - now), "{id}");
        let figures = |pool: &Pool, now| {
            let stats = pool.stats_at(now);
            let node = stats.nodes.into_iter().find(|n| n.id == id).unwrap();
            (node.quotas, node.max_in_flight)
        };
        assert_eq!(figures(&pool, at), figures(&after, now), "{id}");
    }
    assert_eq!(node(&after, "c", now).breaker, BreakerState::Open);
    assert_eq!(after.stats_at(now).selections, 0, "what others ended is no traffic of this pool");
    // 60 of rpm are left.
    let only_a = |c: &loadwise::Candidate<'_>| c.id().as_str() == "a";
    let pick = || after.acquire(&Request::new().predicate(&only_a).cost(&[("rpm", 10)]).now_ns(now));
    assert_eq!((0..20).take_while(|_| pick().is_ok()).count(), 6);
}

#[test]
fn a_quarter_of_the_window_that_failed_still_counts() {
    let config = "{health: {failure_threshold: 200, min_requests: 20, min_success_rate: 0.8}, nodes: [a, b]}";
    let pool = Pool::from_config(config).unwrap();
    pool.maintain(T0);
    for i in 0..19 {
        let report = if i % 4 == 0 { Report::from(Outcome::Failure) } else { Report::success() };
        pool.report("a", report.now_ns(T0)).unwrap();
    }
    assert_eq!(node(&pool, "a", T0).health, HealthStatus::Healthy);
    let after = Pool::from_config(config).unwrap();
    after.learn_from_at(&pool.learned_at(T0), SECOND).unwrap();
    after.report("a", Report::from(Outcome::Failure).now_ns(SECOND)).unwrap();
    assert_eq!(node(&after, "a", SECOND).health, HealthStatus::Unhealthy, "6 of 20 failed");
}

#[test]
fn a_node_that_asked_for_quiet_has_it_after_a_restart() {
    let pool = Pool::from_config("nodes: [a, b]").unwrap();
    on(&pool, "a", &[], Report::rate_limited(Some(Duration::from_secs(60))), T0);
    let after = Pool::from_config("nodes: [a, b]").unwrap();
    after.learn_from_at(&pool.learned_at(T0 + 20 * SECOND), SECOND).unwrap();
    let pick = |now: u64| after.pick(&Request::new().now_ns(now)).unwrap().id().to_string();
    (0..20).for_each(|_| assert_eq!(pick(41 * SECOND - 1), "b"));
    assert!((0..100).any(|_| pick(41 * SECOND) == "a"));
}

#[test]
fn what_is_not_configured_or_not_there_is_left_out() {
    let pool = Pool::from_config(EVERYTHING).unwrap();
    fail(&pool, "a", 5);
    on(&pool, "b", &[("rpm", 7)], Report::success(), T0);
    let learned = pool.learned_at(T0);
    let after = Pool::from_config(
        "{health: {failure_threshold: 200, max_probe_interval_ms: 10000}, quotas: [{dimension: rps, limit: 9}], nodes: [b, a, z]}",
    )
    .unwrap();
    assert_eq!(after.learn_from_at(&learned, T0).unwrap(), 2);
    let a = node(&after, "a", T0);
    assert_eq!((a.breaker, a.health, a.consecutive_failures), (BreakerState::Closed, HealthStatus::Unhealthy, 5));
    assert!(a.hold_until_ns.unwrap() <= T0 + 10 * SECOND, "never longer than this pool holds a node");
    assert_eq!(after.stats_at(T0).nodes[0].quotas[0].used, 0);
    assert_eq!(node(&after, "z", T0).health, HealthStatus::Healthy);
    assert_eq!(Pool::from_config("nodes: []").unwrap().learn_from(&learned).unwrap(), 0);
}

#[test]
fn no_hold_is_longer_than_this_pool_has_any() {
    let with = |interval_ms: u64| {
        let health = format!("{{probe_interval_ms: {interval_ms}, max_probe_interval_ms: {interval_ms}}}");
        Pool::from_config(&format!("{{health: {health}, nodes: [a]}}")).unwrap()
    };
    let (patient, hasty) = (with(60_000), with(2_000));
    fail(&patient, "a", 3);
    assert!(node(&patient, "a", T0).hold_until_ns.unwrap() >= T0 + 30 * SECOND);
    hasty.learn_from_at(&patient.learned_at(T0), T0).unwrap();
    assert_eq!(node(&hasty, "a", T0).hold_until_ns, Some(T0 + 2 * SECOND));
}

#[test]
fn a_node_that_flaps_over_a_restart_is_held_for_longer() {
    let config = "{health: {probe_interval_ms: 1000}, nodes: [a]}";
    let pool = Pool::from_config(config).unwrap();
    let until = taken_down(&pool, "a");
    for _ in 0..2 {
        pool.report("a", Report::success().now_ns(until)).unwrap();
    }
    assert_eq!(node(&pool, "a", until).health, HealthStatus::Healthy);
    let held = |since_return: u64| {
        let after = Pool::from_config(config).unwrap();
        after.learn_from_at(&pool.learned_at(until + since_return), T0).unwrap();
        fail(&after, "a", 3);
        node(&after, "a", T0).hold_until_ns.unwrap() - T0
    };
    // A fourth time within 300 s: 8 s, half of it certain. After a well time: 1 s.
    assert!((4 * SECOND..=8 * SECOND).contains(&held(60 * SECOND)));
    assert!((SECOND / 2..=SECOND).contains(&held(301 * SECOND)));
}

#[test]
fn an_own_health_policy_goes_on_from_there() {
    let make = || {
        let policy = loadwise::ConsecutiveFailurePolicy::default();
        Pool::builder().nodes(["a"]).health_policy(policy).build().unwrap()
    };
    let (pool, after) = (make(), make());
    fail(&pool, "a", 2);
    assert_eq!(node(&pool, "a", T0).health, HealthStatus::Degraded);
    after.learn_from_at(&pool.learned_at(T0), T0).unwrap();
    fail(&after, "a", 1);
    assert_eq!(node(&after, "a", T0).health, HealthStatus::Unhealthy, "the third failure");
}

#[test]
fn learning_is_told_to_observers_like_any_change() {
    use std::sync::{Arc, Mutex};
    let pool = Pool::from_config("nodes: [a, b]").unwrap();
    (0..3).for_each(|_| assert!(pool.report("a", Outcome::Failure).is_ok()));
    let after = Arc::new(Pool::from_config("nodes: [a, b]").unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (inner, notes) = (after.clone(), heard.clone());
    after.observe(false, move |event| {
        inner.nodes();
        notes.lock().unwrap().push(event.kind.clone());
    });
    after.learn_from(&pool.learned()).unwrap();
    let change = loadwise::EventKind::Health { from: HealthStatus::Healthy, to: HealthStatus::Unhealthy };
    assert_eq!(*heard.lock().unwrap(), [change]);
}

#[test]
fn data_that_is_not_what_was_learned_is_an_error_and_changes_nothing() {
    let pool = Pool::from_config(EVERYTHING).unwrap();
    let with = |entries: &str| format!("{{format: 1, nodes: {{b: {{format: 1}}, a: {{format: 1, {entries}}}}}}}");
    let cases = [
        ("[]".to_owned(), ""),
        ("{nodes: {}}".to_owned(), ""),
        ("{format: 2, nodes: {}}".to_owned(), "format"),
        ("{format: '1', nodes: {}}".to_owned(), "format"),
        ("{format: 1, nodes: []}".to_owned(), "nodes"),
        ("{format: 1, nodes: {}, pools: {}}".to_owned(), "pools"),
        ("{format: 1, nodes: {a: {format: 1}, a: {format: 1}}}".to_owned(), "nodes.a"),
        ("{format: 1, nodes: {a: 3}}".to_owned(), "nodes.a"),
        ("{format: 1, nodes: {a: {health: healthy}}}".to_owned(), "nodes.a"),
        ("{format: 1, nodes: {nobody: {format: 1, strikes: 64}}}".to_owned(), "nodes.nobody.strikes"),
        (with("health: unwell"), "nodes.a.health"),
        (with("health: healthy, health: healthy"), "nodes.a.health"),
        (with("failures: 256"), "nodes.a.failures"),
        (with("failures: -1"), "nodes.a.failures"),
        (with("successes: 1.5"), "nodes.a.successes"),
        (with("hold_ns: 1e40"), "nodes.a.hold_ns"),
        (with("latency_ns: .nan"), "nodes.a.latency_ns"),
        (with("latency_ns: -5"), "nodes.a.latency_ns"),
        (with("latency_ns: .inf"), "nodes.a.latency_ns"),
        (with("breaker_open: 1"), "nodes.a.breaker_open"),
        (with("adaptive_limit: 0"), "nodes.a.adaptive_limit"),
        (with("window_requests: 1, window_failures: 2"), "nodes.a.window_failures"),
        (with("quotas: {rpm: -1}"), "nodes.a.quotas.rpm"),
        (with("quotas: {'': 1}"), "nodes.a.quotas."),
        (with("quotas: 3"), "nodes.a.quotas"),
        (with("mood: good"), "nodes.a.mood"),
    ];
    let before = (pool.learned_at(T0), pool.nodes_at(T0));
    for (text, key) in cases {
        let Err(Error::Config(error)) = pool.learn_from_at(&Value::parse(&text).unwrap(), T0) else { panic!("{text}") };
        assert_eq!(error.key, key, "{text}: {error}");
        assert_eq!((pool.learned_at(T0), pool.nodes_at(T0)), before, "{text}");
    }
}

#[test]
fn random_values_are_taken_up_or_refused_and_picks_go_on() {
    let mut state = 1u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 11) as u128 * bound as u128) >> 53) as usize
    };
    let numbers = [0.0, 1.0, 3.0, 63.0, 255.0, 1e6, 9e15, 1e18, -1.0, 0.5, f64::NAN, f64::INFINITY];
    let words = ["healthy", "degraded", "unhealthy", "recovering", "", "x"];
    let keys = [
        "health",
        "failures",
        "successes",
        "strikes",
        "hold_ns",
        "returned_ns",
        "breaker_open",
        "ejected",
        "latency_ns",
        "latency_age_ns",
        "exhausted_ns",
        "adaptive_limit",
        "usual_latency_ns",
        "window_requests",
        "window_failures",
        "quotas",
    ];
    let pool = Pool::from_config(&EVERYTHING.replace("limit: 100}", "limit: 100, default_cost: 0}")).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..3_000u64 {
        let mut entries = vec![("format", Value::from(1))];
        for key in keys.iter().filter(|_| below(4) == 0).collect::<Vec<_>>() {
            entries.push((
                key,
                match (*key, below(8)) {
                    (_, 0) => Value::from(words[below(words.len())]),
                    ("health", _) => Value::from(words[below(4)]),
                    ("breaker_open" | "ejected", _) => Value::from(below(2) == 0),
                    ("quotas", _) => Value::map([("rpm", Value::number(numbers[below(7)]))]),
                    _ => Value::number(numbers[below(numbers.len())]),
                },
            ));
        }
        let data = Value::map([("format", Value::from(1)), ("nodes", Value::map([("a", Value::map(entries))]))]);
        let now = T0 + round * SECOND;
        let before = pool.learned_at(now);
        match pool.learn_from_at(&data, now) {
            Ok(count) => {
                assert_eq!(count, 1);
                taken += 1;
                // What is told now is heard again as it is, but for what a node cannot be at all.
                let told = pool.learned_at(now);
                assert_eq!(pool.learn_from_at(&told, now).unwrap(), 3);
                assert_eq!(pool.learned_at(now), told);
            }
            Err(error) => {
                assert!(error.to_string().starts_with("nodes.a."), "{error}");
                assert_eq!(pool.learned_at(now), before);
                refused += 1;
            }
        }
        let pick = pool.pick(&Request::new().now_ns(now)).unwrap();
        pick.finish(Report::success().latency(Duration::from_millis(1)).now_ns(now)).unwrap();
    }
    assert!(taken > 300 && refused > 300, "{taken} {refused}");
}

#[test]
fn stores_that_fail_or_hold_nonsense_leave_the_pool_blind_but_well() {
    struct Broken;
    impl StateStore for Broken {
        type NodeId = String;
        type State = String;
        type Error = &'static str;
        fn get(&self, _: &String) -> Result<Option<String>, &'static str> {
            Err("gone")
        }
        fn put(&self, _: &String, _: String) -> Result<(), &'static str> {
            Err("full")
        }
        fn remove(&self, _: &String) -> Result<(), &'static str> {
            Err("gone")
        }
        fn list(&self) -> Result<Vec<(String, String)>, &'static str> {
            Err("unreachable")
        }
    }
    let pool = Pool::from_config("nodes: [a, b]").unwrap();
    let failed = |message: &str| Error::State(StateError::Store(message.to_owned()));
    assert_eq!((pool.save(&Broken), pool.restore(&Broken)), (Err(failed("full")), Err(failed("unreachable"))));
    assert_eq!(failed("full").code(), 204);

    let store = InMemoryStore::<String, String>::new();
    pool.save(&store).unwrap();
    store.put(&"stranger".to_owned(), "{".to_owned()).unwrap();
    assert_eq!(pool.restore(&store).unwrap(), 2, "what is kept of others is not looked at");
    for (text, key) in [("{", "nodes.b"), ("", "nodes.b"), ("{\"format\": 9}", "nodes.b.format"), ("[1]", "nodes.b")] {
        store.put(&"b".to_owned(), text.to_owned()).unwrap();
        let Err(Error::Config(error)) = pool.restore(&store) else { panic!("{text}") };
        assert_eq!(error.key, key, "{error}");
    }
    assert!(pool.nodes().iter().all(|n| n.health == HealthStatus::Healthy));
}

#[test]
fn learned_data_has_its_form() {
    let pool = Pool::from_config("{quotas: [{dimension: rpm, limit: 5}], nodes: [a]}").unwrap();
    pool.report("a", Report::from(Outcome::Failure).now_ns(T0)).unwrap();
    let learned = pool.learned_at(T0);
    let Kind::Map(entries) = &learned.get("nodes").unwrap().get("a").unwrap().kind else { panic!() };
    let keys: Vec<&str> = entries.iter().map(|(key, _)| key.name.as_str()).collect();
    assert_eq!(keys[..6], ["format", "health", "failures", "successes", "strikes", "hold_ns"]);
    assert_eq!(learned.get("format").unwrap().to_json(), "1");
    // One text a node, on one line.
    let store = InMemoryStore::<String, String>::new();
    pool.save(&store).unwrap();
    let text = store.get(&"a".to_owned()).unwrap().unwrap();
    assert!(text.starts_with("{\"format\": 1,\"health\": \"") && !text.contains('\n'), "{text}");
}
