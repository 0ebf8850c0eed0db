//! Lists of operations on a pool and on a plain model of one of its policies, in lockstep, thousands of them. A list on
//! which the two disagree is shortened and printed.

mod affinity;
mod health;
mod lists;
mod quota;
mod tiers;
