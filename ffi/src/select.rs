//! Selection over the caller's own array, without a pool.

use std::hash::{Hash, Hasher};
use std::mem::MaybeUninit;

use loadwise::strategy::{
    ConsistentHash, LeastLoad, MostAvailable, PowerOfTwoChoices, Random, RoundRobin, WeightedRandom, WeightedRoundRobin,
};
use loadwise::{
    ConfigError, Error, LoadMetric, NoNode, NoNodeReason, Node, RateMetric, SelectionContext, Strategy, Weighted,
    key_hash,
};

use crate::error::Fail;
use crate::guard::guard;
use crate::handle::{self, Kind, Object};
use crate::sized::{self, Versioned, present};
use crate::status::lw_status;
use crate::text::{array, lw_str, put};

/// A strategy over the caller's own arrays, with what it keeps from one selection to the next. 0 is none.
pub type lw_selector = u64;

/// One candidate of the caller's. Fixed for good: arrays of it are read in place.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_item {
    /// For `ring_hash` and `weighted_round_robin`: any bytes; equal ids are the same candidate, wherever it stands.
    pub id: lw_str,
    /// For `weighted_random` and `weighted_round_robin`; 0 is never chosen.
    pub weight: u32,
    /// 0.
    pub reserved: u32,
    /// For `least_load` and `p2c`: lower is better; NaN and infinities are worst.
    pub load: f64,
    /// For `most_available`: 1.0 is all of it left, 0.0 none.
    pub remaining_ratio: f64,
}

/// What one selection asks for.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_selection {
    /// `sizeof(lw_selection)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// For `ring_hash`: any bytes; `data` NULL is no key, and a random candidate.
    pub key: lw_str,
    /// Indices that must not be chosen.
    pub exclude: *const usize,
    /// How many.
    pub exclude_len: usize,
}

// SAFETY: begins with struct_size; integers and raw pointers only.
unsafe impl Versioned for lw_selection {}

/// A caller's item during a selection.
#[repr(transparent)]
struct Item(lw_item);

/// An item's id, hashed as Rust hashes the same text, so that rings agree over languages.
#[repr(transparent)]
#[derive(Debug, Clone)]
struct ItemId(lw_str);

// SAFETY: only read, and only during the call that was given them.
unsafe impl Send for Item {}
// SAFETY: as above.
unsafe impl Sync for Item {}
// SAFETY: as above.
unsafe impl Send for ItemId {}
// SAFETY: as above.
unsafe impl Sync for ItemId {}

impl ItemId {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `lw_select` has checked the ids of strategies that look at them; the caller promises the rest.
        unsafe { self.0.bytes() }.unwrap_or_default()
    }
}

impl PartialEq for ItemId {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for ItemId {}

impl Hash for ItemId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.bytes());
        state.write_u8(0xFF);
    }
}

impl Node for Item {
    type Id = ItemId;

    fn id(&self) -> &ItemId {
        // SAFETY: ItemId is transparent over lw_str.
        unsafe { &*(&raw const self.0.id).cast::<ItemId>() }
    }
}

impl Weighted for Item {
    fn weight(&self) -> u32 {
        self.0.weight
    }
}

impl LoadMetric for Item {
    fn load_score(&self) -> f64 {
        self.0.load
    }
}

impl RateMetric for Item {
    fn remaining_ratio(&self) -> f64 {
        self.0.remaining_ratio
    }
}

pub(crate) struct Selector {
    strategy: Box<dyn Strategy<Item>>,
    looks_at_ids: bool,
}

impl Kind for Selector {
    const CODE: u64 = 3;
    const NAME: &'static str = "selector";

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Selector(selector) => Some(selector),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Selector(self)
    }
}

fn by_name(name: &str) -> Result<Selector, Fail> {
    let (strategy, looks_at_ids): (Box<dyn Strategy<Item>>, bool) = match name {
        "round_robin" => (Box::new(RoundRobin::new()), false),
        "weighted_round_robin" => (Box::new(WeightedRoundRobin::new()), true),
        "random" => (Box::new(Random::new()), false),
        "weighted_random" => (Box::new(WeightedRandom::new()), false),
        "least_load" => (Box::new(LeastLoad::new()), false),
        "p2c" => (Box::new(PowerOfTwoChoices::new()), false),
        "ring_hash" => (Box::new(ConsistentHash::default()), true),
        "most_available" => (Box::new(MostAvailable::default()), false),
        _ => {
            let name: String = name.chars().take(64).collect();
            let message = format!(
                "{name:?} is none over own arrays; there are round_robin, weighted_round_robin, random, weighted_random, \
                 least_load, p2c, ring_hash, most_available"
            );
            return Err(Error::Config(ConfigError::new("strategy", 0, message)).into());
        }
    };
    Ok(Selector { strategy, looks_at_ids })
}

/// Makes a selector: `round_robin`, `weighted_round_robin`, `random`, `weighted_random`, `least_load`, `p2c`, `ring_hash` or
/// `most_available`. May be used by several threads at once.
///
/// Errors: `LW_ERR_CONFIG` for any other name.
///
/// # Safety
/// `strategy` is readable, `selector` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_selector_new(strategy: lw_str, selector: *mut lw_selector) -> lw_status {
    guard(|| {
        present(selector)?;
        // SAFETY: as the caller promises.
        let handle = handle::insert(by_name(unsafe { strategy.text()? })?)?;
        // SAFETY: as the caller promises.
        unsafe { put(selector, handle) };
        Ok(())
    })
}

/// Frees a selector; else as `lw_pool_free`.
#[unsafe(no_mangle)]
pub extern "C" fn lw_selector_free(selector: lw_selector) -> lw_status {
    guard(|| handle::remove::<Selector>(selector))
}

/// Chooses one of the caller's items: its index into `*index`. `selection` may be NULL. The array is read in place: `random`
/// and `p2c` look at two items at most, however many there are.
///
/// Returns `LW_OK`, `LW_NO_NODE_EMPTY`, `LW_NO_NODE_ALL_EXCLUDED`, or `LW_NO_NODE_DRAINING` if all the others have weight 0.
///
/// # Safety
/// `items` has `len` items; all that they and `selection` point to is readable; `index` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lw_select(
    selector: lw_selector,
    items: *const lw_item,
    len: usize,
    selection: *const lw_selection,
    index: *mut usize,
) -> lw_status {
    guard(|| {
        present(index)?;
        // SAFETY: Item is transparent over lw_item; as the caller promises.
        let items = unsafe { array(items.cast::<Item>(), len)? };
        let mut ctx = SelectionContext::default();
        if !selection.is_null() {
            let mut copy = MaybeUninit::uninit();
            // SAFETY: as the caller promises.
            unsafe {
                let selection = sized::input(selection, &mut copy)?;
                if !selection.key.data.is_null() || selection.key.len != 0 {
                    ctx.hash_key = Some(hash_key(selection.key.bytes()?));
                }
                let exclude: &[usize] = array(selection.exclude, selection.exclude_len)?;
                ctx.exclude = (!exclude.is_empty()).then(|| exclude.to_vec());
            }
        }
        let chosen = handle::with(selector, |s: &Selector| {
            if s.looks_at_ids {
                // SAFETY: as the caller promises.
                items.iter().try_for_each(|item| unsafe { item.0.id.bytes() }.map(|_| ()))?;
            }
            s.strategy.select(items, &ctx).ok_or_else(|| Fail::NoNode(why(items, &ctx)))
        })?;
        // SAFETY: as the caller promises.
        unsafe { put(index, chosen) };
        Ok(())
    })
}

/// Keys of 8 bytes are the core's keys of 64 bits; others are hashed to one.
fn hash_key(key: &[u8]) -> u64 {
    <[u8; 8]>::try_from(key).map_or_else(|_| key_hash(key), u64::from_le_bytes)
}

#[cold]
fn why(items: &[Item], ctx: &SelectionContext) -> NoNode {
    let reason = match items.len() {
        0 => NoNodeReason::Empty,
        len if (0..len).all(|i| ctx.is_excluded(i)) => NoNodeReason::AllExcluded,
        _ => NoNodeReason::Draining,
    };
    NoNode { reason, retry_at_ns: None, callback_failed: false }
}
