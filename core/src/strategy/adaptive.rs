//! `adaptive`: two candidates drawn by weight, the one that is less strained.
//!
//! ```text
//! strain of a beside b = 0.4·share(connections) + 0.4·share(latency) + 0.2·errors
//! share(x) = x(a) / (x(a) + x(b)), in 0 ..= 1, ½ for equals
//! connections = (in flight + 1)/weight;  latency = mean of the average and the 95th percentile;
//! errors = share of failures in the window
//! ```
//!
//! Each term is a share between the two, so none outweighs the others by its unit or its size, and no score is kept
//! beyond the decision: one that is kept sends everybody to the same node until it is renewed.
//! Cost: as `peak_ewma`, and two more loads a candidate.

/// What speaks against a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Strain {
    pub(crate) connections: f64,
    pub(crate) latency: f64,
    /// 0.0 ..= 1.0.
    pub(crate) errors: f64,
}

const CONNECTIONS: f64 = 0.4;
const LATENCY: f64 = 0.4;
const ERRORS: f64 = 0.2;

impl Strain {
    /// 0.0 ..= 1.0.
    #[inline]
    pub(crate) fn beside(self, other: Self) -> f64 {
        CONNECTIONS * share(self.connections, other.connections)
            + LATENCY * share(self.latency, other.latency)
            + ERRORS * if self.errors.is_finite() { self.errors.clamp(0.0, 1.0) } else { 1.0 }
    }
}

/// Whether a node with strain `b` is better than one with `a`.
#[inline]
pub(crate) fn is_better(b: Strain, a: Strain) -> bool {
    b.beside(a) < a.beside(b)
}

#[inline]
fn share(x: f64, y: f64) -> f64 {
    let share = x / (x + y);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Strain = Strain { connections: 1.0, latency: 10.0, errors: 0.0 };

    #[test]
    fn less_of_anything_is_better() {
        assert!(is_better(IDLE, Strain { connections: 2.0, ..IDLE }));
        assert!(is_better(IDLE, Strain { latency: 11.0, ..IDLE }));
        assert!(is_better(IDLE, Strain { errors: 0.1, ..IDLE }));
        assert!(!is_better(IDLE, IDLE));
    }

    #[test]
    fn a_node_that_fails_fast_does_not_look_good() {
        let failing = Strain { connections: 1.0, latency: 1.0, errors: 1.0 };
        let busy = Strain { connections: 1.2, latency: 1.2, errors: 0.0 };
        assert!(is_better(busy, failing));
    }

    #[test]
    fn every_strain_is_bounded() {
        for x in [0.0, 1e-300, 1.0, f64::MAX, f64::INFINITY, f64::NAN] {
            for y in [0.0, 1.0, f64::INFINITY, f64::NAN] {
                let strain = Strain { connections: x, latency: y, errors: x };
                assert!((0.0..=1.0).contains(&strain.beside(IDLE)), "{strain:?}");
            }
        }
    }
}
