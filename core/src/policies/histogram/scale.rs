//! Which bucket a latency belongs to: buckets of about equal ratio, 35 an octave, by integer arithmetic alone.
//!
//! ```text
//! latency = 2^e · (1 + s), 0 ≤ s < 1
//! bucket  = ⌊35 · (e − 9 + p(s))⌋,  p(s) = (10·s − 21/5·s² + 6/5·s³) / 7 ≈ log₂(1 + s)
//! ```
//!
//! p rises from 0 to 1, and p′(s)·(1 + s) ≥ 10/7. So a bucket spans at most a ratio of e^(1/(35·10/7)) = e^0.02, and
//! what lies between its bounds differs from their harmonic mean by at most tanh 0.01 < 1 %. Five merged span e^0.1:
//! tanh 0.05 < 5 %. Rising in every step of the 24 bits of s that count, because one step raises p by more than rounding
//! can take away; a test goes through all of them.
//!
//! Source of p: DDSketch's cubic interpolation, the cubic for which the least p′(s)·(1 + s) is greatest.

/// Buckets from 512 ns to 73 minutes; what is shorter or longer lies in the first or the last.
pub(super) const BUCKETS: usize = (OCTAVE_END - OCTAVE_FIRST) as usize * PER_OCTAVE as usize;

const PER_OCTAVE: u64 = 35;
/// 2⁹ = 512 ns.
const OCTAVE_FIRST: u32 = 9;
/// 2⁴² ns = 73.3 minutes.
const OCTAVE_END: u32 = 42;

/// 2³² as the 1 of a fixed-point number.
const ONE_BITS: u32 = 32;
/// The bits of s that count.
const S_BITS: u32 = 24;

/// The bucket of a latency, below [`BUCKETS`].
#[inline]
pub(crate) const fn bucket(latency_ns: u64) -> usize {
    let ns = if latency_ns < 1 << OCTAVE_FIRST {
        1 << OCTAVE_FIRST
    } else if latency_ns >= 1 << OCTAVE_END {
        (1 << OCTAVE_END) - 1
    } else {
        latency_ns
    };
    let octave = ns.ilog2();
    let s = (ns << (63 - octave)) >> (63 - S_BITS) & ((1 << S_BITS) - 1);
    ((octave - OCTAVE_FIRST) as u64 * PER_OCTAVE + within(s)) as usize
}

/// ⌊35·p(s)⌋ for an s of 24 bits.
#[inline(always)]
const fn within(s: u64) -> u64 {
    const fn ratio(numerator: u64, denominator: u64) -> u64 {
        (numerator << ONE_BITS) / denominator
    }
    const A: u64 = ratio(6, 35);
    const B: u64 = ratio(3, 5);
    const C: u64 = ratio(10, 7);
    let quadratic = B - ((A * s) >> S_BITS);
    let cubic = C - ((quadratic * s) >> S_BITS);
    let p = (cubic * s) >> S_BITS;
    (p * PER_OCTAVE) >> ONE_BITS
}

/// Where bucket i of an octave begins, as an s of 24 bits: found by bisecting [`within`] itself, so that the two agree.
const STARTS: [u32; PER_OCTAVE as usize + 1] = {
    let mut starts = [0; PER_OCTAVE as usize + 1];
    let mut i = 0;
    while i < starts.len() {
        let (mut low, mut high) = (0, 1 << S_BITS);
        while low < high {
            let middle = (low + high) / 2;
            if within(middle) < i as u64 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        starts[i] = low as u32;
        i += 1;
    }
    starts
};

/// The harmonic mean of the bounds of bucket `index`, where `merged` of the scale's make one: what differs least, by
/// ratio, from all that lies between. In nanoseconds.
pub(super) fn middle_ns(index: usize, merged: usize) -> f64 {
    let first = index.saturating_mul(merged);
    let (low, high) = (start_ns(first), start_ns(first.saturating_add(merged)));
    2.0 * low * high / (low + high)
}

/// Where bucket `index` begins; the last one's end for an index past it.
fn start_ns(index: usize) -> f64 {
    let index = index.min(BUCKETS);
    let (octave, within) = (index / PER_OCTAVE as usize, index % PER_OCTAVE as usize);
    let octave_ns = (1u64 << (OCTAVE_FIRST + octave as u32)) as f64;
    octave_ns * (1.0 + f64::from(STARTS[within]) / f64::from(1u32 << S_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_the_mantissa_rises_and_the_octave_is_filled() {
        let mut last = 0;
        for s in 0..1u64 << S_BITS {
            let bucket = within(s);
            assert!(bucket == last || bucket == last + 1, "from {last} to {bucket} at {s}");
            last = bucket;
        }
        assert_eq!(last, PER_OCTAVE - 1);
    }

    #[test]
    fn buckets_begin_where_the_one_before_ends() {
        for index in 0..BUCKETS {
            let (start, end) = (start_ns(index).ceil() as u64, start_ns(index + 1).ceil() as u64);
            assert_eq!((bucket(start), bucket(end - 1)), (index, index));
        }
        assert_eq!(start_ns(BUCKETS), (1u64 << OCTAVE_END) as f64);
    }

    #[test]
    fn the_middle_is_within_one_percent_and_five_of_both_bounds() {
        for (merged, error) in [(1, 0.01), (5, 0.05)] {
            for index in 0..BUCKETS / merged {
                let (low, high) = (start_ns(index * merged), start_ns((index + 1) * merged));
                let middle = middle_ns(index, merged);
                assert!((middle - low) / low <= error && (high - middle) / high <= error, "{index} of {merged}");
            }
        }
    }

    #[test]
    fn shorter_and_longer_lie_in_the_end_buckets() {
        assert_eq!([0, 1, 511, 512].map(bucket), [0; 4]);
        assert_eq!([1 << 42, u64::MAX].map(bucket), [BUCKETS - 1; 2]);
        let hour = 3_600_000_000_000;
        assert!(bucket(1000) > 0 && bucket(hour) < BUCKETS - 1);
    }
}
