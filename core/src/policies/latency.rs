//! The peak-sensitive latency average of a node, in one word.
//!
//! ```text
//! sample ≥ average: average := sample
//! else:             average := sample + (average − sample)·e^(−Δt/τ)
//! read at t:        reference + (average − reference)·e^(−Δt/τ)
//! ```
//!
//! A peak counts at once and fades with τ; an average that nobody feeds drifts to the reference (the pool's median), so
//! that a node once slow is tried again. Reading changes nothing. Source: Finagle's peak EWMA load metric.
//!
//! The word: the average in nanoseconds as f32 (upper half), the time of its last sample in units of 2²⁰ ns ≈ 1.05 ms
//! (lower half), 0 while there is no sample.

use crate::vocabulary::time::{NANOS_PER_MS, NANOS_PER_SEC};

/// What a node without samples is taken for while the pool has no median: 30 ms.
pub(crate) const DEFAULT_NS: f64 = 30.0 * NANOS_PER_MS as f64;
/// What a failure or a rate limit records at least: nothing that fails fast looks fast.
pub(crate) const PENALTY_NS: u64 = 5 * NANOS_PER_SEC;
/// The longest `retry_after` that is believed.
pub(crate) const RETRY_AFTER_MAX_NS: u64 = 300 * NANOS_PER_SEC;

const UNIT_SHIFT: u32 = 20;
/// Ages above half the clock's range are clocks that went backwards.
const AGE_MAX: u32 = u32::MAX / 2;

/// The word after a sample.
pub(crate) fn after_sample(word: u64, sample_ns: u64, now_ns: u64, decay_ns: f64) -> u64 {
    let sample = (sample_ns as f64).max(1.0);
    let average = match average(word) {
        Some(average) if sample < average => sample + (average - sample) * faded(word, now_ns, decay_ns),
        _ => sample,
    };
    // A clock that went backwards must not make the sample look old.
    let stamp = if word == 0 || age(word, now_ns) > 0 { stamp(now_ns) } else { word as u32 };
    u64::from((average as f32).to_bits()) << 32 | u64::from(stamp)
}

/// The word of an average whose last sample was so long ago.
pub(crate) fn restored(average_ns: f64, idle_ns: u64, now_ns: u64) -> u64 {
    let age = u32::try_from(idle_ns >> UNIT_SHIFT).unwrap_or(u32::MAX).min(AGE_MAX / 2);
    let average = (average_ns as f32).clamp(1.0, f32::MAX);
    u64::from(average.to_bits()) << 32 | u64::from(stamp(now_ns).wrapping_sub(age))
}

/// The average at `now_ns`, in nanoseconds.
#[inline]
pub(crate) fn read(word: u64, now_ns: u64, decay_ns: f64, reference_ns: f64) -> f64 {
    match average(word) {
        None => reference_ns,
        Some(average) => {
            let kept = faded(word, now_ns, decay_ns);
            if kept == 1.0 { average } else { reference_ns + (average - reference_ns) * kept }
        }
    }
}

/// The average at its last sample.
pub(crate) fn average(word: u64) -> Option<f64> {
    (word != 0).then(|| f64::from(f32::from_bits((word >> 32) as u32)))
}

/// How long ago the last sample was; 0 without one.
#[inline]
pub(crate) fn idle_ns(word: u64, now_ns: u64) -> u64 {
    if word == 0 { 0 } else { u64::from(age(word, now_ns)) << UNIT_SHIFT }
}

/// The word with its age limited, for sweeps: a stamp must not come round to look young again.
pub(crate) fn restamped(word: u64, now_ns: u64) -> u64 {
    let old = word != 0 && stamp(now_ns).wrapping_sub(word as u32) > AGE_MAX / 2;
    if old { word & !0xFFFF_FFFF | u64::from(stamp(now_ns).wrapping_sub(AGE_MAX / 2)) } else { word }
}

#[inline(always)]
fn stamp(now_ns: u64) -> u32 {
    (now_ns >> UNIT_SHIFT) as u32
}

/// Units since the last sample; 0 if the clock went backwards.
#[inline(always)]
fn age(word: u64, now_ns: u64) -> u32 {
    let age = stamp(now_ns).wrapping_sub(word as u32);
    if age > AGE_MAX { 0 } else { age }
}

/// e^(−Δt/τ).
#[inline(always)]
fn faded(word: u64, now_ns: u64, decay_ns: f64) -> f64 {
    match age(word, now_ns) {
        0 => 1.0,
        age => libm::exp(-((u64::from(age) << UNIT_SHIFT) as f64) / decay_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = NANOS_PER_MS;
    const TAU: f64 = 10.0 * NANOS_PER_SEC as f64;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-3 * b.abs()
    }

    #[test]
    fn peaks_count_at_once_and_fade() {
        let t0 = 1000 * NANOS_PER_SEC;
        let w = after_sample(0, 10 * MS, t0, TAU);
        let w = after_sample(w, 100 * MS, t0, TAU);
        assert!(close(average(w).unwrap(), 100.0 * MS as f64));
        let w = after_sample(w, 10 * MS, t0 + 10 * NANOS_PER_SEC, TAU);
        assert!(close(average(w).unwrap(), (10.0 + 90.0 * (-1.0f64).exp()) * MS as f64));
    }

    #[test]
    fn an_average_that_nobody_feeds_drifts_to_the_reference() {
        let t0 = 1000 * NANOS_PER_SEC;
        let w = after_sample(0, PENALTY_NS, t0, TAU);
        assert!(close(read(w, t0, TAU, DEFAULT_NS), PENALTY_NS as f64));
        assert!(close(read(w, t0 + 200 * NANOS_PER_SEC, TAU, DEFAULT_NS), DEFAULT_NS));
        assert_eq!(read(0, t0, TAU, DEFAULT_NS), DEFAULT_NS);
    }

    #[test]
    fn clocks_that_stand_or_go_back_are_harmless() {
        let t0 = 1000 * NANOS_PER_SEC;
        let w = after_sample(0, 50 * MS, t0, TAU);
        assert!(close(read(w, t0 - 500 * NANOS_PER_SEC, TAU, DEFAULT_NS), 50.0 * MS as f64));
        let w = after_sample(w, 20 * MS, 0, TAU);
        assert!(close(read(w, t0, TAU, DEFAULT_NS), 50.0 * MS as f64));
        assert!(read(w, u64::MAX, TAU, DEFAULT_NS).is_finite());
    }
}
