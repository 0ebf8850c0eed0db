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
mod sessions;
mod stage;
mod tiers;
mod waiting;
mod zones;
