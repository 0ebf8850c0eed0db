//! The same nodes and keys for everybody.

use std::sync::{Arc, LazyLock};

use loadwise01::SelectionContext as Context01;

use crate::SIZES;

/// Addresses that double as ids.
pub fn address(i: usize) -> String {
    format!("10.{}.{}.{}:8080", i >> 16, i >> 8 & 0xFF, i & 0xFF)
}

/// A weight for node `i`: 1, 2, 3 in turn.
pub fn weight(i: usize) -> u32 {
    1 + i as u32 % 3
}

/// Keys of 24 bytes, as few as leave the cache to what is measured.
#[derive(Clone)]
pub struct Keys(Vec<String>);

const KEYS: usize = 256;

pub fn keys() -> Keys {
    Keys((0..KEYS).map(|i| format!("user-{:019}", i as u64 * 7_919_317_313)).collect())
}

impl Keys {
    pub fn at(&self, i: u64) -> &[u8] {
        self.text(i).as_bytes()
    }

    pub fn text(&self, i: u64) -> &str {
        &self.0[i as usize % KEYS]
    }
}

/// A node of a user's own slice, for both versions of the traits.
#[derive(Clone)]
pub struct Server {
    id: String,
    weight: u32,
    load: f64,
}

/// Slices of every size, made once and before all else: whoever hashes ids finds them where everybody else does.
pub fn servers(n: usize) -> Arc<[Server]> {
    static SLICES: LazyLock<Vec<Arc<[Server]>>> = LazyLock::new(|| SIZES.map(slice).into());
    SLICES[SIZES.iter().position(|&size| size == n).unwrap_or(0)].clone()
}

fn slice(n: usize) -> Arc<[Server]> {
    // Loads that differ, without an order.
    (0..n).map(|i| Server { id: address(i), weight: weight(i), load: (i * 7919 % 1009) as f64 }).collect()
}

macro_rules! traits_of {
    ($version:ident) => {
        impl $version::Node for Server {
            type Id = String;

            fn id(&self) -> &String {
                &self.id
            }
        }

        impl $version::Weighted for Server {
            fn weight(&self) -> u32 {
                self.weight
            }
        }

        impl $version::LoadMetric for Server {
            fn load_score(&self) -> f64 {
                self.load
            }
        }
    };
}

traits_of!(loadwise);
traits_of!(loadwise01);

/// Contexts that differ in their key.
pub fn contexts() -> Vec<loadwise::SelectionContext> {
    (0..KEYS as u64).map(|i| loadwise::SelectionContext::builder().hash_key(i * 7_919_317_313).build()).collect()
}

pub fn contexts_01() -> Vec<Context01> {
    (0..KEYS as u64).map(|i| Context01::builder().hash_key(i * 7_919_317_313).build()).collect()
}
