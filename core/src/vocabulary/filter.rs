//! Which candidates may be chosen at all, asked before a strategy chooses among them.

use std::fmt;

use super::node::RateMetric;
use super::status::HealthStatus;

/// A yes or no to one candidate.
pub trait Filter<N>: Send + Sync {
    /// Whether `node` may be chosen.
    fn is_eligible(&self, node: &N) -> bool;
}

/// Anything that knows how well it is.
pub trait HealthAware {
    fn health_status(&self) -> HealthStatus;
}

/// Lets nodes through whose state is in a mask.
///
/// ```
/// use loadwise::filter::{Filter, HealthAware, HealthFilter};
/// use loadwise::HealthStatus;
///
/// struct Backend(HealthStatus);
/// impl HealthAware for Backend {
///     fn health_status(&self) -> HealthStatus {
///         self.0
///     }
/// }
///
/// let steady = HealthFilter::new(&[HealthStatus::Healthy, HealthStatus::Recovering]);
/// assert!(steady.is_eligible(&Backend(HealthStatus::Recovering)));
/// assert!(!steady.is_eligible(&Backend(HealthStatus::Degraded)));
/// assert_eq!(steady.mask(), 1 | 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthFilter {
    mask: u8,
}

impl HealthFilter {
    const EVERY_STATE: u8 = 0b1111;

    /// Lets through the states that are listed; an empty list lets nothing through.
    pub const fn new(allowed: &[HealthStatus]) -> Self {
        let mut mask = 0;
        let mut i = 0;
        while i < allowed.len() {
            mask |= allowed[i].bit_flag();
            i += 1;
        }
        Self { mask }
    }

    /// Lets through the states whose [bits](HealthStatus::bit_flag) are set in `mask`. Bits of no state are ignored.
    pub const fn from_mask(mask: u8) -> Self {
        Self { mask: mask & Self::EVERY_STATE }
    }

    /// Lets through healthy nodes and no others.
    pub const fn healthy_only() -> Self {
        Self::new(&[HealthStatus::Healthy])
    }

    /// Lets through every state in which a node [takes requests](HealthStatus::is_available).
    pub const fn available() -> Self {
        Self { mask: Self::EVERY_STATE & !HealthStatus::Unhealthy.bit_flag() }
    }

    /// The [bits](HealthStatus::bit_flag) of the states that are let through.
    pub const fn mask(self) -> u8 {
        self.mask
    }
}

impl<N: HealthAware> Filter<N> for HealthFilter {
    fn is_eligible(&self, node: &N) -> bool {
        self.mask & node.health_status().bit_flag() != 0
    }
}

/// Lets nodes through that have more than a given share of their quota left.
///
/// ```
/// use loadwise::filter::{Filter, QuotaFilter};
/// use loadwise::RateMetric;
///
/// struct ApiKey(f64);
/// impl RateMetric for ApiKey {
///     fn remaining_ratio(&self) -> f64 {
///         self.0
///     }
/// }
///
/// let with_reserve = QuotaFilter::new(0.25);
/// assert!(with_reserve.is_eligible(&ApiKey(0.3)));
/// assert!(!with_reserve.is_eligible(&ApiKey(0.25)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaFilter {
    min_ratio: f64,
}

impl QuotaFilter {
    /// Lets through nodes whose remaining ratio is above `min_ratio`; a node with exactly that much, or with NaN, is out.
    pub const fn new(min_ratio: f64) -> Self {
        Self { min_ratio }
    }

    /// Keeps out only the nodes that have nothing left.
    pub const fn exhausted_only() -> Self {
        Self::new(0.0)
    }
}

impl<N: RateMetric> Filter<N> for QuotaFilter {
    fn is_eligible(&self, node: &N) -> bool {
        node.remaining_ratio() > self.min_ratio
    }
}

/// Lets nodes through that every one of its filters lets through, asked in their order. No filters let all nodes through.
///
/// ```
/// use loadwise::filter::{AllOf, Filter, FnFilter};
///
/// struct Backend {
///     region: &'static str,
///     cores: u32,
/// }
///
/// let large_in_eu = AllOf::new(vec![
///     Box::new(FnFilter(|b: &Backend| b.region == "eu")),
///     Box::new(FnFilter(|b: &Backend| b.cores >= 16)),
/// ]);
/// assert!(large_in_eu.is_eligible(&Backend { region: "eu", cores: 32 }));
/// assert!(!large_in_eu.is_eligible(&Backend { region: "us", cores: 32 }));
/// ```
pub struct AllOf<N> {
    filters: Vec<Box<dyn Filter<N>>>,
}

impl<N> AllOf<N> {
    pub fn new(filters: Vec<Box<dyn Filter<N>>>) -> Self {
        Self { filters }
    }
}

impl<N> fmt::Debug for AllOf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllOf").field("filters", &self.filters.len()).finish()
    }
}

impl<N> Filter<N> for AllOf<N> {
    fn is_eligible(&self, node: &N) -> bool {
        self.filters.iter().all(|filter| filter.is_eligible(node))
    }
}

/// A filter made of a function.
///
/// ```
/// use loadwise::filter::{Filter, FnFilter};
///
/// let on_tls_port = FnFilter(|address: &&str| address.ends_with(":443"));
/// assert!(on_tls_port.is_eligible(&"10.0.0.1:443"));
/// assert!(!on_tls_port.is_eligible(&"10.0.0.1:80"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FnFilter<F>(pub F);

impl<N, F> Filter<N> for FnFilter<F>
where
    F: Fn(&N) -> bool + Send + Sync,
{
    fn is_eligible(&self, node: &N) -> bool {
        (self.0)(node)
    }
}

#[cfg(test)]
mod tests {
    use super::HealthStatus::{Degraded, Healthy, Recovering, Unhealthy};
    use super::*;

    struct Patient(HealthStatus);

    impl HealthAware for Patient {
        fn health_status(&self) -> HealthStatus {
            self.0
        }
    }

    struct Key(f64);

    impl RateMetric for Key {
        fn remaining_ratio(&self) -> f64 {
            self.0
        }
    }

    fn let_through(filter: impl Filter<Patient>) -> Vec<HealthStatus> {
        HealthStatus::ALL.into_iter().filter(|&status| filter.is_eligible(&Patient(status))).collect()
    }

    #[test]
    fn health_masks() {
        assert_eq!(let_through(HealthFilter::healthy_only()), [Healthy]);
        assert_eq!(let_through(HealthFilter::available()), [Healthy, Degraded, Recovering]);
        assert_eq!(let_through(HealthFilter::new(&[Unhealthy, Degraded, Degraded])), [Degraded, Unhealthy]);
        assert_eq!(let_through(HealthFilter::new(&[])), []);
    }

    #[test]
    fn every_mask_is_the_set_of_its_bits() {
        for mask in 0..=u8::MAX {
            let expected: Vec<_> = HealthStatus::ALL.into_iter().filter(|s| mask & s.bit_flag() != 0).collect();
            let filter = HealthFilter::from_mask(mask);
            assert_eq!(let_through(filter), expected);
            assert_eq!(filter, HealthFilter::new(&expected));
            assert_eq!(filter.mask(), mask & 15);
        }
    }

    #[test]
    fn quota_threshold_itself_is_out() {
        assert!(QuotaFilter::exhausted_only().is_eligible(&Key(f64::MIN_POSITIVE)));
        assert!(!QuotaFilter::exhausted_only().is_eligible(&Key(0.0)));
        assert!(!QuotaFilter::exhausted_only().is_eligible(&Key(-0.0)));
        assert!(!QuotaFilter::exhausted_only().is_eligible(&Key(f64::NAN)));
        assert!(!QuotaFilter::new(0.5).is_eligible(&Key(0.5)));
        assert!(QuotaFilter::new(-1.0).is_eligible(&Key(0.0)));
    }

    #[test]
    fn all_of_asks_in_order_and_stops_at_the_first_no() {
        let all = AllOf::new(vec![
            Box::new(FnFilter(|divisor: &u32| *divisor != 0)) as Box<dyn Filter<u32>>,
            Box::new(FnFilter(|divisor: &u32| 100 % *divisor == 0)),
        ]);
        assert!(all.is_eligible(&20));
        assert!(!all.is_eligible(&30));
        assert!(!all.is_eligible(&0));
        assert!(AllOf::new(vec![]).is_eligible(&0));
    }

    #[test]
    fn all_of_nests_and_mixes_kinds() {
        let inner = AllOf::new(vec![Box::new(HealthFilter::available()) as Box<dyn Filter<Patient>>]);
        let outer: AllOf<Patient> =
            AllOf::new(vec![Box::new(inner), Box::new(FnFilter(|p: &Patient| p.0 != Recovering))]);
        assert_eq!(let_through(outer), [Healthy, Degraded]);
    }
}
