//! The committed documentation of the configuration is what the tables say. `LOADWISE_BLESS=1` writes it anew.

use std::path::Path;

use loadwise::config::{PoolConfig, schema};

fn assert_committed(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("LOADWISE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == text, "docs/{name} differs from its tables; run this test with LOADWISE_BLESS=1");
}

#[test]
fn the_documentation_is_up_to_date() {
    assert_committed("configuration.md", &schema::markdown());
}

#[test]
fn the_json_schema_is_up_to_date() {
    assert_committed("loadwise.schema.json", &schema::json_schema());
}

#[test]
fn the_examples_of_the_documentation_are_valid() {
    let text = schema::markdown();
    let examples: Vec<_> = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        PoolConfig::parse(example).unwrap();
    }
}
