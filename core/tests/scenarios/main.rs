//! What users meet: each scenario told in a sentence, played in virtual time.

mod breaker;
mod canary;
mod clock;
mod down;
mod failing;
mod flapping;
mod late;
mod limits;
mod newcomers;
mod observers;
mod outlier;
mod panic;
mod probes;
mod quotas;
mod retries;
mod sessions;
mod stage;
mod tiers;
mod waiting;
mod zones;

/// The guide to all this, `docs/policies.md`, has examples that are valid.
#[test]
fn the_examples_of_the_guide_are_valid() {
    let guide = include_str!("../../../docs/policies.md");
    let examples: Vec<&str> = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 9, "only {} examples", examples.len());
    for example in examples {
        loadwise::Pool::from_config(example).unwrap_or_else(|e| panic!("{example}\n{e}"));
    }
}
