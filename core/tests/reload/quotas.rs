//! Quotas over reloads: usage belongs to the dimension, wherever it is listed.

use loadwise::{NoNodeReason, Outcome, Pool, Report, Request};

use super::{SECOND, T0, parse};

fn used(pool: &Pool, now_ns: u64) -> Vec<(String, u64, u64)> {
    let node = pool.stats_at(now_ns).nodes.remove(0);
    node.quotas.into_iter().map(|q| (q.dimension, q.used, q.limit)).collect()
}

fn told(list: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    list.iter().map(|&(name, used, limit)| (name.to_owned(), used, limit)).collect()
}

#[test]
fn usage_follows_its_dimension() {
    let with = |quotas: &str| parse(&format!("{{quotas: [{quotas}], nodes: [a]}}"));
    let (rpm, tpm) = ("{dimension: rpm, limit: 10}", "{dimension: tpm, limit: 1000, default_cost: 0}");
    let pool = Pool::builder().config(with(&format!("{rpm}, {tpm}"))).build().unwrap();
    let cost = [("tpm", 300)];
    let pick = || pool.pick(&Request::new().cost(&cost).now_ns(T0)).unwrap();
    let open = pick();
    pick().finish(Report::success().usage(&[("tpm", 200)]).now_ns(T0)).unwrap();
    assert_eq!(used(&pool, T0), told(&[("rpm", 2, 10), ("tpm", 500, 1000)]));

    // In another order, and one more, and the limit of one raised.
    let images = "{dimension: images, limit: 5, default_cost: 0}";
    let more = "{dimension: rpm, limit: 20}";
    pool.reload_at(&with(&format!("{images}, {tpm}, {more}")), T0).unwrap();
    assert_eq!(used(&pool, T0), told(&[("images", 0, 5), ("tpm", 500, 1000), ("rpm", 2, 20)]));
    // What an open pick holds is given back where it was taken.
    open.finish(Report::success().usage(&[("tpm", 50)]).now_ns(T0)).unwrap();
    assert_eq!(used(&pool, T0), told(&[("images", 0, 5), ("tpm", 250, 1000), ("rpm", 2, 20)]));
}

#[test]
fn a_dimension_that_takes_anothers_place_owes_it_nothing() {
    let with = |name: &str| {
        let others: Vec<String> = (0..7).map(|i| format!("{{dimension: q{i}, limit: 9, default_cost: 0}}")).collect();
        parse(&format!("{{quotas: [{{dimension: {name}, limit: 10}}, {}], nodes: [a]}}", others.join(", ")))
    };
    // All eight places are taken, so the new one has to have that of the old one.
    let pool = Pool::builder().config(with("old")).build().unwrap();
    let open: Vec<_> = (0..4).map(|_| pool.pick(&Request::new().now_ns(T0)).unwrap()).collect();
    pool.reload_at(&with("new"), T0).unwrap();
    assert_eq!(used(&pool, T0)[0], ("new".to_owned(), 0, 10));
    let more: Vec<_> = (0..10).map(|_| pool.pick(&Request::new().now_ns(T0)).unwrap()).collect();
    // None of these held anything of the new dimension.
    open.into_iter().for_each(|pick| pick.finish(Report::cancelled()).unwrap());
    assert_eq!(used(&pool, T0)[0], ("new".to_owned(), 10, 10));
    assert_eq!(pool.pick(&Request::new().now_ns(T0)).unwrap_err().reason, NoNodeReason::RateLimited);
    more.into_iter().for_each(|pick| pick.finish(Report::cancelled()).unwrap());
    assert_eq!(used(&pool, T0)[0].1, 0);
}

#[test]
fn another_window_begins_with_nothing_used() {
    let with = |window_ms: u64, buckets: u64| {
        parse(&format!(
            "{{quotas: [{{dimension: rpm, limit: 3, window_ms: {window_ms}, buckets: {buckets}}}], nodes: [a]}}"
        ))
    };
    let pool = Pool::builder().config(with(60_000, 6)).build().unwrap();
    for (window_ms, buckets) in [(60_000, 5), (1_000, 5), (3_600_000, 16)] {
        let held: Vec<_> = (0..3).map(|_| pool.pick(&Request::new().now_ns(T0)).unwrap()).collect();
        assert!(pool.pick(&Request::new().now_ns(T0)).is_err());
        pool.reload_at(&with(window_ms, buckets), T0).unwrap();
        assert_eq!(used(&pool, T0)[0].1, 0);
        held.into_iter().for_each(|pick| pick.finish(Report::cancelled()).unwrap());
        assert_eq!(used(&pool, T0)[0].1, 0, "nothing is given back that is not counted");
    }
    assert!((0..3).all(|_| pool.pick(&Request::new().now_ns(T0 + SECOND)).unwrap().finish(Outcome::Success).is_ok()));
    assert!(pool.pick(&Request::new().now_ns(T0 + SECOND)).is_err());
}

#[test]
fn own_limits_of_nodes_are_those_of_the_document() {
    let with = |quotas: &str, own: &str| parse(&format!("{{quotas: [{quotas}], nodes: [{{id: a, quotas: {own}}}]}}"));
    let (rpm, tpm) = ("{dimension: rpm, limit: 10}", "{dimension: tpm, limit: 1000, default_cost: 0}");
    let pool = Pool::builder().config(with(&format!("{rpm}, {tpm}"), "{rpm: 4}")).build().unwrap();
    assert_eq!(used(&pool, T0), told(&[("rpm", 0, 4), ("tpm", 0, 1000)]));
    pool.reload_at(&with(&format!("{tpm}, {rpm}"), "{tpm: 70}"), T0).unwrap();
    assert_eq!(used(&pool, T0), told(&[("tpm", 0, 70), ("rpm", 0, 10)]));
    pool.reload_at(&with(tpm, "{tpm: 70}"), T0).unwrap();
    pool.reload_at(&with(&format!("{rpm}, {tpm}"), "{}"), T0).unwrap();
    assert_eq!(used(&pool, T0), told(&[("rpm", 0, 10), ("tpm", 0, 1000)]));
}
