//! Words for numbers: those of the figures, of the metrics and of all languages.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use loadwise::{BreakerState, Ending, EventKind, FailureKind, GiveUp, HealthStatus, NoNode, NoNodeReason};

use crate::attempts::number_of;
use crate::candidate::health_bit;
use crate::observe::{
    LW_EVENT_BREAKER, LW_EVENT_EJECTION, LW_EVENT_HEALTH, LW_EVENT_PANIC, LW_EVENT_SELECTION, LW_EVENT_TIER,
    LW_EVENT_TOPOLOGY,
};
use crate::outcome::{LW_OUTCOME_CANCELLED, LW_OUTCOME_FAILURE, LW_OUTCOME_RATE_LIMITED, LW_OUTCOME_SUCCESS};
use crate::status::lw_status;

/// Numbers and their words, ending in NUL for C. Made once, on first use.
type Table = OnceLock<Vec<(u32, CString)>>;

fn word_of(number: u32, table: &'static Table, words: impl FnOnce() -> Vec<(u32, &'static str)>) -> *const c_char {
    let ended = |(number, word)| (number, CString::new(word).unwrap_or_default());
    let table = table.get_or_init(|| words().into_iter().map(ended).collect());
    let found = table.iter().find(|(known, _)| *known == number);
    found.map_or(c"unknown", |(_, word)| word.as_c_str()).as_ptr()
}

/// The word for one of `LW_HEALTH_*`, as `"recovering"`; `"unknown"` for a number that is none, here and below. The text
/// lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn lw_health_name(health: u32) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    word_of(health, &TABLE, || HealthStatus::ALL.map(|health| (health_bit(health), health.as_str())).to_vec())
}

/// The word for one of `LW_BREAKER_*`, as `"half_open"`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_breaker_name(breaker: u32) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    word_of(breaker, &TABLE, || BreakerState::ALL.map(|state| (u32::from(state.as_number()), state.as_str())).to_vec())
}

/// The word for one of `LW_OUTCOME_*`, as `"rate_limited"`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_outcome_name(kind: u32) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    word_of(kind, &TABLE, || {
        let endings = [
            (LW_OUTCOME_SUCCESS, Ending::Success),
            (LW_OUTCOME_FAILURE, Ending::Failure(FailureKind::Other)),
            (LW_OUTCOME_RATE_LIMITED, Ending::RateLimited { retry_after: None }),
            (LW_OUTCOME_CANCELLED, Ending::Cancelled),
        ];
        endings.map(|(number, ending)| (number, ending.as_str())).to_vec()
    })
}

/// The word for one of `LW_FAILURE_*`, as `"server_error"`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_failure_name(failure: u32) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    word_of(failure, &TABLE, || FailureKind::ALL.map(|kind| (kind as u32, kind.as_str())).to_vec())
}

/// The word for one of `LW_NO_NODE_*`, as `"all_excluded"`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_no_node_name(status: lw_status) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    let code = |reason| NoNode { reason, retry_at_ns: None, callback_failed: false }.code();
    word_of(status, &TABLE, || NoNodeReason::ALL.map(|reason| (code(reason), reason.as_str())).to_vec())
}

/// The word for one of `LW_GIVE_UP_*`, as `"budget"`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_give_up_name(give_up: u32) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    word_of(give_up, &TABLE, || GiveUp::ALL.map(|why| (number_of(why), why.as_str())).to_vec())
}

/// The word for one of `LW_EVENT_*`, as `"topology"`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_event_name(kind: u32) -> *const c_char {
    static TABLE: Table = OnceLock::new();
    word_of(kind, &TABLE, || {
        let healthy = HealthStatus::Healthy;
        let kinds = [
            (LW_EVENT_HEALTH, EventKind::Health { from: healthy, to: healthy }),
            (LW_EVENT_BREAKER, EventKind::Breaker { open: false }),
            (LW_EVENT_EJECTION, EventKind::Ejection { ejected: false }),
            (LW_EVENT_PANIC, EventKind::Panic { spread: false }),
            (LW_EVENT_TIER, EventKind::Tier { from: 0, to: 0 }),
            (LW_EVENT_TOPOLOGY, EventKind::Topology { added: Vec::new(), removed: Vec::new() }),
            (LW_EVENT_SELECTION, EventKind::Selection { strategy: "" }),
        ];
        kinds.map(|(number, kind)| (number, kind.name())).to_vec()
    })
}
