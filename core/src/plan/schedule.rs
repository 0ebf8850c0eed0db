//! The smooth weighted round robin of nginx, as a finished cycle.
//!
//! ```text
//! each turn: current[i] += weight[i] for all i; the first i with the largest current wins; current[winner] −= Σ weight
//! ```
//!
//! After t turns of which i won p, current[i] = t·wᵢ − p·Σw. Candidates of one weight therefore win in order, so it is
//! enough to compare one per distinct weight: O(cycle · distinct weights), where a cycle of 65 536 has at most 361.

use std::collections::BTreeMap;

/// The winners of one cycle, as positions in `weights`. The cycle is Σw/gcd long, at most `len_max`; weights that would
/// need more are scaled to that sum. Weight 0 never wins.
pub(crate) fn smooth(weights: &[u32], len_max: usize) -> Vec<u16> {
    let scaled = scale(weights, len_max as u64);
    let cycle: u64 = scaled.iter().map(|&w| u64::from(w)).sum();
    let mut groups: Vec<Group> = Vec::new();
    let mut by_weight: BTreeMap<u32, usize> = BTreeMap::new();
    for (i, &w) in scaled.iter().enumerate().filter(|&(_, &w)| w > 0) {
        let at = *by_weight.entry(w).or_insert_with(|| {
            groups.push(Group { weight: i64::from(w), current: 0, members: Vec::new(), next: 0 });
            groups.len() - 1
        });
        groups[at].members.push(i as u16);
    }
    let mut order = Vec::with_capacity(cycle as usize);
    for _ in 0..cycle {
        let Some(winner) = turn(&mut groups) else { break };
        let group = &mut groups[winner];
        order.push(group.members[group.next]);
        group.next += 1;
        // Once round, every member has won once more and paid for it.
        if group.next == group.members.len() {
            group.next = 0;
            group.current -= cycle as i64;
        }
    }
    order
}

/// Candidates of one weight. `current` is that of the next to win; those that won this round are `cycle` below it.
struct Group {
    weight: i64,
    current: i64,
    members: Vec<u16>,
    next: usize,
}

fn turn(groups: &mut [Group]) -> Option<usize> {
    let mut best: Option<(i64, u16, usize)> = None;
    for (g, group) in groups.iter_mut().enumerate() {
        group.current += group.weight;
        let (current, first) = (group.current, group.members[group.next]);
        if best.is_none_or(|(c, f, _)| current > c || current == c && first < f) {
            best = Some((current, first, g));
        }
    }
    best.map(|(_, _, g)| g)
}

/// Divides by the greatest common divisor; if the sum is still above `sum_max`, scales to it, at least 1 for what had
/// any weight.
fn scale(weights: &[u32], sum_max: u64) -> Vec<u32> {
    let divisor = weights.iter().fold(0, |a, &b| gcd(a, b)).max(1);
    let sum: u64 = weights.iter().map(|&w| u64::from(w / divisor)).sum();
    if sum <= sum_max {
        return weights.iter().map(|w| w / divisor).collect();
    }
    let whole: u64 = weights.iter().map(|&w| u64::from(w)).sum();
    let mut scaled: Vec<u32> = weights
        .iter()
        .map(|&w| if w == 0 { 0 } else { ((u128::from(w) * u128::from(sum_max) / u128::from(whole)) as u32).max(1) })
        .collect();
    // Rounding up the smallest may have gone over; the heaviest gives, so that the order is hardly touched.
    let mut over = scaled.iter().map(|&w| u64::from(w)).sum::<u64>().saturating_sub(sum_max);
    while over > 0 {
        let Some(heaviest) = scaled.iter_mut().max().filter(|w| **w > 1) else { break };
        let give = over.min(u64::from(*heaviest / 2)) as u32;
        *heaviest -= give.max(1);
        over -= u64::from(give.max(1));
    }
    scaled
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    /// The rule as nginx states it, one turn at a time.
    fn naive(weights: &[u32], turns: usize) -> Vec<u16> {
        let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
        let mut current = vec![0i64; weights.len()];
        (0..turns)
            .map(|_| {
                let mut best: Option<usize> = None;
                for (i, &w) in weights.iter().enumerate().filter(|&(_, &w)| w > 0) {
                    current[i] += i64::from(w);
                    if best.is_none_or(|b| current[i] > current[b]) {
                        best = Some(i);
                    }
                }
                let b = best.unwrap();
                current[b] -= sum;
                b as u16
            })
            .collect()
    }

    #[test]
    fn five_one_one() {
        assert_eq!(smooth(&[5, 1, 1], 65_536), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn is_nginx_order_exactly() {
        let mut draws = Draws::seeded(11, 0);
        for round in 0..400 {
            let n = 1 + draws.below(12) as usize;
            let high = 1 + draws.below(if round % 2 == 0 { 4 } else { 40 });
            let weights: Vec<u32> = (0..n).map(|_| draws.below(high + 1) as u32).collect();
            let order = smooth(&weights, 65_536);
            assert_eq!(order, naive(&weights, order.len()), "{weights:?}");
        }
    }

    #[test]
    fn above_the_bound_shares_stay() {
        let weights = [4_000_000_000, 1, 294_000_000, 0];
        let order = smooth(&weights, 65_536);
        assert!(order.len() <= 65_536);
        let count = |i| order.iter().filter(|&&o| o == i).count();
        assert_eq!((count(1), count(3)), (1, 0));
        assert!((count(0) as f64 / order.len() as f64 - 0.931_53).abs() < 0.001);
    }

    #[test]
    fn nothing_to_schedule() {
        assert!(smooth(&[], 65_536).is_empty());
        assert!(smooth(&[0, 0], 65_536).is_empty());
    }

    #[test]
    fn as_many_as_the_bound() {
        let order = smooth(&vec![3; 65_535], 65_536);
        assert!(order.iter().enumerate().all(|(i, &o)| i == o as usize));
    }
}
