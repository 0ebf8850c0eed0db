use super::*;

/// So long that no run of these tests sees it end.
const DAY: Duration = Duration::from_secs(86_400);

fn tracker() -> QuotaTracker<&'static str> {
    let requests = QuotaDimension::builder().name("rpd".into()).window(DAY).limit(100).resolution(1).build();
    let tokens = QuotaDimension { name: "tpd".into(), limit: 1000, ..requests.clone() };
    let tracker = QuotaTracker::new();
    tracker.register(&"key", QuotaConfig::builder().dimensions(vec![requests, tokens]).build());
    tracker
}

#[test]
fn usage_counts_against_each_limit() {
    let quotas = tracker();
    assert!(quotas.record_usage(&"key", &[("rpd", 10), ("tpd", 900), ("unheard of", 5)]));
    assert_eq!((quotas.remaining(&"key", "rpd"), quotas.remaining(&"key", "tpd")), (90, 100));
    assert_eq!(quotas.remaining(&"key", "unheard of"), u64::MAX);
    assert!((quotas.pressure(&"key") - 0.9).abs() < 1e-12);
    assert!(quotas.has_capacity(&"key", &[("rpd", 90), ("tpd", 100)]));
    assert!(!quotas.has_capacity(&"key", &[("rpd", 90), ("tpd", 101)]));
    quotas.record_usage(&"key", &[("rpd", 500)]);
    assert_eq!((quotas.remaining(&"key", "rpd"), quotas.pressure(&"key")), (0, 1.0));
}

#[test]
fn a_server_can_say_that_it_is_exhausted() {
    let quotas = tracker();
    quotas.mark_exhausted(&"key", DAY);
    assert!(!quotas.has_capacity(&"key", &[("rpd", 1)]));
    assert_eq!((quotas.pressure(&"key"), quotas.remaining(&"key", "rpd")), (1.0, 100));
    quotas.mark_exhausted(&"key", Duration::ZERO);
    assert!(quotas.has_capacity(&"key", &[("rpd", 100)]));
}

#[test]
fn unknown_nodes_have_no_limits() {
    let quotas = QuotaTracker::<String>::default();
    let id = String::from("key");
    assert!(!quotas.record_usage(&id, &[("rpd", 1)]));
    quotas.mark_exhausted(&id, DAY);
    assert!(quotas.has_capacity(&id, &[("rpd", u64::MAX)]));
    assert_eq!((quotas.remaining(&id, "rpd"), quotas.pressure(&id)), (u64::MAX, 0.0));
    assert!(format!("{quotas:?}").starts_with("QuotaTracker"));
}

#[test]
fn registering_again_replaces() {
    let quotas = tracker();
    quotas.record_usage(&"key", &[("rpd", 100)]);
    quotas.register(&"key", QuotaConfig { dimensions: vec![] });
    assert_eq!(quotas.remaining(&"key", "rpd"), u64::MAX);
}
