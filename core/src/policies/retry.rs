//! Whether a failed attempt may be repeated, and after how long.
//!
//! ```text
//! safe to repeat            not idempotent          idempotent
//!                        nothing sent   sent    nothing sent   sent
//! connect                    yes        yes         yes        yes      it reached nobody
//! timeout, reset, other      yes        no          yes        yes      it may have been processed, if it was sent
//! server_error               no         no          yes        yes      it was processed, to whatever end
//! rate_limited               yes        yes         yes        yes      it was turned away
//! success, cancelled         no         no          no         no       nobody wants it repeated
//!
//! wait(k) = uniform(0 ..= min(max, base·2^k))                           full jitter, k = 0 before the second attempt
//! ```
//!
//! How many retries a pool allows is told by its [`Budget`](budget::Budget). Source of the jitter: M. Brooker, "Exponential Backoff and
//! Jitter", AWS Architecture Blog 2015.

pub(crate) mod budget;

use crate::vocabulary::outcome::{Ending, FailureKind};

/// Whether an attempt that ended so may be repeated. `sent`: something of the request went out to the node.
pub(crate) fn is_safe(ending: Ending, idempotent: bool, sent: bool) -> bool {
    match ending {
        Ending::Failure(FailureKind::Connect) | Ending::RateLimited { .. } => true,
        Ending::Failure(FailureKind::Timeout | FailureKind::Reset | FailureKind::Other) => idempotent || !sent,
        Ending::Failure(FailureKind::ServerError) => idempotent,
        Ending::Success | Ending::Cancelled => false,
    }
}

/// How long to wait before an attempt, after so many retries before it, `bits` being uniform. 0 ..= `max_ns`.
pub(crate) fn backoff_ns(retries: u32, base_ns: u64, max_ns: u64, bits: u64) -> u64 {
    // Beyond 2⁶³ ns, which are 292 years, nothing gets longer.
    let longest = (u128::from(base_ns) << retries.min(63)).min(u128::from(max_ns));
    // At most `longest`, which fits: it is no more than a maximum of 64 bits.
    (((longest + 1) * u128::from(bits)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;
    use crate::vocabulary::time::NANOS_PER_MS;

    const MS: u64 = NANOS_PER_MS;

    #[test]
    fn every_cell_of_the_table() {
        let (yes, no) = (true, false);
        // Not idempotent: nothing sent, sent; idempotent: nothing sent, sent.
        let table = [
            (Ending::Failure(FailureKind::Connect), [yes, yes, yes, yes]),
            (Ending::Failure(FailureKind::Timeout), [yes, no, yes, yes]),
            (Ending::Failure(FailureKind::Reset), [yes, no, yes, yes]),
            (Ending::Failure(FailureKind::Other), [yes, no, yes, yes]),
            (Ending::Failure(FailureKind::ServerError), [no, no, yes, yes]),
            (Ending::RateLimited { retry_after: None }, [yes, yes, yes, yes]),
            (Ending::RateLimited { retry_after: Some(std::time::Duration::MAX) }, [yes, yes, yes, yes]),
            (Ending::Success, [no, no, no, no]),
            (Ending::Cancelled, [no, no, no, no]),
        ];
        for (ending, cells) in table {
            let got = [(no, no), (no, yes), (yes, no), (yes, yes)].map(|(idem, sent)| is_safe(ending, idem, sent));
            assert_eq!(got, cells, "{ending:?}");
        }
        let kinds = table.iter().filter(|(ending, _)| matches!(ending, Ending::Failure(_))).count();
        assert_eq!(kinds, FailureKind::ALL.len(), "a kind of failure is missing");
    }

    #[test]
    fn waits_are_drawn_from_nothing_to_twice_as_long_each_time() {
        let longest = |retries| backoff_ns(retries, 25 * MS, 250 * MS, u64::MAX);
        assert_eq!([0, 1, 2, 3, 4, 99].map(longest), [25, 50, 100, 200, 250, 250].map(|ms| ms * MS));
        assert_eq!([0, 3, 99].map(|retries| backoff_ns(retries, 25 * MS, 250 * MS, 0)), [0, 0, 0]);
        let mut draws = Draws::seeded(1, 0);
        let mut seen = [0u32; 5];
        for _ in 0..50_000 {
            seen[backoff_ns(1, 2, 99, draws.next_u64()) as usize] += 1;
        }
        // 6 σ of a binomial(50 000, 1/5) is 537; this seed is fixed.
        assert!(seen.iter().all(|count| count.abs_diff(10_000) < 537), "{seen:?}");
    }

    /// Doubling one by one, in numbers that cannot overflow before the cap.
    #[test]
    fn agrees_with_doubling_one_by_one() {
        let mut draws = Draws::seeded(2, 0);
        for step in 0..20_000 {
            let mut any = || draws.next_u64() >> draws.below(64);
            let (base_ns, max_ns, retries) = (any(), any(), draws.below(64) as u32);
            let mut longest = u128::from(base_ns).min(u128::from(max_ns));
            for _ in 0..retries {
                longest = (2 * longest).min(u128::from(max_ns));
            }
            let case = format!("step {step}: {base_ns} << {retries} up to {max_ns}");
            assert_eq!(u128::from(backoff_ns(retries, base_ns, max_ns, u64::MAX)), longest, "{case}");
            assert!(u128::from(backoff_ns(retries, base_ns, max_ns, draws.next_u64())) <= longest, "{case}");
        }
    }
}
