//! Whether a process lives, as far as the system tells.
//!
//! In the caller's own namespace of process ids: there is a process of that id, it was started when the row says, it has
//! not ended (a zombie answers to its id; a stopped process lives, and so does one whose first thread alone has ended), and
//! it has not become another program since (`exec` keeps id and start). The ids of other namespaces, as of another
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
    let stat = std::fs::read("/proc/self/stat").ok().and_then(|text| Stat::parse(&text));
    let (started, program) = stat.map_or((0, 0), |stat| (stat.started, stat.program));
    let mut command = [0; COMMAND_BYTES_MAX];
    let name = std::fs::read("/proc/self/comm").unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    let len = name.len().min(COMMAND_BYTES_MAX);
    command[..len].copy_from_slice(&name[..len]);
    Identity { pid, started, program, namespace: own_namespace(), is_locked: false, command }
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
        return is_running(identity);
    }
    match identity.is_locked {
        true => heartbeat_age_ns < UNLOCKED_NS || holds_lock(),
        false => heartbeat_age_ns < LOCKLESS_NS,
    }
}

fn is_running(identity: &Identity) -> bool {
    let pid = identity.pid;
    let Some(id) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    if rustix::process::test_kill_process(id) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    // Where it is hidden, its id has to do.
    let Some(stat) = std::fs::read(format!("/proc/{pid}/stat")).ok().and_then(|text| Stat::parse(&text)) else {
        return true;
    };
    let may_be = |was: u64, is: u64| was == 0 || is == 0 || was == is;
    !stat.has_ended && may_be(identity.started, stat.started) && may_be(identity.program, stat.program)
}

/// What counts of /proc/PID/stat.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// It waits for its parent to take notice of its end, or is about to vanish.
    has_ended: bool,
    started: u64,
    /// 0 for those who may not trace it, and of one whose first thread has ended.
    program: u64,
}

impl Stat {
    /// The second field is the command in parentheses, and may have anything in it; the third is the state of the first
    /// thread, the 20th how many threads there are, the 22nd the time of its start, the 28th the beginning of its stack.
    fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at).and_then(|text| text.parse::<u64>().ok());
        let has_ended = matches!(field(3)?, "Z" | "X" | "x") && number(20)? <= 1;
        Some(Self { has_ended, started: number(22)?, program: number(28).unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_and_the_start_are_found_behind_any_command() {
        let stat = |command: &str, state: &str, threads: u32| {
            let before = "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19";
            format!("42 ({command}) {state} {before} {threads} 21 987654 23 24 25 26 27 1402 29").into_bytes()
        };
        let is = |has_ended| Some(Stat { has_ended, started: 987_654, program: 1402 });
        for command in ["nginx", "a b) R 1 1", "((", ""] {
            assert_eq!(Stat::parse(&stat(command, "S", 1)), is(false));
            assert_eq!(Stat::parse(&stat(command, "T", 2)), is(false));
            assert_eq!(Stat::parse(&stat(command, "Z", 1)), is(true));
            assert_eq!(Stat::parse(&stat(command, "Z", 2)), is(false), "another thread goes on");
        }
        assert_eq!(Stat::parse(b""), None);
        assert_eq!(Stat::parse(b"42 (x) S 1"), None);
    }

    #[test]
    fn this_process_lives_and_one_of_another_start_does_not() {
        let me = own_identity();
        assert!(me.started != 0 && me.program != 0 && me.namespace != 0);
        let lives = |identity| lives(&identity, me.namespace, u64::MAX, || false);
        assert!(lives(me));
        assert!(!lives(Identity { started: me.started + 1, ..me }), "its id was used again");
        assert!(!lives(Identity { pid: 0x7F_FFFF, ..me }));
        assert!(!lives(Identity { program: me.program + 1, ..me }), "it executes another program by now");
        assert!(lives(Identity { program: 0, ..me }), "its program is not known");
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
        // It may be about to begin, and told of the stack that it is only given then.
        let identity = Identity { program: 0, ..identity_of(child.id()) };
        assert!(is_running(&identity));
        child.kill().expect("it can be killed");
        while is_running(&identity) {
            std::thread::yield_now();
        }
        // Nobody has waited for it yet, so its id still answers.
        assert!(answers(child.id()));
        child.wait().expect("it ended");
    }

    #[test]
    fn who_becomes_another_program_is_gone() {
        use std::io::Read;
        use std::process::{Command, Stdio};
        let program = "echo runs; read line; exec sleep 1000";
        let mut child =
            Command::new("sh").args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
        let told = child.stdout.as_mut().expect("a pipe").read(&mut [0; 8]).expect("it tells");
        let identity = identity_of(child.id());
        assert!(told > 0 && is_running(&identity) && identity.program != 0);
        drop(child.stdin.take());
        while is_running(&identity) {
            std::thread::yield_now();
        }
        assert!(answers(child.id()), "but its id is in use");
        child.kill().expect("it can be killed");
        child.wait().expect("it ended");
    }

    fn identity_of(pid: u32) -> Identity {
        let text = std::fs::read(format!("/proc/{pid}/stat")).expect("it runs");
        let Stat { started, program, .. } = Stat::parse(&text).expect("as documented");
        Identity { pid, started, program, ..Identity::default() }
    }

    fn answers(pid: u32) -> bool {
        let id = rustix::process::Pid::from_raw(pid as i32).expect("an id");
        rustix::process::test_kill_process(id) == Ok(())
    }
}
