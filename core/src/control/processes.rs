//! Who shares a state, and what each of them holds of it.

use super::config::Value;
use super::engine::Engine;
use super::sharing::SharedPools;
use crate::pool::{Pool, Ticket};
use crate::segment::Segment;
#[cfg(all(target_os = "linux", not(loom)))]
use crate::segment::processes::Phase;
#[cfg(all(target_os = "linux", not(loom)))]
use crate::sync::Ordering;
use crate::vocabulary::time::NANOS_PER_MS;
#[cfg(all(target_os = "linux", not(loom)))]
use crate::vocabulary::time::now_ns;

/// A process that is attached to a shared state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Its place among those attached, from 0.
    pub row: u32,
    /// In its own namespace of process ids.
    pub pid: u32,
    /// The first 16 bytes of its command's name.
    pub command: String,
    /// Whether it is the one that asks.
    pub is_own: bool,
    /// Whether it is in the namespace of process ids of the one that asks.
    pub in_namespace: bool,
    /// Whether it lives, as far as the one that asks can tell. Of one that does not, all is given back with the next
    /// `maintain` of any that does.
    pub alive: bool,
    /// When it attached, on the monotonic clock.
    pub since_ns: u64,
    /// When it last maintained something, on the monotonic clock.
    pub heartbeat_ns: u64,
    /// Unfinished picks of its own, of one pool or of all.
    pub in_flight: u64,
    /// How often a pick of its own had to look at a plan again, because another one was published meanwhile.
    pub repeats: u64,
}

/// A pick that nobody has finished yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPick {
    /// Good for the process alone that has it.
    pub ticket: Ticket,
    /// The node's id.
    pub node: String,
    /// The process that has it.
    pub pid: u32,
    /// When it was made, on the monotonic clock; `None` where nothing in the configuration needs the time of picks.
    pub started_ns: Option<u64>,
}

impl ProcessStatus {
    /// The same as data: keys in snake case, durations with their unit.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("row", Value::from(self.row)),
            ("pid", self.pid.into()),
            ("command", self.command.as_str().into()),
            ("is_own", self.is_own.into()),
            ("in_namespace", self.in_namespace.into()),
            ("alive", self.alive.into()),
            ("since_ns", self.since_ns.into()),
            ("heartbeat_ns", self.heartbeat_ns.into()),
            ("in_flight", self.in_flight.into()),
            ("repeats", self.repeats.into()),
        ])
    }
}

impl OpenPick {
    /// The same as data, with its age: keys in snake case, durations with their unit.
    pub fn to_value(&self, now_ns: u64) -> Value {
        let age_ms = self.started_ns.map(|since| now_ns.saturating_sub(since) as f64 / NANOS_PER_MS as f64);
        Value::map([
            ("ticket", Value::from(self.ticket.as_u64())),
            ("node", self.node.as_str().into()),
            ("pid", self.pid.into()),
            ("started_ns", self.started_ns.map_or_else(Value::null, Value::from)),
            ("age_ms", age_ms.map_or_else(Value::null, Value::from)),
        ])
    }
}

impl Engine {
    /// The processes that share the state, with their unfinished picks of all pools; empty if it is this process's alone.
    pub fn processes(&self) -> Vec<ProcessStatus> {
        let pools = self.pools();
        let mut processes = self.sharing().map(SharedPools::attached).unwrap_or_default();
        for process in &mut processes {
            process.in_flight = pools.iter().map(|pool| pool.in_flight_of(process.row as usize)).sum();
        }
        processes
    }
}

impl Pool {
    /// The processes that share the pool's state, with their unfinished picks; empty if it is this process's alone.
    ///
    /// ```
    /// # if !cfg!(target_os = "linux") { return Ok(()) }
    /// use loadwise::{Engine, Pool, Request};
    ///
    /// # let path = std::env::temp_dir().join(format!("loadwise-doc-processes-{}", std::process::id()));
    /// # let _ = std::fs::remove_file(&path);
    /// let pool = Pool::builder().shared(path.to_str().unwrap()).nodes(["a", "b"]).build()?;
    /// let pick = pool.pick(&Request::new())?;
    ///
    /// let looking = Engine::view(&path)?;
    /// let processes = looking.processes();
    /// assert_eq!((processes[0].pid, processes[0].in_flight), (std::process::id(), 1));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn processes(&self) -> Vec<ProcessStatus> {
        let mut processes = self.attached();
        for process in &mut processes {
            process.in_flight = self.in_flight_of(process.row as usize);
        }
        processes
    }

    /// Unfinished picks in all processes, those with a time first, the oldest of all first; at most `limit`.
    pub fn open_picks(&self, limit: usize) -> Vec<OpenPick> {
        self.after_fork_if_any();
        let mut open: Vec<_> = self.memory.leases().open_tickets().collect();
        open.sort_by_key(|(ticket, leased)| (leased.started_ns.wrapping_sub(1), ticket.as_u64()));
        open.truncate(limit);
        let pids: Vec<(u32, u32)> = self.attached().iter().map(|process| (process.row, process.pid)).collect();
        let pid_of = |row: u32| match self.share.is_some() {
            true => pids.iter().find(|(other, _)| *other == row).map_or(0, |(_, pid)| *pid),
            false => std::process::id(),
        };
        let picks = open.into_iter().map(|(ticket, leased)| OpenPick {
            ticket,
            node: self.memory.record(leased.node as usize).id().as_str().to_owned(),
            pid: pid_of(leased.row),
            started_ns: (leased.started_ns != 0).then_some(leased.started_ns),
        });
        picks.collect()
    }

    /// Who is attached; nothing is counted of what they hold.
    pub(crate) fn attached(&self) -> Vec<ProcessStatus> {
        self.share.as_ref().map(|share| attached_to(&share.segment)).unwrap_or_default()
    }

    /// Unfinished picks of one row, over all nodes.
    fn in_flight_of(&self, row: usize) -> u64 {
        (0..self.memory.nodes_used()).map(|index| self.memory.in_flight_of(index, row)).sum()
    }

    /// Unfinished picks on a node by the processes that have any: their ids and how many.
    pub(crate) fn in_flight_by_process(&self, index: usize, attached: &[ProcessStatus]) -> Vec<(u32, u64)> {
        let of = |process: &ProcessStatus| (process.pid, self.memory.in_flight_of(index, process.row as usize));
        attached.iter().map(of).filter(|(_, count)| *count != 0).collect()
    }
}

/// Who is attached to a segment; nothing is counted of what they hold.
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) fn attached_to(segment: &Segment) -> Vec<ProcessStatus> {
    let own = segment.own_row().map(|row| row.index).filter(|_| segment.is_writer());
    let now = now_ns();
    let rows = segment.processes().rows().filter(|row| row.state().phase() != Phase::Free);
    let status = rows.map(|row| {
        let (state, identity) = (row.state(), row.identity());
        let command = identity.command.split(|&byte| byte == 0).next().unwrap_or_default();
        ProcessStatus {
            row: row.index as u32,
            pid: identity.pid,
            command: String::from_utf8_lossy(command).into_owned(),
            is_own: own == Some(row.index),
            in_namespace: segment.is_own_namespace(identity.namespace),
            alive: state.phase() != Phase::Reaping && segment.lives(row, state, now),
            since_ns: row.since_ns(),
            heartbeat_ns: row.heartbeat_ns(),
            in_flight: 0,
            repeats: row.repeats().load(Ordering::Relaxed),
        }
    });
    status.collect()
}

#[cfg(not(all(target_os = "linux", not(loom))))]
fn attached_to(_: &Segment) -> Vec<ProcessStatus> {
    Vec::new()
}
