//! The C ABI of loadwise: conversions, handles and guards; every decision is the core's.
//!
//! Reading order: [`handle`] (what keeps a freed pool from being used), [`guard`] (what every export runs in), [`sized`]
//! and [`text`] (how structs and texts come in and go out), then one file for each group of functions.

#![allow(non_camel_case_types)]
#![deny(missing_docs)]

pub mod affinity;
pub mod amount;
pub mod attempts;
pub mod candidate;
pub mod checks;
pub mod config;
pub mod describe;
pub mod engine;
mod error;
pub mod explain;
pub mod failover;
mod few;
pub mod first_token;
mod guard;
mod handle;
pub mod health;
pub mod learned;
mod lock;
pub mod maintain;
pub mod names;
pub mod node;
pub mod nodes;
pub mod observe;
pub mod outcome;
pub mod own_strategy;
pub mod pick;
pub mod pool;
pub mod report;
pub mod request;
pub mod select;
pub mod shared;
mod sized;
pub mod stats;
pub mod status;
pub mod store;
pub mod strategy;
pub mod text;
pub mod version;
pub mod wait;
