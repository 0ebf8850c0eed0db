//! What is derived from membership, weights and policy when they change: schedules, tables, rings. A decision only reads.

pub(crate) mod alias;
pub(crate) mod build;
pub(crate) mod groups;
pub(crate) mod ids;
pub(crate) mod ketama;
pub(crate) mod maglev;
pub(crate) mod publish;
pub(crate) mod reciprocal;
pub(crate) mod ring;
pub(crate) mod schedule;
pub(crate) mod step;
pub(crate) mod view;
