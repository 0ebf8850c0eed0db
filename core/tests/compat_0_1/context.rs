use loadwise::strategy::{SelectionContext, Strategy};

#[test]
fn everything_is_optional() {
    let SelectionContext { estimated_cost, hash_key, tags, exclude } = SelectionContext::default();
    assert_eq!((estimated_cost, hash_key, tags, exclude), (None, None, None, None));
    let built = SelectionContext::builder().estimated_cost(1.5).maybe_hash_key(Some(7)).build();
    assert_eq!((built.estimated_cost, built.clone().hash_key), (Some(1.5), Some(7)));
    let literal = SelectionContext { exclude: Some(vec![3]), ..Default::default() };
    assert!(literal.is_excluded(3) && !literal.is_excluded(0));
    assert_eq!(literal.tag("any"), None);
}

#[test]
fn strategies_can_be_chosen_at_run_time() {
    fn by_name(name: &str) -> Option<Box<dyn Strategy<&'static str>>> {
        match name {
            "round_robin" => Some(Box::new(loadwise::strategy::RoundRobin::new())),
            "random" => Some(Box::new(loadwise::strategy::Random::new())),
            _ => None,
        }
    }
    for name in ["round_robin", "random"] {
        let selected = by_name(name).unwrap().select(&["only"], &SelectionContext::default());
        assert_eq!(selected, Some(0), "{name}");
    }
    assert!(by_name("other").is_none());
}
