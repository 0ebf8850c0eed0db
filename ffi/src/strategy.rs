//! The strategy of a pool.

use std::ffi::c_char;

use loadwise::Error;
use loadwise::config::{PoolConfig, StrategyConfig};

use crate::error::Fail;
use crate::guard::guard;
use crate::pool::{self, lw_pool};
use crate::status::lw_status;
use crate::text::{copy_out, lw_str};

/// A strategy as a configuration has it: a name, a map, or a list of these. The pool itself knows which sizes it has room
/// for, so the bounds here are the widest.
pub(crate) fn parse(text: &str) -> Result<Vec<StrategyConfig>, Fail> {
    let mut document = String::from("limits: {max_nodes: 1, max_table_size: 8388608}\nstrategy:\n");
    // Indented, a text cannot say anything but the strategy.
    for line in text.split(['\n', '\r']) {
        document.push_str("  ");
        document.push_str(line);
        document.push('\n');
    }
    match PoolConfig::parse(&document) {
        Ok(config) => Ok(config.strategy),
        Err(Error::Config(mut error)) => {
            error.line = error.line.saturating_sub(2);
            Err(Error::Config(error).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes the strategy while picks are running: a name (`p2c`), or YAML or JSON as in a configuration
/// (`{name: maglev, bounded_load: 1.25}`, `[maglev, round_robin]`). What is known of the nodes stays.
///
/// Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; the strategy is as it was then.
///
/// # Safety
/// `strategy` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_set_strategy(pool: lw_pool, strategy: lw_str) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        let chain = parse(unsafe { strategy.text()? })?;
        pool::with(pool, |p| Ok(p.set_strategy(chain)?))
    })
}

/// Copies the name of the strategy in charge out, the first of a chain, as `lw_node_id` does.
///
/// # Safety
/// `buffer` has `capacity` bytes; `len` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_pool_strategy(
    pool: lw_pool,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> lw_status {
    guard(|| {
        // SAFETY: as the caller promises.
        pool::with(pool, |p| unsafe { copy_out(p.strategy(), buffer, capacity, len) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_strategy_is_read() {
        let names = |text: &str| parse(text).map(|chain| chain.iter().map(|s| s.kind.name()).collect::<Vec<_>>());
        for text in
            ["maglev", "{name: maglev}", "{\"name\": \"maglev\"}", "name: maglev\nbounded_load: 1.5", "- maglev"]
        {
            assert_eq!(names(text).unwrap(), ["maglev"], "{text}");
        }
        assert_eq!(names("[maglev, round_robin]").unwrap(), ["maglev", "round_robin"]);
        assert_eq!(names("- name: maglev\n- random").unwrap(), ["maglev", "random"]);
        assert_eq!(names("{name: ring_hash, points: 65535}").unwrap(), ["ring_hash"]);
    }

    #[test]
    fn a_text_says_nothing_but_the_strategy() {
        for text in ["p2c\nnodes: [a]", "p2c\rnodes: [a]", "p2c\n---\np2c", "", "p2c, nodes: [a]", "{}"] {
            let Err(Fail::Explained(100, message)) = parse(text) else { panic!("{text:?} was taken") };
            assert!(!message.contains("line 3"), "{text:?}: {message}");
        }
    }
}
