//! Every interleaving of two callers who both find that the window is over. One bucket is enough to see what is lost.

use loom::sync::Arc;
use loom::thread;

use super::*;

const WINDOW_NS: Nanos = NANOS_PER_SEC;
const NOW: Nanos = 100 * NANOS_PER_SEC;

type One<'a> = Histogram<'a, { scale::BUCKETS }>;
type Record = fn(One<'_>, Nanos);

fn record(histogram: One<'_>, now_ns: Nanos) {
    histogram.record(0, now_ns, WINDOW_NS);
}

/// As `record`, but whoever finds the window over clears the other half, whether or not another one does.
fn record_without_claim(histogram: One<'_>, now_ns: Nanos) {
    let seen = Window(histogram.word(WINDOW));
    if let Some(next) = seen.next(now_ns, WINDOW_NS) {
        histogram.0[HALVES + next.half()].store(0, Ordering::Relaxed);
        let _ = histogram.0[WINDOW].compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed);
    }
    record(histogram, now_ns);
}

/// As `record`, but the new window begins before it is cleared.
fn record_clearing_late(histogram: One<'_>, now_ns: Nanos) {
    let seen = Window(histogram.word(WINDOW));
    if let Some(next) = seen.next(now_ns, WINDOW_NS) {
        if histogram.0[WINDOW].compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            histogram.0[HALVES + next.half()].store(0, Ordering::Relaxed);
        }
    }
    record(histogram, now_ns);
}

fn nothing_is_lost(record: Record) {
    loom::model(move || {
        let words: Arc<Vec<AtomicU64>> = Arc::new((0..One::WORDS).map(|_| AtomicU64::new(0)).collect());
        // Three windows, so that the half that comes next holds counts that are too old.
        (0..2).for_each(|window| record(Histogram(&words), NOW + window * WINDOW_NS));
        let late = {
            let words = words.clone();
            thread::spawn(move || record(Histogram(&words), NOW + 2 * WINDOW_NS))
        };
        record(Histogram(&words), NOW + 2 * WINDOW_NS);
        late.join().unwrap();
        assert_eq!(Histogram::<{ scale::BUCKETS }>(&words).counts(NOW + 2 * WINDOW_NS, WINDOW_NS).count(), 3);
    });
}

#[test]
fn two_who_begin_a_window_lose_nothing_and_keep_nothing_old() {
    nothing_is_lost(record);
}

#[test]
#[should_panic]
fn mutant_without_claim_erases_a_count() {
    nothing_is_lost(record_without_claim);
}

#[test]
#[should_panic]
fn mutant_that_clears_late_erases_a_count() {
    nothing_is_lost(record_clearing_late);
}
