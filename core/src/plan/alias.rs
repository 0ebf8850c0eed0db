//! The alias table: a draw by weight with one load.
//!
//! Column i of n holds its own candidate and another; a uniform number picks the column, its fraction which of the two.
//! Source: M. Vose, "A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17(9), 1991.

/// A column: threshold in 2³²nds (32 bits), own candidate (16), other candidate (16).
pub(crate) fn pack(threshold: u32, own: u16, other: u16) -> u64 {
    u64::from(threshold) << 32 | u64::from(own) << 16 | u64::from(other)
}

/// The candidate that 64 uniform bits choose from `n` columns.
#[inline(always)]
pub(crate) fn draw(bits: u64, n: u64, column: impl Fn(usize) -> u64) -> usize {
    let product = u128::from(bits) * u128::from(n);
    let entry = column((product >> 64) as usize);
    let own = (product as u64) >> 32 < entry >> 32;
    (if own { entry >> 16 } else { entry }) as usize & 0xFFFF
}

/// Builds the columns for candidates with weights; those of weight 0 get none of the draws. In exact integers: a column
/// is worth Σw, candidate i brings n·wᵢ.
pub(crate) fn build(candidates: &[(u16, u32)]) -> Vec<u64> {
    let n = candidates.len() as u64;
    let sum: u64 = candidates.iter().map(|&(_, w)| u64::from(w)).sum();
    if sum == 0 {
        return candidates.iter().map(|&(c, _)| pack(0, c, c)).collect();
    }
    let mut rest: Vec<u64> = candidates.iter().map(|&(_, w)| u64::from(w) * n).collect();
    let mut columns: Vec<u64> = candidates.iter().map(|&(c, _)| pack(u32::MAX, c, c)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..candidates.len()).partition(|&i| rest[i] < sum);
    while let (Some(&s), Some(&l)) = (small.last(), large.last()) {
        small.pop();
        let threshold = ((u128::from(rest[s]) << 32) / u128::from(sum)) as u32;
        columns[s] = pack(threshold, candidates[s].0, candidates[l].0);
        rest[l] -= sum - rest[s];
        if rest[l] < sum {
            large.pop();
            small.push(l);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of each candidate, exactly, from the columns.
    fn shares(columns: &[u64], candidates: usize) -> Vec<f64> {
        let mut shares = vec![0.0; candidates];
        for &c in columns {
            let (own, other) = ((c >> 16) as usize & 0xFFFF, c as usize & 0xFFFF);
            let t = if own == other { 1.0 } else { (c >> 32) as f64 / (1u64 << 32) as f64 };
            shares[own] += t / columns.len() as f64;
            shares[other] += (1.0 - t) / columns.len() as f64;
        }
        shares
    }

    #[test]
    fn shares_are_the_weights() {
        let weights = [5, 1, 1, 0, 4_000_000, 17, 1];
        let candidates: Vec<(u16, u32)> = weights.iter().enumerate().map(|(i, &w)| (i as u16, w)).collect();
        let sum: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        for (share, w) in shares(&build(&candidates), weights.len()).iter().zip(weights) {
            assert!((share - f64::from(w) / sum).abs() < 1e-8, "{share} for weight {w}");
        }
    }

    #[test]
    fn no_weight_no_panic() {
        assert!(build(&[]).is_empty());
        assert_eq!(build(&[(3, 0), (4, 0)]).len(), 2);
    }
}
