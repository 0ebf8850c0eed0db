//! `c mod n` for a fixed `n`, without a division.

/// ⌊2⁶⁴ / n⌋, 0 for n ≤ 1.
pub(crate) fn reciprocal(n: u64) -> u64 {
    if n <= 1 { 0 } else { ((1u128 << 64) / u128::from(n)) as u64 }
}

/// `c mod n`, given `reciprocal(n)`.
///
/// The product's upper half is ⌊c/n⌋ or one less, so one correction is enough: with m = ⌊2⁶⁴/n⌋, c/n − c·m/2⁶⁴ < c/2⁶⁴ < 1.
#[inline(always)]
pub(crate) fn modulo(c: u64, n: u64, reciprocal: u64) -> u64 {
    if n <= 1 {
        return 0;
    }
    let quotient = ((u128::from(c) * u128::from(reciprocal)) >> 64) as u64;
    let rest = c.wrapping_sub(quotient.wrapping_mul(n));
    if rest >= n { rest.wrapping_sub(n) } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    #[test]
    fn agrees_with_division() {
        let mut draws = Draws::seeded(3, 0);
        let check =
            |c: u64, n: u64| assert_eq!(modulo(c, n, reciprocal(n)), if n <= 1 { 0 } else { c % n }, "{c} mod {n}");
        for n in [0, 1, 2, 3, 7, 65_535, 65_536, 65_537, u64::MAX] {
            for c in [0, 1, n.wrapping_sub(1), n, n.wrapping_add(1), u64::MAX - 1, u64::MAX] {
                check(c, n);
            }
        }
        for _ in 0..100_000 {
            check(draws.next_u64(), draws.below(70_000));
        }
    }
}
