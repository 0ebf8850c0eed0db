//! What a caller tells a strategy over its own slice.

use std::collections::HashMap;

/// What one selection needs to know. The default says nothing, and most strategies need nothing.
///
/// ```
/// use loadwise::SelectionContext;
///
/// let ctx = SelectionContext::builder()
///     .hash_key(42)
///     .exclude(vec![0, 2])
///     .tags([("model".into(), "small".into())].into())
///     .build();
/// assert_eq!(ctx.tag("model"), Some("small"));
/// assert!(ctx.is_excluded(2) && !ctx.is_excluded(1));
/// ```
#[derive(Debug, Clone, Default, bon::Builder)]
pub struct SelectionContext {
    /// What the request is expected to cost, in the caller's unit.
    pub estimated_cost: Option<f64>,
    /// The key of hashing strategies, hashed as its 8 little-endian bytes.
    pub hash_key: Option<u64>,
    /// Whatever the caller's own strategies want to know.
    pub tags: Option<HashMap<String, String>>,
    /// Indices that must not be selected: those tried before, mostly.
    pub exclude: Option<Vec<usize>>,
}

impl SelectionContext {
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether `index` is excluded. Linear in the number of exclusions, which are few.
    pub fn is_excluded(&self, index: usize) -> bool {
        self.exclude.as_ref().is_some_and(|excluded| excluded.contains(&index))
    }
}
