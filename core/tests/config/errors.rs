//! What is said of a document, and of what code has made, that is wrong.

use loadwise::config::{PoolConfig, StrategyConfig, StrategyKind, validate_chain, validate_node, validate_nodes};
use loadwise::{Error, Limits, NodeSpec};

use super::{error, parse};

#[test]
fn errors_name_the_key_and_the_line() {
    for (text, message) in [
        ("", "line 1: the text is empty; {} is a pool without nodes"),
        ("# only a comment\n", "line 1: the text is empty; {} is a pool without nodes"),
        ("[]", "line 1: must be a map of keys, not a list"),
        ("p2c", r#"line 1: must be a map of keys, not the text "p2c""#),
        ("1", "line 1: must be a map of keys, not 1"),
        ("a: [", "line 1: not valid YAML or JSON at its end: while parsing a node, did not find expected node content"),
        ("strategy: p2c\n---\nstrategy: p2c", "line 2: there is more than one document"),
        ("strategy: &a p2c\nnodes: [*a]", "line 2: aliases are not supported; write the value out"),
        ("strategy: !!str p2c", "line 1: tags are not supported; a text is one by its quotes"),
        ("? [a]\n: b", "line 1: the name of a key must be a text, not a list or a map"),
        ("\0", "line 1: the text has a NUL character"),
        ("strategy: p2c\n\0", "line 2: the text has a NUL character"),
        (
            "strategy:\n\t- p2c",
            "line 2: not valid YAML or JSON at column 2: tabs disallowed within this context (block indentation)",
        ),
        ("strategy: p2c\nstrategy: p2c", "line 2: strategy: the key is there twice, first on line 1"),
        ("stratgy: p2c", r#"line 1: stratgy: unknown key "stratgy"; did you mean "strategy"?"#),
        (
            "colour: 1",
            r#"line 1: colour: unknown key "colour"; known are strategy, nodes, seed, lease_timeout_ms, max_in_flight, acquire_timeout_ms, acquire_queue, drain_timeout_ms, health, checks, breaker, outlier, panic, tiers, zones, slow_start, splits, affinity, adaptive_limit, quotas, retry, stats, limits, shared, version"#,
        ),
        ("seed: -1", "line 1: seed: must be 0 to 18446744073709551615, not -1"),
        ("seed: 18446744073709551616", "line 1: seed: must be 0 to 18446744073709551615, not 18446744073709551616"),
        ("seed: x", r#"line 1: seed: must be a whole number, not the text "x""#),
        ("seed:", "line 1: seed: is empty; must be a whole number, or the key left out"),
        ("seed: 1.5", "line 1: seed: must be a whole number, not 1.5"),
        ("seed: .nan", "line 1: seed: must be a whole number, not .nan"),
        ("lease_timeout_ms: 1e99", "line 1: lease_timeout_ms: must be a whole number, not 1e99"),
        ("lease_timeout_ms: 99999999999", "line 1: lease_timeout_ms: must be 0 to 31536000000, not 99999999999"),
        ("strategy: p3c", r#"line 1: strategy: unknown strategy "p3c"; did you mean "p2c"?"#),
        ("strategy: custom", "line 1: strategy: an own strategy is set by code, not by name"),
        (
            "strategy: foo",
            r#"line 1: strategy: unknown strategy "foo"; known are p2c, round_robin, weighted_round_robin, random, weighted_random, least_load, least_request, least_connections, peak_ewma, ring_hash, maglev, ip_hash, rendezvous, most_available, adaptive, fastest, reported_load"#,
        ),
        ("strategy: []", "line 1: strategy: needs at least one strategy"),
        ("strategy: [p2c, random, p2c]", "line 1: strategy[2]: the strategy p2c is in the chain twice"),
        (
            "strategy: [p2c, random, round_robin, maglev, rendezvous]",
            "line 1: strategy[4]: a fallback chain has at most 4 strategies",
        ),
        ("strategy: {load: reported}", "line 1: strategy: needs the key name"),
        (
            "strategy: {name: p2c, load: in_fligt}",
            r#"line 1: strategy.load: unknown word "in_fligt"; did you mean "in_flight"?"#,
        ),
        (
            "strategy: {name: p2c, load: 1}",
            "line 1: strategy.load: must be one of in_flight, reported, peak_ewma, not 1",
        ),
        ("strategy: {name: random, load: 1}", r#"line 1: strategy.load: unknown key "load"; known are name"#),
        ("strategy: {name: 1}", "line 1: strategy.name: must be the name of a strategy, not 1"),
        ("strategy: 1", "line 1: strategy: must be the name of a strategy, a map or a list of these, not 1"),
        ("strategy: {name: p2c, name: p2c}", "line 1: strategy.name: the key is there twice, first on line 1"),
        (
            "strategy: {name: maglev, table_size: 65536}",
            "line 1: strategy.table_size: must be a prime: 65537, not 65536",
        ),
        (
            "strategy:\n  name: maglev\n  table_size: 100003",
            "line 3: strategy.table_size: 100003 is more than limits.max_table_size = 65537",
        ),
        (
            "limits: {max_table_size: 101}\nstrategy: maglev",
            "line 2: strategy.table_size: 65537 is more than limits.max_table_size = 101",
        ),
        (
            "strategy: {name: maglev, bounded_load: 0.9}",
            "line 1: strategy.bounded_load: must be a finite number of at least 1, not 0.9",
        ),
        (
            "strategy: {name: maglev, bounded_load: .inf}",
            "line 1: strategy.bounded_load: must be a finite number of at least 1, not inf",
        ),
        (
            "strategy: {name: maglev, bounded_load: x}",
            r#"line 1: strategy.bounded_load: must be true, false or a number, not the text "x""#,
        ),
        (
            "strategy: {name: p2c, bounded_load: 2}",
            r#"line 1: strategy.bounded_load: unknown key "bounded_load"; known are name, load"#,
        ),
        ("strategy: {name: most_available, epsilon: 2}", "line 1: strategy.epsilon: must be 0 to 1, not 2"),
        ("strategy: {name: most_available, epsilon: .nan}", "line 1: strategy.epsilon: must be 0 to 1, not .nan"),
        ("strategy: {name: peak_ewma, decay_ms: 0}", "line 1: strategy.decay_ms: must be 1 to 86400000, not 0"),
        ("strategy: {name: least_request, exact: 1}", "line 1: strategy.exact: must be true or false, not 1"),
        (
            "strategy: {name: ring_hash, points: 5000}",
            "line 1: strategy.points: times limits.max_nodes = 2048 is 10240000, more than 8388608",
        ),
        ("strategy: {name: ring_hash, points: 0}", "line 1: strategy.points: must be 1 to 65535, not 0"),
        (
            "strategy: {name: ring_hash, compat: envoy}",
            r#"line 1: strategy.compat: unknown word "envoy"; known are nginx"#,
        ),
        (
            "strategy: {name: ring_hash, compat: nginx, points: 1}",
            "line 1: strategy.points: cannot be set with compat: nginx, which has its own",
        ),
        ("nodes: a", r#"line 1: nodes: must be a list of nodes, not the text "a""#),
        ("nodes:", "line 1: nodes: is empty; must be a list of nodes, or the key left out"),
        ("nodes: [1]", "line 1: nodes[0]: must be a node, an address or a map, not 1; put an address in quotes"),
        ("nodes: [8.5]", "line 1: nodes[0]: must be a node, an address or a map, not 8.5; put an address in quotes"),
        ("nodes: [null]", "line 1: nodes[0]: is empty; must be a node: an address or a map, or the key left out"),
        ("nodes: [true]", "line 1: nodes[0]: must be a node: an address or a map, not true"),
        ("nodes: ['']", "line 1: nodes[0]: must not be empty"),
        ("nodes: [[]]", "line 1: nodes[0]: must be a node: an address or a map, not a list"),
        ("nodes:\n - a\n - b\n - a", r#"line 4: nodes[2].id: the node "a" is there twice, first on line 2"#),
        ("nodes: [{id: a},\n {id: a}]", r#"line 2: nodes[1].id: the node "a" is there twice, first on line 1"#),
        ("nodes: [{}]", "line 1: nodes[0]: needs the key id"),
        ("nodes: [{address: x}]", "line 1: nodes[0]: needs the key id"),
        ("nodes: [{id: 1}]", "line 1: nodes[0].id: must be a text, not 1; put it in quotes"),
        ("nodes: [{id: a, weight: -1}]", "line 1: nodes[0].weight: must be 0 to 4294967295, not -1"),
        ("nodes: [{id: a, weight: 4294967296}]", "line 1: nodes[0].weight: must be 0 to 4294967295, not 4294967296"),
        (
            "nodes: [{id: a, weight: 4294967295}, {id: b}]",
            "line 1: nodes[1].weight: the weights up to here add up to more than 4294967295",
        ),
        ("nodes: [{id: a, weight: '1'}]", r#"line 1: nodes[0].weight: must be a whole number, not the text "1""#),
        ("nodes: [{id: a, labels: 1}]", "line 1: nodes[0].labels: must be a map of keys, not 1"),
        ("nodes: [{id: a, labels: {x: [1]}}]", "line 1: nodes[0].labels.x: must be a text, not a list"),
        ("nodes: [{id: a, labels: {x: }}]", "line 1: nodes[0].labels.x: is empty; must be a text, or the key left out"),
        (
            "nodes: [{id: a, labels: {x: 1, x: 2}}]",
            "line 1: nodes[0].labels.x: the key is there twice, first on line 1",
        ),
        ("nodes: [{id: a, labels: {'': 1}}]", "line 1: nodes[0].labels: a label must have a name"),
        ("nodes: [{id: \"a\\u0007\"}]", r#"line 1: nodes[0].id: must not contain the control character \u{7}"#),
        ("limits: {max_nodes: 1}\nnodes: [a, b]", "line 2: nodes[1]: there are more nodes than limits.max_nodes = 1"),
        (
            "nodes: [{id: a, labels: {a: 1, b: 2}}]\nlimits: {max_labels: 1}",
            "line 1: nodes[0].labels: there are more labels than limits.max_labels = 1",
        ),
        (
            "nodes: [{id: a, labels: {a: 123456}}]\nlimits: {max_label_bytes: 6}",
            "line 1: nodes[0].labels: the labels have more bytes than limits.max_label_bytes = 6",
        ),
        ("limits: {max_nodes: 0}", "line 1: limits.max_nodes: must be 1 to 65535, not 0"),
        ("nodes: [a]\nlimits: {max_nodes: 70000}", "line 2: limits.max_nodes: must be 1 to 65535, not 70000"),
        ("limits: {max_picks: 1}", "line 1: limits.max_picks: must be 64 to 2097152, not 1"),
        (
            "limits: {max_processes: 2}",
            r#"line 1: limits.max_processes: unknown key "max_processes"; known are max_nodes, max_picks, max_labels, max_label_bytes, max_table_size, max_groups"#,
        ),
        ("health: {failure_threshold: 256}", "line 1: health.failure_threshold: must be 1 to 255, not 256"),
        ("health: 3", "line 1: health: must be a map of keys, not 3"),
        (
            "health: {threshold: 3}",
            r#"line 1: health.threshold: unknown key "threshold"; known are failure_threshold, recovery_successes, passive, window_ms, min_success_rate, min_requests, probe_interval_ms, max_probe_interval_ms, probe_timeout_ms, live_probes"#,
        ),
        (
            "nodes: [{\"a\": \"\\ud83d\"}]",
            "line 1: not valid YAML or JSON at column 15: while parsing a quoted scalar, found invalid Unicode character escape code",
        ),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn lines_are_lines_of_the_text() {
    // What is missing at the end stands on no line of its own.
    for (text, line) in
        [("?     ", 1), ("nodes: [a]\n? ", 2), ("nodes: [a]\rseeds: 1", 2), ("nodes: [a]\r\nseeds: 1", 2)]
    {
        let Error::Config(e) = PoolConfig::parse(text).unwrap_err() else { panic!("{text:?}") };
        assert_eq!(e.line, line, "{text:?}: {e}");
    }
}

#[test]
fn reached_bounds_are_told_from_impossible_values() {
    let code = |text: &str| PoolConfig::parse(text).unwrap_err().code();
    assert_eq!(code("seed: x"), 100);
    for text in [
        "nodes: [a, b]\nlimits: {max_nodes: 1}",
        "nodes: [{id: a, labels: {a: 1, b: 2}}]\nlimits: {max_labels: 1}",
        "nodes: [{id: a, labels: {a: 1234}}]\nlimits: {max_label_bytes: 4}",
        "nodes: [{id: a, weight: 4294967295}, b]",
        "strategy: {name: maglev, table_size: 100003}",
        "strategy: {name: ring_hash, points: 5000}",
        "strategy: [p2c, random, round_robin, maglev, rendezvous]",
    ] {
        assert_eq!(code(text), 101, "{text}");
    }
}

#[test]
fn the_first_problem_of_the_document_is_reported() {
    let problems = ["seed: x", "strategy: foo", "nodes: [{id: 1}]", "health: []", "limits: {max_nodes: 0}", "other: 1"];
    for first in problems {
        for second in problems.iter().filter(|second| **second != first) {
            let both = error(&format!("{first}\n{second}"));
            assert_eq!(both, error(first), "{first}\n{second}");
        }
    }
}

#[test]
fn long_texts_are_refused() {
    let id = "x".repeat(256);
    assert_eq!(error(&format!("nodes: [{id}]")), "line 1: nodes[0]: must have at most 255 bytes, not 256");
    for key in ["id", "address", "name"] {
        let text = format!("nodes:\n- weight: 1\n  {key}: {id}");
        assert_eq!(error(&text), format!("line 3: nodes[0].{key}: must have at most 255 bytes, not 256"));
    }
    assert_eq!(parse(&format!("nodes: [{}]", "x".repeat(255))).nodes[0].id.len(), 255);
    // A message stays short, whatever it is about.
    assert!(error(&format!("{}: 1", "k".repeat(100_000))).len() < 300);
    assert!(error(&format!("strategy: {}", "s".repeat(100_000))).len() < 400);
}

#[test]
fn huge_documents_are_refused() {
    let nested = format!("nodes: {}{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(error(&nested), "line 1: lists and maps are nested deeper than 64");
    assert_eq!(error(&"- ".repeat(100_000)), "line 1: lists and maps are nested deeper than 64");
    let many = format!("nodes: [{}]", "1,".repeat(1 << 21));
    assert_eq!(error(&many), "line 1: there are more than 2097152 values");
    let long = " ".repeat(loadwise::config::TEXT_BYTES_MAX + 1);
    assert_eq!(error(&long), "the text has 67108865 bytes, more than 67108864");
}

#[test]
fn what_code_has_made_is_checked_alike() {
    let limits = Limits { max_nodes: 2, max_labels: 1, max_label_bytes: 4, ..Limits::default() };
    let node = |spec: NodeSpec| validate_node(&spec, &limits, "node", 7).unwrap_err().to_string();
    assert_eq!(node(NodeSpec::new("")), "line 7: node.id: must not be empty");
    assert_eq!(node(NodeSpec::new("a\n")), "line 7: node.id: must not contain the control character \\n");
    assert_eq!(
        node(NodeSpec::new("a").name("x".repeat(256))),
        "line 7: node.name: must have at most 255 bytes, not 256"
    );
    assert_eq!(
        node(NodeSpec::new("a").label("b", "").label("c", "")),
        "line 7: node.labels: there are more labels than limits.max_labels = 1"
    );
    assert_eq!(
        node(NodeSpec::new("a").label("b", "1234")),
        "line 7: node.labels: the labels have more bytes than limits.max_label_bytes = 4"
    );
    assert_eq!(node(NodeSpec::new("a").label("", "1")), "line 7: node.labels: a label must have a name");
    assert!(validate_node(&NodeSpec::new("a").label("b", "123"), &limits, "node", 0).is_ok());

    let nodes = |ids: &[&str]| {
        let nodes: Vec<_> = ids.iter().map(|id| NodeSpec::new(*id)).collect();
        validate_nodes(&nodes, &[], &limits).map_err(|e| e.to_string())
    };
    assert_eq!(nodes(&["a", "b"]), Ok(()));
    assert_eq!(nodes(&["a", "b", "c"]), Err("nodes[2]: there are more nodes than limits.max_nodes = 2".into()));
    assert_eq!(nodes(&["a", "a"]), Err("nodes[1].id: the node \"a\" is there twice".into()));
    assert_eq!(nodes(&["a", ""]), Err("nodes[1].id: must not be empty".into()));

    let chain = |kinds: &[StrategyKind]| {
        let chain: Vec<_> = kinds.iter().map(|kind| StrategyConfig::from(*kind)).collect();
        validate_chain(&chain, &limits, "strategy").map_err(|e| e.to_string())
    };
    assert_eq!(chain(&[StrategyKind::Custom, StrategyKind::Random]), Ok(()));
    assert_eq!(chain(&[]), Err("strategy: a fallback chain has 1 to 4 strategies, not 0".into()));
    assert_eq!(chain(&[StrategyKind::Random; 2]), Err("strategy[1]: the strategy random is in the chain twice".into()));
    assert_eq!(
        chain(&[StrategyKind::Maglev { table_size: 65_536 }]),
        Err("strategy.table_size: must be a prime: 65537, not 65536".into())
    );
    assert_eq!(
        chain(&[StrategyKind::Random, StrategyKind::MostAvailable { epsilon: f64::NAN }]),
        Err("strategy[1].epsilon: must be 0 to 1, not NaN".into())
    );
    let bounded = StrategyConfig { bounded_load: Some(2.0), ..StrategyConfig::default() };
    assert_eq!(
        bounded.validate(&limits, "strategy", 0).unwrap_err().to_string(),
        "strategy.bounded_load: is for ring_hash, maglev and rendezvous, not for p2c"
    );

    let config = PoolConfig { limits: Limits { max_picks: 1, ..limits }, ..PoolConfig::default() };
    assert_eq!(config.validate().unwrap_err().to_string(), "limits.max_picks: must be 64 to 2097152, not 1");
    assert!(PoolConfig::default().validate().is_ok());
}
