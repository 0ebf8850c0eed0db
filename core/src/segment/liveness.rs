//! Whether a process lives, as far as the system tells.
//!
//! In the caller's own namespace of process ids: there is a process of that id, it was started when the row says, and it
//! has not ended (a zombie answers to its id, a stopped process lives). The ids of other namespaces, as of another
//! container, mean nothing here: there, a process is gone if it does not hold the lock of its row in the file any more,
//! which the system takes back from whoever ends, and has not maintained anything for a while, since closing any of a
//! process's descriptors of the file takes the lock, too.

use super::processes::{COMMAND_BYTES_MAX, Identity};
use crate::vocabulary::time::NANOS_PER_SEC;

/// How old the heartbeat is of a process that lost the lock of its row and is not taken for alive any more. Who
/// maintains takes it again about once a second.
pub(crate) const UNLOCKED_NS: u64 = 5 * NANOS_PER_SEC;
/// The same for a process that never had a lock, because its file system has none.
pub(crate) const LOCKLESS_NS: u64 = 60 * NANOS_PER_SEC;

/// This process.
pub(crate) fn own_identity() -> Identity {
    let pid = std::process::id();
    let started = std::fs::read("/proc/self/stat").ok().and_then(|text| Stat::parse(&text)).map_or(0, |s| s.started);
    let mut command = [0; COMMAND_BYTES_MAX];
    let name = std::fs::read("/proc/self/comm").unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    let len = name.len().min(COMMAND_BYTES_MAX);
    command[..len].copy_from_slice(&name[..len]);
    Identity { pid, started, namespace: own_namespace(), is_locked: false, command }
}

/// The namespace of the caller's process ids; 0 where that cannot be told.
pub(crate) fn own_namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino())
}

/// Whether a process lives that claimed to be `identity`, and beat `heartbeat_age_ns` ago. `own_namespace`: the caller's;
/// `holds_lock`: whether somebody holds the lock of its row.
pub(crate) fn lives(
    identity: &Identity,
    own_namespace: u64,
    heartbeat_age_ns: u64,
    holds_lock: impl Fn() -> bool,
) -> bool {
    if identity.namespace != 0 && identity.namespace == own_namespace {
        return is_running(identity.pid, identity.started);
    }
    match identity.is_locked {
        true => heartbeat_age_ns < UNLOCKED_NS || holds_lock(),
        false => heartbeat_age_ns < LOCKLESS_NS,
    }
}

fn is_running(pid: u32, started: u64) -> bool {
    let Some(id) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    if rustix::process::test_kill_process(id) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    // Where it is hidden, its id has to do.
    let Some(stat) = std::fs::read(format!("/proc/{pid}/stat")).ok().and_then(|text| Stat::parse(&text)) else {
        return true;
    };
    !stat.has_ended && (started == 0 || stat.started == started)
}

/// What counts of /proc/PID/stat.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// It waits for its parent to take notice of its end, or is about to vanish.
    has_ended: bool,
    started: u64,
}

impl Stat {
    /// The second field is the command in parentheses, and may have anything in it; the third is the state, the 22nd the
    /// time of its start.
    fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let has_ended = matches!(fields.next()?, "Z" | "X" | "x");
        Some(Self { has_ended, started: fields.nth(18)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_and_the_start_are_found_behind_any_command() {
        let stat = |command: &str, state: &str| {
            format!("42 ({command}) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20 21").into_bytes()
        };
        for command in ["nginx", "a b) R 1 1", "((", ""] {
            assert_eq!(Stat::parse(&stat(command, "S")), Some(Stat { has_ended: false, started: 987_654 }));
            assert_eq!(Stat::parse(&stat(command, "T")), Some(Stat { has_ended: false, started: 987_654 }));
            assert_eq!(Stat::parse(&stat(command, "Z")), Some(Stat { has_ended: true, started: 987_654 }));
        }
        assert_eq!(Stat::parse(b""), None);
        assert_eq!(Stat::parse(b"42 (x) S 1"), None);
    }

    #[test]
    fn this_process_lives_and_one_of_another_start_does_not() {
        let me = own_identity();
        assert!(me.started != 0 && me.namespace != 0);
        let lives = |identity| lives(&identity, me.namespace, u64::MAX, || false);
        assert!(lives(me));
        assert!(!lives(Identity { started: me.started + 1, ..me }), "its id was used again");
        assert!(!lives(Identity { pid: 0x7F_FFFF, ..me }));
    }

    #[test]
    fn processes_of_other_namespaces_are_known_by_lock_and_heartbeat() {
        let me = own_identity();
        let elsewhere = Identity { namespace: 1, is_locked: true, ..me };
        let lives = |identity: Identity, age, lock| lives(&identity, me.namespace, age, || lock);
        assert!(lives(elsewhere, u64::MAX, true), "stopped, perhaps, but there");
        assert!(lives(elsewhere, UNLOCKED_NS - 1, false) && !lives(elsewhere, UNLOCKED_NS, false));
        let lockless = Identity { is_locked: false, ..elsewhere };
        assert!(lives(lockless, LOCKLESS_NS - 1, false) && !lives(lockless, LOCKLESS_NS, true));
    }

    #[test]
    fn a_child_lives_until_it_ended_also_while_it_is_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep is there");
        let pid = child.id();
        let text = std::fs::read(format!("/proc/{pid}/stat")).expect("it runs");
        let started = Stat::parse(&text).expect("as documented").started;
        assert!(is_running(pid, started));
        child.kill().expect("it can be killed");
        while is_running(pid, started) {
            std::thread::yield_now();
        }
        // Nobody has waited for it yet, so its id still answers.
        let id = rustix::process::Pid::from_raw(pid as i32).expect("an id");
        assert_eq!(rustix::process::test_kill_process(id), Ok(()));
        child.wait().expect("it ended");
    }
}
