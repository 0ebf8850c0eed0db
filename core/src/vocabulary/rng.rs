//! Random draws: SplitMix64, because a decision that can be replayed needs a generator that can be written down.
//!
//! A **seeded** pool numbers its picks with one shared counter, and pick `c` of seed `s` draws from the SplitMix64
//! stream that starts at `mix(s + c·GOLDEN)`: a pure function of seed and call order, in every language.
//! An **unseeded** pool draws from a stream of its own thread, started by the operating system's entropy.
//!
//! Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

use std::cell::Cell;

use rand::TryRngCore;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64: a bijection whose output bits all depend on all input bits.
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The draws of one decision.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The stream of pick number `count` in a pool seeded with `seed`.
    #[inline]
    pub fn seeded(seed: u64, count: u64) -> Self {
        Self(mix(seed.wrapping_add(count.wrapping_mul(GOLDEN))))
    }

    /// The next decision's stream from this thread's own generator.
    #[inline]
    pub fn of_thread() -> Self {
        THREAD.with(|stream| {
            let incarnation = super::fork::incarnation();
            if stream.incarnation.get() != incarnation {
                // A thread's first draw, or the first after a fork: a child must not repeat its parent's draws.
                stream.state.set(rand::rngs::OsRng.try_next_u64().unwrap_or_else(|_| super::time::now_ns()));
                stream.incarnation.set(incarnation);
            }
            let next = stream.state.get().wrapping_add(GOLDEN);
            stream.state.set(next);
            Self(mix(next))
        })
    }

    /// Goes on with a stream whose state was kept.
    #[inline(always)]
    pub(crate) fn resume(state: u64) -> Self {
        Self(state)
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> u64 {
        self.0
    }

    /// The state of a stream `count` draws later.
    #[inline(always)]
    pub(crate) fn ahead(state: u64, count: u64) -> u64 {
        state.wrapping_add(count.wrapping_mul(GOLDEN))
    }

    /// 64 uniform bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in `0..n` (0 if `n` is 0), by multiplication: a bias below n/2⁶⁴.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in `[0, 1)` with 53 bits.
    #[cfg(test)]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

struct Stream {
    state: Cell<u64>,
    incarnation: Cell<u64>,
}

thread_local! {
    static THREAD: Stream = const { Stream { state: Cell::new(0), incarnation: Cell::new(0) } };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_stream_of_splitmix64() {
        // The published reference values for the seed 1234567.
        let mut d = Draws(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| d.next_u64()).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut d = Draws::seeded(1, 0);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[d.below(7) as usize] += 1;
        }
        // 6 σ of a binomial(70 000, 1/7) is 556: fails by chance once in 10⁸ seeds; this seed is fixed.
        assert!(seen.iter().all(|&c| c.abs_diff(10_000) < 556), "{seen:?}");
        assert_eq!(d.below(0), 0);
    }
}
