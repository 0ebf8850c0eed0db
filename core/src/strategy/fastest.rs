//! `fastest`: the lowest average response time, in classes, for what the node already does.
//!
//! ```text
//! class = ⌈average / width⌉, at least 1, ½ of it for every 10 s without a sample
//! of up to 16 nodes the lowest class·(1 + in flight)/weight; above, the better of two drawn by weight
//! ```
//!
//! Classes keep milliseconds of noise from deciding, and idling halves them, so that a node once slow is tried again.
//! Cost: every candidate up to 16, else two. It fails by herding when many look at once; in flight tells them apart.

use crate::policies::latency;
use crate::vocabulary::time::NANOS_PER_SEC;

/// How long a node is idle before its class is halved.
const HALVED_NS: f64 = (10 * NANOS_PER_SEC) as f64;

/// The class of a latency word.
pub(crate) fn class(word: u64, now_ns: u64, width_ns: f64, reference_ns: f64) -> f64 {
    let average = latency::average(word).unwrap_or(reference_ns);
    let class = (average / width_ns.max(1.0)).ceil().max(1.0);
    let idle = latency::idle_ns(word, now_ns) as f64 / HALVED_NS;
    if idle < 1.0 { class } else { class * libm::exp2(-idle.floor().min(1000.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::time::NANOS_PER_MS;

    const WIDTH: f64 = (20 * NANOS_PER_MS) as f64;
    const REFERENCE: f64 = 30e6;

    #[test]
    fn times_fall_into_classes_and_idling_halves_them() {
        let t0 = 1000 * NANOS_PER_SEC;
        let word = |ms: u64| latency::after_sample(0, ms * NANOS_PER_MS, t0, 10e9);
        assert_eq!([1, 20, 21, 90].map(|ms| class(word(ms), t0, WIDTH, REFERENCE)), [1.0, 1.0, 2.0, 5.0]);
        assert_eq!(class(word(90), t0 + 25 * NANOS_PER_SEC, WIDTH, REFERENCE), 1.25);
        assert_eq!(class(0, t0, WIDTH, REFERENCE), 2.0, "unsampled: as the others");
        assert!(class(word(90), u64::MAX, WIDTH, REFERENCE) >= 0.0);
        assert_eq!(class(word(90), 0, WIDTH, REFERENCE), 5.0, "a clock that went back");
    }
}
