//! States that processes share, with real processes.
#![cfg(target_os = "linux")]

mod attach;
mod damage;
mod damaged;
mod fair;
mod files;
mod kill;
mod look;
mod process;
mod room;
