//! One hash for keys, ids and labels in every language: XXH3-64.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The hash of a request's key: XXH3-64 with seed 0 over its bytes.
#[inline]
pub fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// A second, independent hash of the same bytes.
#[inline]
pub fn hash_with_seed(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// The hash by which a label is matched: over `key`, a zero byte, `value`. Never 0.
pub fn label_hash(key: &str, value: &str) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(key.as_bytes());
    hasher.update(&[0]);
    hasher.update(value.as_bytes());
    hasher.digest().max(1)
}

/// The key of the `i`-th rehash of a key's hash; the 0th is the hash itself.
#[inline]
pub fn rehash(hash: u64, i: u64) -> u64 {
    if i == 0 { hash } else { super::rng::mix(hash ^ i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) }
}

/// Maps a uniform hash to `0..n` by multiplication.
#[inline]
pub fn reduce(hash: u64, n: u64) -> u64 {
    ((u128::from(hash) * u128::from(n)) >> 64) as u64
}
