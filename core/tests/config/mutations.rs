//! Texts that are nearly configurations.

use loadwise::Error;
use loadwise::config::PoolConfig;

use super::{Random, parse};

#[test]
fn no_text_makes_it_panic_and_what_is_read_is_valid() {
    const SEED: &str = r#"{"strategy": [{"name": "maglev", "table_size": 101, "bounded_load": 1.5}, "p2c"], # x
"nodes": ["a", {id: b, 'weight': 0x10, labels: {"v": "\ud83d\ude00\/", w: .5e1}}], seed: 1,
breaker: true, outlier: {"max_ejected": 0.5}, "panic": {"mode": "spread"}, splits: [{labels: {w: .5e1}, share: 0.5}]}
"#;
    const BLOCK: &str = "strategy:\n  - name: ring_hash\n    points: 10\n  - p2c\nnodes:\n- a\n- id: b\n  name: >-\n   x\n   y\n  \
                         labels:\n    ? k\n    : &a v\nlimits: {max_nodes: 3}\nseed: 7\nquotas:\n- {dimension: rpm, limit: 9}\nadaptive_limit:\n  min: 3\nchecks: false\n...\n";
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
    let mut random = Random(1);
    let mut below = |n| random.below(n);
    let (mut valid, mut invalid) = (0, 0);
    parse(SEED);
    parse(BLOCK);
    for round in 0..15_000 {
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
