//! Amounts of a quota's dimension: what a request is expected to use, what an attempt has used, what a node may use.

use crate::error::Fail;
use crate::text::lw_str;

/// So much of a dimension that the pool's `quotas` name, such as `tokens`. Fixed for good: arrays of it are read in place.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lw_amount {
    /// UTF-8.
    pub dimension: lw_str,
    /// In the dimension's unit.
    pub amount: u64,
}

impl lw_amount {
    /// # Safety
    /// The dimension's name is readable.
    pub(crate) unsafe fn read<'a>(&self) -> Result<(&'a str, u64), Fail> {
        // SAFETY: as the caller promises.
        Ok((unsafe { self.dimension.text()? }, self.amount))
    }
}
