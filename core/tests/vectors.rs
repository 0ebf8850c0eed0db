//! The conformance vectors of `tests/vectors`: replayed, or written with `LOADWISE_BLESS=1`.

#[path = "vectors/everything.rs"]
mod everything;
#[path = "vectors/failing.rs"]
mod failing;
#[path = "vectors/limiting.rs"]
mod limiting;
#[path = "vectors/replay.rs"]
mod replay;
#[path = "vectors/retrying.rs"]
mod retrying;
#[path = "vectors/scenarios.rs"]
mod scenarios;
#[path = "vectors/sharing.rs"]
mod sharing;
#[path = "vectors/story.rs"]
mod story;
#[path = "vectors/streaming.rs"]
mod streaming;

use std::path::PathBuf;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

#[test]
fn every_vector_comes_out_as_written() {
    if std::env::var_os("LOADWISE_BLESS").is_some() {
        for (file, scenarios) in scenarios::all() {
            let mut written: Vec<serde_json::Value> = Vec::new();
            for mut scenario in scenarios {
                replay::run(&mut scenario, replay::Mode::Write);
                written.push(scenario);
            }
            let text = scenarios::layout(&written);
            std::fs::write(directory().join(file), text).expect("the vector directory can be written");
        }
    }
    let mut replayed = 0;
    for entry in std::fs::read_dir(directory()).expect("the vectors are in the repository") {
        let path = entry.expect("a directory entry").path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a vector file");
        let document: serde_json::Value = serde_json::from_str(&text).expect("vectors are JSON");
        for scenario in document["scenarios"].as_array().expect("a list of scenarios") {
            replayed += replay::run(&mut scenario.clone(), replay::Mode::Check(&path));
        }
    }
    assert!(replayed > 5_000, "only {replayed} decisions were replayed");
}
