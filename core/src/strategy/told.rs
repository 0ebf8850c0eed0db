//! What a rule tells of its way to a node, for those who ask for its reasons.
//!
//! A rule tells it to its candidates. Those of an ordinary decision do not listen, and as that is known when a rule is
//! compiled for them, nothing of the telling is left in it.

/// How a rule rates a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// What the rule compares, as `in_flight_per_weight`; the docs of [`Explanation`](crate::Explanation) list them.
    pub name: &'static str,
    /// The number that is compared; `None` for a node that the rule rates beside another only, and did not.
    pub value: Option<f64>,
    /// What the number is made of, by name.
    pub terms: Vec<(&'static str, f64)>,
}

impl Score {
    pub(crate) fn new<const N: usize>(name: &'static str, value: f64, terms: [(&'static str, f64); N]) -> Self {
        Self { name, value: Some(value), terms: terms.into() }
    }
}

/// One step of a rule's way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// A rule begins: this step of the chain, among this group of members.
    Begun { group: usize, step: usize },
    /// A draw, or a turn, fell on a candidate, fit or not.
    Drawn(usize),
    /// No draw was fit: all candidates are looked at.
    Scanned,
    /// The rating that is compared.
    Scored(usize, Score),
    /// Two are compared; without a better one, the first is chosen.
    Compared { a: usize, b: usize, first_is_better: bool },
    /// The best so far, better than those before.
    Best(usize),
    /// As good as the best so far.
    Equal(usize),
    /// The owner of the key's `i`-th rehash.
    Owner { i: u64, c: usize },
}
