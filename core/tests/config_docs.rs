//! The committed documentation of the configuration is what the tables say. `LOADWISE_BLESS=1` writes it anew.

use std::path::Path;

use loadwise::config::{EngineConfig, Kind, Value, schema};

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
    assert_eq!(examples.len(), 5);
    for example in examples {
        EngineConfig::parse(example).unwrap_or_else(|e| panic!("{example}\n{e}"));
    }
}

#[test]
fn the_fuzzer_begins_with_every_key() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let dictionary = std::fs::read_to_string(fuzz.join("config.dict")).unwrap();
    let mut corpus = String::new();
    for file in std::fs::read_dir(fuzz.join("corpus/config")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        EngineConfig::parse(&text).unwrap_or_else(|e| panic!("{text}\n{e}"));
        corpus += &text;
    }
    let schema = Value::parse(&schema::json_schema()).unwrap();
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 100, "{keys:?}");
    for key in keys {
        assert!(dictionary.contains(&format!("\"{key}\"\n")), "{key} is not in fuzz/config.dict");
        assert!(
            [": ", ":\n", "\":"].iter().any(|colon| corpus.contains(&format!("{key}{colon}"))),
            "{key} is in no corpus"
        );
    }
}

fn collect_keys(schema: &Value, keys: &mut Vec<String>) {
    match &schema.kind {
        Kind::Map(entries) => {
            if let Some(Kind::Map(properties)) = schema.get("properties").map(|p| &p.kind) {
                keys.extend(properties.iter().map(|(key, _)| key.name.clone()));
            }
            entries.iter().for_each(|(_, value)| collect_keys(value, keys));
        }
        Kind::List(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}
