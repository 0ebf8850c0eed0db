//! What a configuration may say, and what is said of one that is wrong.

use loadwise::config::{
    HealthConfig, Kind, P2cLoad, PoolConfig, RingCompat, StrategyConfig, StrategyKind, Value, validate_chain,
    validate_node, validate_nodes,
};
use loadwise::{Error, Limits, NodeSpec};

fn parse(text: &str) -> PoolConfig {
    PoolConfig::parse(text).unwrap_or_else(|e| panic!("{text}\n{e}"))
}

fn error(text: &str) -> String {
    match PoolConfig::parse(text) {
        Err(Error::Config(e)) => e.to_string(),
        other => panic!("{text}\n{other:?}"),
    }
}

fn kind(text: &str) -> StrategyKind {
    parse(text).strategy[0].kind
}

#[test]
fn a_document_may_be_yaml_or_json() {
    let yaml = parse(
        "
# The pool of the shop.
strategy:
  - name: maglev
    table_size: 65537
    bounded_load: true
  - least_connections
seed: 18446744073709551615
lease_timeout_ms: 30000
",
    );
    let json = parse(
        r#"{"strategy": [{"name": "maglev", "table_size": 65537, "bounded_load": 1.25}, "least_request"],
            "seed": 18446744073709551615, "lease_timeout_ms": 3e4}"#,
    );
    assert_eq!(yaml, json);
    assert_eq!(yaml.seed, Some(u64::MAX));
    assert_eq!(parse("{}"), PoolConfig::default());
}

#[test]
fn nodes_are_addresses_or_maps() {
    let config = parse(
        "
nodes:
  - 10.0.0.1:80
  - {id: b, weight: 0, user_data: 18446744073709551615}
  - id: c
    address: '[::1]:80'
    name: Third
    labels: {version: 1.10, canary: true, region: eu, port: 0x50, 8: x}
",
    );
    assert_eq!(config.node_lines, [3, 4, 5]);
    assert_eq!(config.nodes[0], NodeSpec::new("10.0.0.1:80"));
    assert_eq!(config.nodes[1], NodeSpec::new("b").weight(0).user_data(u64::MAX));
    let third = NodeSpec::new("c").address("[::1]:80").name("Third");
    let third = third.label("version", "1.10").label("canary", "true").label("region", "eu").label("port", "0x50");
    assert_eq!(config.nodes[2], third.label("8", "x"));
}

#[test]
fn strategies_have_their_own_settings() {
    assert_eq!(kind("strategy: {name: p2c, load: peak_ewma}"), StrategyKind::P2c { load: P2cLoad::PeakEwma });
    assert_eq!(kind("strategy: {load: reported, name: p2c}"), StrategyKind::P2c { load: P2cLoad::Reported });
    assert_eq!(kind("strategy: {name: least_request, exact: true}"), StrategyKind::LeastRequest { exact: true });
    assert_eq!(kind("strategy: {name: peak_ewma, decay_ms: 500}"), StrategyKind::PeakEwma { decay_ms: 500 });
    assert_eq!(kind("strategy: {name: ip_hash, table_size: 101}"), StrategyKind::Maglev { table_size: 101 });
    assert_eq!(kind("strategy: {name: most_available, epsilon: 0}"), StrategyKind::MostAvailable { epsilon: 0.0 });
    let ring = |points, compat| StrategyKind::RingHash { points, compat };
    assert_eq!(kind("strategy: ring_hash"), ring(None, None));
    assert_eq!(kind("strategy: {name: ring_hash, points: 64}"), ring(Some(64), None));
    assert_eq!(kind("strategy: {name: ring_hash, compat: nginx}"), ring(None, Some(RingCompat::Nginx)));
    assert_eq!(parse("strategy: {name: rendezvous, bounded_load: 2}").strategy[0].bounded_load, Some(2.0));
    assert_eq!(parse("strategy: {name: rendezvous, bounded_load: false}").strategy[0].bounded_load, None);
}

#[test]
fn bounds_hold_wherever_they_stand_in_the_document() {
    let config = parse("strategy: {name: maglev, table_size: 100003}\nlimits: {max_table_size: 200000, max_picks: 65}");
    assert_eq!(config.limits, Limits { max_table_size: 200_000, max_picks: 128, ..Limits::default() });
    assert_eq!(config.health, HealthConfig { failure_threshold: 3, recovery_successes: 2, ..HealthConfig::default() });
}

/// Forms of JSON that YAML by itself reads otherwise, or not at all.
#[test]
fn all_of_json_is_read() {
    let id = |json: &str| parse(&format!("{{\"nodes\": [{{\"id\": {json}}}]}}")).nodes[0].id.clone();
    assert_eq!(id(r#""\/a\"\\\u0041""#), "/a\"\\A");
    assert_eq!(id(r#""\ud83d\ude00 \uD83D\uDE00""#), "😀 😀");
    assert_eq!(id(r#""\\ud83d\\ude00""#), r"\ud83d\ude00");
    assert_eq!(id(r#""a\\\"\ud83d\ude00""#), "a\\\"😀");
    assert_eq!(id(r#""a # b: c, [d] {e} - !f &g *h""#), "a # b: c, [d] {e} - !f &g *h");
    assert_eq!(id("\"\u{2028}\u{2029}é\""), "\u{2028}\u{2029}é");
    let tabs = "\u{feff}\t{\r\n\t\"seed\"\t:\r\n\t\t7,\n\t\"nodes\"\n:\n[\n\t\"a\"\t,\n\"---\"]\n}\t\n";
    assert_eq!(parse(tabs).nodes, [NodeSpec::new("a"), NodeSpec::new("---")]);
    assert_eq!(parse(tabs).node_lines, [7, 8]);
    assert_eq!(parse("{\"seed\"\t:\t64\t,\t\"nodes\"\t:\t[\"a \\\\\\\" b\"\t]}").nodes[0].id, "a \\\" b");
    assert_eq!(error("{\"nodes\": [\n\"\\ud83d\"]}").get(..7), Some("line 2:"));
    assert_eq!(error("{\"nodes\": [\"\\ud83d\\ude00\",\n{\"x\": \"\\ude00\"}]}").get(..7), Some("line 2:"));
}

#[test]
fn native_data_is_read_like_text() {
    let node =
        Value::map([("id", Value::from("a")), ("weight", Value::number(2.0)), ("user_data", Value::from(u64::MAX))]);
    let labels = Value::map([("v", Value::from(1.5)), ("on", Value::from(true)), ("n", Value::from(-1))]);
    let mut other = Value::map([("id", Value::from("b"))]);
    let Kind::Map(entries) = &mut other.kind else { unreachable!() };
    entries.push((loadwise::config::Key { name: "labels".into(), line: 0 }, labels));
    let value = Value::map([("nodes", Value::list([node, other]))]);
    let config = PoolConfig::from_value(&value).unwrap();
    assert_eq!(config.nodes[0], NodeSpec::new("a").weight(2).user_data(u64::MAX));
    assert_eq!(config.nodes[1], NodeSpec::new("b").label("v", "1.5").label("on", "true").label("n", "-1"));
    assert_eq!(parse(&value.to_json()).nodes, config.nodes);

    let wrong = |value: Value| PoolConfig::from_value(&value).unwrap_err().to_string();
    assert_eq!(wrong(Value::map([("seed", Value::from(1.5))])), "seed: must be a whole number, not 1.5");
    assert_eq!(
        wrong(Value::map([("seed", Value::null()), ("seed", Value::null())])),
        "seed: is empty; must be a whole number, or the key left out"
    );
    assert_eq!(wrong(Value::map([("seed", Value::from(1)), ("seed", Value::from(1))])), "seed: the key is there twice");
    assert_eq!(
        wrong(Value::map([("nodes", Value::list([Value::from("a"), Value::from("a")]))])),
        "nodes[1].id: the node \"a\" is there twice"
    );
    let infinite = Value::map([("name", Value::from("most_available")), ("epsilon", Value::from(f64::INFINITY))]);
    assert_eq!(wrong(Value::map([("strategy", infinite)])), "strategy.epsilon: must be 0 to 1, not inf");
}

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
            r#"line 1: colour: unknown key "colour"; known are strategy, nodes, seed, lease_timeout_ms, max_in_flight, acquire_timeout_ms, acquire_queue, drain_timeout_ms, health, checks, breaker, outlier, panic, tiers, zones, slow_start, splits, affinity, adaptive_limit, quotas, retry, stats, limits"#,
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
fn bytes_must_be_utf8() {
    assert_eq!(PoolConfig::from_bytes(b"seed: 1").unwrap().seed, Some(1));
    let wrong = PoolConfig::from_bytes(b"seed: 1\nnodes: [\xff]").unwrap_err();
    assert_eq!(wrong.to_string(), "line 2: the text is not UTF-8");
}

#[test]
fn errors_of_a_file_name_it() {
    let directory = std::env::temp_dir().join(format!("loadwise-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("pool.yaml");
    std::fs::write(&path, "nodes: [a]\nseed: 1\n").unwrap();
    assert_eq!(PoolConfig::from_path(&path).unwrap(), parse("nodes: [a]\nseed: 1\n"));
    std::fs::write(&path, "nodes: [a]\nseed: x\n").unwrap();
    let wrong = PoolConfig::from_path(&path).unwrap_err().to_string();
    assert_eq!(wrong, format!("line 2: seed: must be a whole number, not the text \"x\" (in {})", path.display()));
    let absent = PoolConfig::from_path(directory.join("absent.yaml")).unwrap_err().to_string();
    assert!(absent.starts_with(&format!("cannot read {}", directory.join("absent.yaml").display())), "{absent}");
    std::fs::remove_dir_all(&directory).unwrap();
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

#[test]
fn no_text_makes_it_panic_and_what_is_read_is_valid() {
    const SEED: &str = r#"{"strategy": [{"name": "maglev", "table_size": 101, "bounded_load": 1.5}, "p2c"], # x
"nodes": ["a", {id: b, 'weight': 0x10, labels: {"v": "\ud83d\ude00\/", w: .5e1}}], seed: 1}
"#;
    const BLOCK: &str = "strategy:\n  - name: ring_hash\n    points: 10\n  - p2c\nnodes:\n- a\n- id: b\n  name: >-\n   x\n   y\n  \
                         labels:\n    ? k\n    : &a v\nlimits: {max_nodes: 3}\nseed: 7\n...\n";
    const PIECES: [&str; 28] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "- ",
        "\n",
        "\t",
        "\"",
        "'",
        "#",
        "&a",
        "*a",
        "!!str ",
        "|",
        ">",
        "?",
        "\\",
        "\\ud83d",
        "%YAML 1.2\n",
        "---\n",
        "...",
        "\u{feff}",
        "é😀",
        "1e999",
        "  ",
    ];
    // SplitMix64, so that a failure can be repeated.
    let mut state = 1u64;
    let mut below = |n: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    };
    let (mut valid, mut invalid) = (0, 0);
    parse(SEED);
    parse(BLOCK);
    for round in 0..20_000 {
        let mut text: Vec<char> = if round % 2 == 0 { SEED } else { BLOCK }.chars().collect();
        for _ in 0..=below(4) {
            let at = below(text.len() + 1);
            let to = (at + below(8)).min(text.len());
            match below(3) {
                0 => drop(text.drain(at..to)),
                1 => drop(text.splice(at..to, PIECES[below(PIECES.len())].chars())),
                _ => {
                    let copied: Vec<char> = text[at..to].to_vec();
                    let at = below(text.len() + 1);
                    drop(text.splice(at..at, copied));
                }
            }
        }
        let text: String = text.into_iter().collect();
        match PoolConfig::parse(&text) {
            Ok(config) => {
                config.validate().unwrap_or_else(|e| panic!("{text}\n{e}"));
                valid += 1;
            }
            Err(Error::Config(e)) => {
                assert!((1..=1 + text.matches('\n').count()).contains(&e.line), "{text}\n{e}");
                invalid += 1;
            }
            Err(other) => panic!("{text}\n{other}"),
        }
    }
    assert!(valid > 500 && invalid > 500, "{valid} valid, {invalid} invalid");
}
