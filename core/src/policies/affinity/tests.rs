use std::collections::HashMap;

use super::*;
use crate::vocabulary::hash::key_hash;
use crate::vocabulary::rng::Draws;
use crate::vocabulary::time::NANOS_PER_SEC;

const HOUR_NS: Nanos = 3600 * NANOS_PER_SEC;
const T0: Nanos = 1000 * NANOS_PER_SEC;
const UNIT_NS: Nanos = 1 << UNIT_SHIFT;

fn zeroed(entries: usize) -> Vec<AtomicU64> {
    (0..words(entries)).map(|_| AtomicU64::new(0)).collect()
}

fn node(index: u32) -> NodeRef {
    NodeRef { index, generation: 1 }
}

fn hash(i: u64) -> u64 {
    key_hash(&i.to_le_bytes())
}

fn keep(_: Entry) -> Verdict {
    Verdict::Keep
}

#[test]
fn a_session_stays_with_its_node_while_it_is_used() {
    let words = zeroed(1000);
    let table = Affinity::new(&words, HOUR_NS);
    table.set(hash(1), node(7), T0);
    // Used every half an hour, and then no more.
    let times: Vec<Nanos> = (1..10).map(|i| T0 + i * HOUR_NS / 2).collect();
    assert!(times.iter().all(|&t| table.get(hash(1), t) == Some(node(7))));
    let last = times[8];
    assert_eq!(table.get(hash(2), last), None);
    assert_eq!(table.len(last + HOUR_NS - 1), 1);
    assert_eq!(table.len(last + HOUR_NS + 2 * UNIT_NS), 0);
    assert_eq!(table.get(hash(1), last + HOUR_NS + 2 * UNIT_NS), None);
}

#[test]
fn a_session_goes_where_it_was_set_last_and_can_be_forgotten() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    let far = NodeRef { index: 65_535, generation: u32::MAX };
    table.set(hash(1), node(7), T0);
    table.set(hash(1), far, T0);
    assert_eq!((table.get(hash(1), T0), table.len(T0)), (Some(far), 1));
    table.set(hash(1), NodeRef { index: 65_536, generation: 1 }, T0);
    assert_eq!(table.get(hash(1), T0), Some(far), "no pool has such a node");
    assert!(table.clear(hash(1)));
    assert!(!table.clear(hash(1)));
    assert_eq!((table.get(hash(1), T0), table.len(T0)), (None, 0));
}

#[test]
fn a_hot_session_writes_once_in_a_64th_of_the_ttl() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    let content = || words.iter().map(|w| w.load(Ordering::Relaxed)).collect::<Vec<_>>();
    table.set(hash(1), node(7), T0);
    let before = content();
    for i in 0..1000 {
        let now_ns = T0 + i * (HOUR_NS / 64) / 1000;
        table.set(hash(1), node(7), now_ns);
        assert_eq!(table.get(hash(1), now_ns), Some(node(7)));
    }
    assert!(content() == before);
    assert_eq!(table.get(hash(1), T0 + HOUR_NS / 64 + UNIT_NS), Some(node(7)));
    assert!(content() != before);
}

#[test]
fn the_one_used_longest_ago_makes_room_in_its_set() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    let at = |i: u64| T0 + i * 60 * NANOS_PER_SEC;
    (0..16).for_each(|i| table.set(hash(i), node(i as u32), at(i)));
    assert_eq!(table.get(hash(0), at(16)), Some(node(0)));
    table.set(hash(16), node(16), at(17));
    assert_eq!(table.get(hash(1), at(17)), None);
    assert_eq!((table.len(at(17)), table.get(hash(0), at(17))), (16, Some(node(0))));
    assert!(table.clear(hash(5)));
    table.set(hash(17), node(17), at(18));
    assert_eq!(table.get(hash(2), at(18)), Some(node(2)), "an empty one goes first");
}

#[test]
fn few_find_no_room_in_a_table_that_is_not_full() {
    let words = zeroed(16_000);
    let table = Affinity::new(&words, HOUR_NS);
    // Per mille of keys that were sent away; the hash is fixed, so the figures are.
    for (keys, least, most) in [(8_000, 0, 2), (12_000, 17, 24), (16_000, 95, 104)] {
        table.reset();
        (0..keys).for_each(|i| table.set(hash(i), node(1), T0));
        let lost = keys as usize - table.len(T0);
        assert!((least..=most).contains(&(lost * 1000 / keys as usize)), "{lost} of {keys}");
    }
}

#[test]
fn keys_that_share_the_first_tag_never_meet() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    let (a, b) = (3 << 40 | 99, 4 << 40 | 99);
    table.set(a, node(1), T0);
    assert_eq!(table.get(b, T0), None);
    table.set(b, node(2), T0);
    assert_eq!((table.get(a, T0), table.get(b, T0)), (None, Some(node(2))));
    // A tag of zeroes is one like any other.
    assert_eq!(table.get(0, T0), None);
    table.set(0, NodeRef { index: 0, generation: 0 }, T0);
    assert_eq!(table.get(0, T0), Some(NodeRef { index: 0, generation: 0 }));
}

#[test]
fn an_entry_whose_writer_died_between_its_words_is_unknown_until_it_is_set() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    table.set(hash(1), node(1), T0);
    let half = Place::new(Place::tag_of(hash(2)), node(2)).0;
    words[0].store(half, Ordering::Relaxed);
    assert_eq!([1, 2].map(|i| table.get(hash(i), T0)), [None, None]);
    table.set(hash(2), node(2), T0);
    assert_eq!((words[0].load(Ordering::Relaxed), table.get(hash(2), T0)), (half, Some(node(2))));
}

#[test]
fn of_two_entries_of_a_key_the_first_counts() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    let twice = || {
        table.reset();
        table.set(hash(1), node(2), T0);
        let entry = [0, WAYS].map(|i| words[i].load(Ordering::Relaxed));
        table.set(hash(1), node(1), T0);
        [3, WAYS + 3].into_iter().zip(entry).for_each(|(i, word)| words[i].store(word, Ordering::Relaxed));
        assert_eq!((table.len(T0), table.get(hash(1), T0)), (2, Some(node(1))));
    };
    twice();
    assert!(table.clear(hash(1)));
    assert_eq!((table.len(T0), table.get(hash(1), T0)), (0, None));
    twice();
    table.set(hash(1), node(3), T0);
    assert_eq!((table.len(T0), table.get(hash(1), T0)), (1, Some(node(3))));
}

#[test]
fn a_sweep_goes_step_by_step() {
    let words = zeroed(100);
    let table = Affinity::new(&words, HOUR_NS);
    assert_eq!(table.entries(), 112);
    (0..20).for_each(|i| table.set(hash(i), node((i % 4) as u32), T0 + (i / 10) * HOUR_NS));
    let now_ns = T0 + HOUR_NS + HOUR_NS / 2;
    let (mut at, mut steps, mut sum) = (0, 0, Swept::default());
    loop {
        let swept = table.sweep(at, 10, now_ns, |e| match e.node.index {
            0 => Verdict::Drop,
            1 => Verdict::MoveTo(NodeRef { index: 9, generation: 0x1234 }),
            _ => Verdict::Keep,
        });
        sum.live += swept.live;
        sum.expired += swept.expired;
        sum.dropped += swept.dropped;
        sum.moved += swept.moved;
        (at, steps) = (swept.next, steps + 1);
        if at == 0 {
            break;
        }
    }
    assert_eq!((steps, sum), (12, Swept { next: 0, live: 10, expired: 10, dropped: 2, moved: 2 }));
    let left: Vec<_> = (10..20).map(|i| table.get(hash(i), now_ns)).collect();
    let moved = Some(NodeRef { index: 9, generation: 0x1234 });
    let (two, three) = (Some(node(2)), Some(node(3)));
    assert_eq!(left, [two, three, None, moved, two, three, None, moved, two, three]);
    assert_eq!(table.sweep(1000, 10, now_ns, keep), Swept::default());
}

#[test]
fn a_removed_node_is_forgotten_by_all_its_sessions() {
    let words = zeroed(1000);
    let table = Affinity::new(&words, HOUR_NS);
    let later = NodeRef { index: 3, generation: 257 };
    (0..50).for_each(|i| table.set(hash(i), node((i % 5) as u32), T0));
    (50..60).for_each(|i| table.set(hash(i), later, T0));
    assert_eq!(table.remove_node(node(3)), 10);
    assert_eq!((table.get(hash(3), T0), table.get(hash(4), T0)), (None, Some(node(4))));
    assert_eq!(table.get(hash(50), T0), Some(later), "the index's next node, though the low bits are the same");
    assert_eq!((table.remove_node(node(3)), table.len(T0)), (0, 50));
    table.reset();
    assert_eq!(table.len(T0), 0);
}

#[test]
fn a_clock_that_goes_back_ends_nothing_early_and_keeps_nothing_for_good() {
    let words = zeroed(16);
    let table = Affinity::new(&words, HOUR_NS);
    for leap in [T0 + HOUR_NS / 2, T0 + 10 * HOUR_NS, u64::MAX] {
        table.reset();
        table.set(hash(1), node(1), leap);
        table.set(hash(2), node(2), leap);
        if leap != u64::MAX {
            assert_eq!(table.get(hash(1), T0), Some(node(1)));
        }
        table.sweep(0, 16, T0, keep);
        assert_eq!(table.len(T0 + HOUR_NS + 2 * UNIT_NS), 0, "stamped anew, they live for one TTL");
    }
    // A session that is in use survives the leap and the way back, whatever the clock says.
    table.set(hash(1), node(1), T0);
    table.get(hash(1), u64::MAX);
    table.set(hash(1), node(1), u64::MAX);
    assert_eq!(table.get(hash(1), u64::MAX), Some(node(1)));
    table.set(hash(1), node(1), T0);
    assert_eq!(table.get(hash(1), T0 + HOUR_NS / 2), Some(node(1)));
}

#[test]
fn any_ttl_will_do() {
    let words = zeroed(16);
    let shortest = Affinity::new(&words, 0);
    shortest.set(hash(1), node(1), T0);
    assert_eq!(shortest.get(hash(1), T0), Some(node(1)));
    assert_eq!(shortest.get(hash(1), T0 + 3 * UNIT_NS), None);
    let longest = Affinity::new(&words, u64::MAX);
    assert_eq!(longest.get(hash(1), T0 + 53 * 24 * HOUR_NS), None, "it is 52 days");
    longest.set(hash(2), node(2), T0);
    assert_eq!(longest.get(hash(2), T0 + 50 * 24 * HOUR_NS), Some(node(2)));
}

#[test]
fn a_table_of_nothing_remembers_nothing() {
    let table = Affinity::new(&[], HOUR_NS);
    table.set(hash(1), node(1), T0);
    assert_eq!((table.get(hash(1), T0), table.clear(hash(1)), table.entries()), (None, false, 0));
    assert_eq!(table.sweep(0, usize::MAX, T0, keep), Swept::default());
}

#[test]
fn words_of_any_content_harm_nobody() {
    for seed in 0..200 {
        let mut draws = Draws::seeded(seed, 7);
        let words = zeroed(32);
        words.iter().for_each(|w| w.store(draws.next_u64(), Ordering::Relaxed));
        let table = Affinity::new(&words, draws.next_u64());
        let now_ns = draws.next_u64();
        table.for_each(now_ns, |e| assert!(e.node.index <= 0xFFFF && e.idle_ns <= 1 << 53));
        table.set(5, node(5), now_ns);
        assert_eq!(table.get(5, now_ns), Some(node(5)), "seed {seed}");
        table.sweep(0, 32, draws.next_u64(), |e| Verdict::MoveTo(e.node));
        table.remove_node(node(5));
    }
}

/// What each session was set to, and when it was noted to be used.
struct Model {
    sessions: HashMap<u64, (NodeRef, u64)>,
    sets: u64,
    ttl: u64,
}

impl Model {
    fn set_of(&self, key: u64) -> u64 {
        ((u128::from(key) * u128::from(self.sets)) >> 64) as u64
    }

    fn live(&self, time: u64) -> impl Iterator<Item = (&u64, &(NodeRef, u64))> {
        self.sessions.iter().filter(move |(_, (_, used))| time - used <= self.ttl)
    }

    fn note(ttl: u64, used: &mut u64, time: u64) {
        if time - *used > ttl / 64 {
            *used = time;
        }
    }

    fn get(&mut self, key: u64, time: u64) -> Option<NodeRef> {
        let (node, used) = self.sessions.get_mut(&key).filter(|(_, used)| time - used <= self.ttl)?;
        Self::note(self.ttl, used, time);
        Some(*node)
    }

    fn set(&mut self, key: u64, node: NodeRef, time: u64) {
        match self.sessions.get_mut(&key) {
            Some((old, used)) if *old == node => return Self::note(self.ttl, used, time),
            Some(_) => (),
            None => {
                let of_set = self.sessions.iter().filter(|&(&k, _)| self.set_of(k) == self.set_of(key));
                let (count, oldest) = (of_set.clone().count(), of_set.min_by_key(|(_, (_, used))| *used));
                if let Some((&oldest, _)) = oldest.filter(|_| count == WAYS) {
                    self.sessions.remove(&oldest);
                }
            }
        }
        self.sessions.insert(key, (node, time));
    }
}

/// Everything that a table can be asked for, in any order, by a clock whose units never repeat, so that no two sessions
/// were used at the same time.
fn run_list(seed: u64) {
    let mut draws = Draws::seeded(seed, 3);
    let sets = 1 + draws.below(4);
    let keys: Vec<u64> = (0..8 + draws.below(120)).map(|_| draws.next_u64()).collect();
    let ttl = 1 + draws.below(2) * draws.below(4000) + draws.below(100);
    let mut model = Model { sessions: HashMap::new(), sets, ttl };
    let words = zeroed(sets as usize * WAYS);
    let table = Affinity::new(&words, ttl * UNIT_NS);
    // Half of the lists see the stamps come round.
    let mut time = 1000 + draws.below(2) * ((1 << 28) - 3000);
    for step in 0..draws.below(1000) {
        let pause = if draws.below(50) == 0 { ttl } else { 4 };
        time += 1 + draws.below(pause);
        let now_ns = time * UNIT_NS + draws.below(UNIT_NS);
        let key = keys[draws.below(keys.len() as u64) as usize];
        let mut any_node =
            || NodeRef { index: draws.below(4) as u32 * 21_845, generation: draws.below(3) as u32 * 0x0100_FFFF };
        let (node, other) = (any_node(), any_node());
        match draws.below(20) {
            0..8 => {
                assert_eq!(table.get(key, now_ns), model.get(key, time), "seed {seed}, step {step}");
            }
            8..16 => {
                table.set(key, node, now_ns);
                model.set(key, node, time);
            }
            16 => {
                assert_eq!(table.clear(key), model.sessions.remove(&key).is_some(), "seed {seed}, step {step}");
            }
            17 => {
                let before = model.sessions.len();
                model.sessions.retain(|_, (of, _)| *of != node);
                assert_eq!(table.remove_node(node), before - model.sessions.len(), "seed {seed}, step {step}");
            }
            18 => {
                let (from, count) = (draws.below(sets + 1), draws.below(sets + 1));
                let part = from..(from + count).min(sets);
                let next = if part.end.max(from) == sets { 0 } else { part.end as usize * WAYS };
                let mut expected = Swept { next, ..Swept::default() };
                let in_part: Vec<u64> =
                    model.sessions.keys().copied().filter(|&k| part.contains(&model.set_of(k))).collect();
                for key in in_part {
                    let (of, used) = model.sessions[&key];
                    let expired = time - used > ttl;
                    expected.expired += usize::from(expired);
                    expected.live += usize::from(!expired);
                    if expired || of == node && key & 1 == 0 {
                        expected.dropped += usize::from(!expired);
                        model.sessions.remove(&key);
                    } else if of == node {
                        expected.moved += 1;
                        model.sessions.insert(key, (other, used));
                    }
                }
                let swept = table.sweep(from as usize * WAYS, count as usize * WAYS, now_ns, |e| match e.tag & 1 {
                    _ if e.node != node => Verdict::Keep,
                    0 => Verdict::Drop,
                    _ => Verdict::MoveTo(other),
                });
                assert_eq!(swept, expected, "seed {seed}, step {step}");
            }
            _ => {
                let mut found = HashMap::new();
                table.for_each(now_ns, |e| _ = found.insert(e.tag, (e.node, e.idle_ns)));
                let of_model = |(&key, &(node, used)): (&u64, &(NodeRef, u64))| {
                    (key & ((1 << 52) - 1), (node, (time - used) * UNIT_NS))
                };
                assert_eq!(found, model.live(time).map(of_model).collect(), "seed {seed}, step {step}");
                assert_eq!(table.len(now_ns), found.len(), "seed {seed}, step {step}");
            }
        }
    }
}

#[test]
fn agrees_with_a_map_that_forgets_the_oldest_of_a_set() {
    (0..2000).for_each(run_list);
}

#[test]
fn a_clock_that_goes_anywhere_never_leads_to_a_wrong_node() {
    for seed in 0..500 {
        let mut draws = Draws::seeded(seed, 4);
        let words = zeroed(32);
        let table = Affinity::new(&words, HOUR_NS);
        let mut last = HashMap::new();
        for step in 0..draws.below(1000) {
            let now_ns = if draws.below(3) == 0 { draws.next_u64() } else { T0 + draws.below(3 * HOUR_NS) };
            let (key, node) = (hash(draws.below(60)), node(draws.below(9) as u32));
            match draws.below(3) {
                0 => {
                    table.set(key, node, now_ns);
                    assert_eq!(table.get(key, now_ns), Some(node), "seed {seed}, step {step}");
                    last.insert(key, node);
                }
                1 => _ = table.sweep(0, 32, now_ns, keep),
                _ => {
                    let found = table.get(key, now_ns);
                    assert!(found.is_none() || found == last.get(&key).copied(), "seed {seed}, step {step}");
                }
            }
        }
    }
}

#[test]
fn eight_threads_never_send_a_key_to_anothers_node() {
    let words = zeroed(64);
    let table = Affinity::new(&words, 24 * HOUR_NS);
    // A key's nodes are its own: its number, in several generations.
    let of_key = |key: u64, generation: u64| NodeRef { index: key as u32, generation: 1 + 257 * generation as u32 };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let mut draws = Draws::seeded(thread, 8);
                for i in 0..20_000 {
                    // No two threads stamp alike, so that no detail is mistaken for an earlier one.
                    let (key, now_ns) = (draws.below(120), T0 + (8 * i + thread) * UNIT_NS);
                    match draws.below(8) {
                        0..4 => {
                            let found = table.get(hash(key), now_ns);
                            assert!(found.is_none_or(|n| u64::from(n.index) == key), "{key}: {found:?}");
                        }
                        4..7 => table.set(hash(key), of_key(key, draws.below(4)), now_ns),
                        _ => _ = table.clear(hash(key)),
                    }
                }
            });
        }
    });
    let end = T0 + 160_000 * UNIT_NS;
    let found: Vec<_> = (0..120).filter_map(|key| Some((key, table.get(hash(key), end)?))).collect();
    assert!(found.len() <= 64 && table.len(end) <= 64);
    assert!(found.iter().all(|&(key, n)| (0..4).any(|g| n == of_key(key, g))), "{found:?}");
    assert!((0..120).all(|key| !table.clear(hash(key)) || table.get(hash(key), end).is_none()));
    assert_eq!(table.len(end), 0);
}
