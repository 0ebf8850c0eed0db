//! Writing a plan into the idle slot. Tables that nothing changed for are taken over, not computed again.

use super::maglev::Hashed;
use super::reciprocal::reciprocal;
use super::step::{Lead, Needs, Rule, Step};
use super::view::PlanView;
use super::{alias, ids, ketama, maglev, ring, schedule};
use crate::state::layout::{SCHEDULE_MAX, STEPS_MAX, plan_word};
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::hash::{hash_with_seed, key_hash};

/// A member as the builder sees it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) index: u16,
    pub(crate) generation: u32,
    pub(crate) weight: u32,
    /// What it takes of a schedule by reports.
    pub(crate) reported_share: u32,
    /// Takes new picks at the time of building.
    pub(crate) fit: bool,
    pub(crate) id_hash: u64,
}

/// What a plan is derived from.
pub(crate) struct Draft<'a> {
    /// In declared order.
    pub(crate) members: &'a [Member],
    pub(crate) steps: &'a [Step],
    pub(crate) table_size: u32,
    pub(crate) ring_points: u32,
    pub(crate) needs: Needs,
    /// How many further groups there are.
    pub(crate) groups: usize,
    pub(crate) fitness: u64,
    pub(crate) cursor: u64,
    /// A member's id, for the order of hash tables.
    pub(crate) id: &'a dyn Fn(usize) -> String,
    /// A member's address, for the ring of nginx.
    pub(crate) address: &'a dyn Fn(usize) -> String,
}

/// Writes the plan of `draft` into `idle`; `current` is the published one.
pub(crate) fn build(draft: &Draft<'_>, current: PlanView<'_>, idle: PlanView<'_>) {
    Builder { draft, current, idle }.run();
}

/// More turns than all threads together can have taken and not used.
const TURNS_BEHIND: u64 = 1 << 32;

struct Builder<'a> {
    draft: &'a Draft<'a>,
    current: PlanView<'a>,
    idle: PlanView<'a>,
}

impl Builder<'_> {
    fn run(&self) {
        let members = self.draft.members;
        let fit: Vec<&Member> = members.iter().filter(|m| m.fit).collect();
        self.set(plan_word::FITNESS, self.draft.fitness);
        self.set(plan_word::GROUPS, self.draft.groups as u64);
        self.set(plan_word::WEIGHT_SUM, fit.iter().map(|m| u64::from(m.weight)).sum());
        self.set_steps();
        let indices = |of: &[&Member]| of.iter().map(|m| m.index).collect::<Vec<u16>>();
        self.idle.members().store(&indices(&members.iter().collect::<Vec<_>>()));
        self.idle.fit().store(&indices(&fit));
        self.members_tables();
        self.draw_table(&fit);
        self.cycle(fit.len());
        if self.has(&[Rule::WeightedRoundRobin, Rule::ReportedLoad]) {
            self.schedule(&fit);
        }
        if self.has(&[Rule::Maglev]) {
            self.maglev();
        }
        if self.has(&[Rule::RingHash, Rule::RingHashNginx]) {
            self.ring();
        }
        let hash_weighted = differ(members.iter().map(|m| m.weight).filter(|&w| w > 0));
        let weighted = differ(fit.iter().map(|m| m.weight));
        let lead = Lead::new(self.draft.steps, members.len(), fit.len(), self.draft.needs, weighted, hash_weighted);
        self.set(plan_word::LEAD, lead.0);
    }

    fn set(&self, word: usize, value: u64) {
        self.idle.set_word(word, value);
    }

    fn has(&self, rules: &[Rule]) -> bool {
        self.draft.steps.iter().any(|s| rules.contains(&s.rule))
    }

    fn set_steps(&self) {
        for i in 0..STEPS_MAX {
            let [rule, parameter] = self.draft.steps.get(i).map_or([0, 0], |s| s.words());
            self.set(plan_word::STEPS + 2 * i, rule);
            self.set(plan_word::STEPS + 2 * i + 1, parameter);
        }
    }

    /// Whether a table with this stamp is in the idle slot already, or could be copied from the published one: the first
    /// `len` words of each region, and these words of the header.
    fn kept(
        &self,
        stamp_word: usize,
        stamp: u64,
        regions: &[(&[AtomicU64], &[AtomicU64], usize)],
        words: &[usize],
    ) -> bool {
        if self.idle.word(stamp_word) == stamp {
            return true;
        }
        // A slot whose stamp is right holds the table, so it must not be right while the table is being written.
        self.set(stamp_word, 0);
        if self.current.word(stamp_word) != stamp {
            return false;
        }
        for (from, to, len) in regions {
            for (from, to) in from.iter().zip(to.iter()).take(*len) {
                to.store(from.load(Ordering::Acquire), Ordering::Release);
            }
        }
        words.iter().for_each(|&at| self.set(at, self.current.word(at)));
        self.set(stamp_word, stamp);
        true
    }

    /// The id table, and the members in id order.
    fn members_tables(&self) {
        let members = self.draft.members;
        let stamp = stamp(
            members.iter().flat_map(|m| [u64::from(m.index), u64::from(m.generation), u64::from(m.weight > 0)]),
            1,
        );
        let by_id = (self.current.by_id().0, self.idle.by_id().0, members.len().div_ceil(4));
        let ids = (self.current.ids().0, self.idle.ids().0, (members.len() * 2).next_power_of_two().max(2) / 2);
        if self.kept(plan_word::MEMBERS_STAMP, stamp, &[by_id, ids], &[plan_word::ID_MASK, plan_word::HASHED]) {
            return;
        }
        let table = ids::build(&members.iter().map(|m| (m.index, m.id_hash)).collect::<Vec<_>>());
        self.set(plan_word::ID_MASK, table.len() as u64 - 1);
        self.idle.ids().store(&table);
        let mut named: Vec<(String, u16)> =
            members.iter().filter(|m| m.weight > 0).map(|m| ((self.draft.id)(usize::from(m.index)), m.index)).collect();
        named.sort_unstable();
        self.set(plan_word::HASHED, named.len() as u64);
        self.idle.by_id().store(&named.iter().map(|&(_, index)| index).collect::<Vec<_>>());
        self.set(plan_word::MEMBERS_STAMP, stamp);
    }

    fn draw_table(&self, fit: &[&Member]) {
        let columns = alias::build(&fit.iter().map(|m| (m.index, m.weight)).collect::<Vec<_>>());
        for (word, column) in self.idle.0.alias().iter().zip(columns) {
            word.store(column, Ordering::Release);
        }
    }

    fn cycle(&self, len: usize) {
        self.set(plan_word::CYCLE_RECIPROCAL, reciprocal(len as u64));
        let old_len = self.current.lead().fit() as u64;
        let old_phase = self.current.word(plan_word::CYCLE_PHASE);
        self.set(plan_word::CYCLE_PHASE, phase(self.draft.cursor, old_len, old_phase, len as u64));
    }

    fn schedule(&self, fit: &[&Member]) {
        // A chain of both would take turns in one schedule: the first of them has it.
        let by_reports = self.draft.steps.iter().find_map(|s| match s.rule {
            Rule::ReportedLoad => Some(true),
            Rule::WeightedRoundRobin => Some(false),
            _ => None,
        });
        let weight = |m: &&Member| if by_reports == Some(true) { m.reported_share.max(1) } else { m.weight };
        let stamp = stamp(fit.iter().flat_map(|m| [u64::from(m.index), u64::from(weight(m))]), 2);
        let region = (self.current.schedule().0, self.idle.schedule().0, usize::MAX);
        let words = [plan_word::SCHEDULE_LEN, plan_word::SCHEDULE_RECIPROCAL, plan_word::SCHEDULE_PHASE];
        let unchanged = self.current.word(plan_word::SCHEDULE_STAMP) == stamp;
        if self.kept(plan_word::SCHEDULE_STAMP, stamp, &[region], &words) {
            if unchanged {
                self.set(plan_word::SCHEDULE_PHASE, self.current.word(plan_word::SCHEDULE_PHASE));
                return;
            }
        } else {
            let order = schedule::smooth(&fit.iter().map(weight).collect::<Vec<_>>(), SCHEDULE_MAX);
            let entries: Vec<u16> = order.iter().map(|&at| fit[usize::from(at)].index).collect();
            self.idle.schedule().store(&entries);
            self.set(plan_word::SCHEDULE_LEN, entries.len() as u64);
            self.set(plan_word::SCHEDULE_RECIPROCAL, reciprocal(entries.len() as u64));
            self.set(plan_word::SCHEDULE_STAMP, stamp);
        }
        let old_len = self.current.word(plan_word::SCHEDULE_LEN);
        let old_phase = self.current.word(plan_word::SCHEDULE_PHASE);
        let len = self.idle.word(plan_word::SCHEDULE_LEN);
        self.set(plan_word::SCHEDULE_PHASE, phase(self.draft.cursor, old_len, old_phase, len));
    }

    /// Members with a weight, in id order.
    fn hashed(&self) -> Vec<Hashed> {
        let mut place = vec![u16::MAX; usize::from(u16::MAX) + 1];
        for (at, m) in self.draft.members.iter().enumerate() {
            place[usize::from(m.index)] = at as u16;
        }
        let order = self.idle.by_id();
        (0..self.idle.word(plan_word::HASHED) as usize)
            .filter_map(|rank| self.draft.members.get(usize::from(place[usize::from(order.get(rank))])))
            .map(|m| Hashed { node: m.index, id_hash: m.id_hash, weight: m.weight })
            .collect()
    }

    fn hash_stamp(&self, hashed: &[Hashed], salt: u64) -> u64 {
        stamp(hashed.iter().flat_map(|m| [u64::from(m.node), m.id_hash, u64::from(m.weight)]), salt)
    }

    fn maglev(&self) {
        let hashed = self.hashed();
        let size = self.draft.table_size;
        let stamp = self.hash_stamp(&hashed, 3 + (u64::from(size) << 8));
        let region = (self.current.maglev().0, self.idle.maglev().0, (size as usize).div_ceil(4));
        if self.kept(plan_word::MAGLEV_STAMP, stamp, &[region], &[plan_word::TABLE_SIZE]) {
            return;
        }
        let table = maglev::fill(&hashed, size);
        self.idle.maglev().store(&table);
        self.set(plan_word::TABLE_SIZE, table.len() as u64);
        self.set(plan_word::MAGLEV_STAMP, stamp);
    }

    fn ring(&self) {
        let nginx = self.has(&[Rule::RingHashNginx]);
        let hashed = self.hashed();
        let servers: Vec<(u16, String, u32)> = (self.draft.members.iter().filter(|m| nginx && m.weight > 0))
            .map(|m| (m.index, (self.draft.address)(usize::from(m.index)), m.weight))
            .collect();
        let stamp = if nginx {
            // Its points are those of the addresses, which change without the ids.
            let words = servers.iter().flat_map(|(node, address, weight)| {
                [u64::from(*node), key_hash(address.as_bytes()), u64::from(*weight)]
            });
            stamp(words, 4)
        } else {
            self.hash_stamp(&hashed, 5)
        };
        let (len, _) = self.current.ring();
        let entries = (self.current.0.ring(), self.idle.0.ring(), len);
        let buckets =
            (self.current.0.ring_buckets().0, self.idle.0.ring_buckets().0, len.next_power_of_two().max(2) / 2 + 1);
        if self.kept(plan_word::RING_STAMP, stamp, &[entries, buckets], &[plan_word::RING]) {
            return;
        }
        let built = if nginx {
            ketama::build(servers.iter().map(|(node, address, weight)| (*node, address.as_str(), *weight)))
        } else {
            // Whatever the published ring was derived from: what of it fits is taken over.
            let old: Vec<u64> = self.current.0.ring().iter().take(len).map(|e| e.load(Ordering::Acquire)).collect();
            let points = self.draft.ring_points;
            let (_, shift) = self.current.ring();
            ring::change(&old, shift, |b| self.current.ring_bucket(b), &hashed, points)
                .unwrap_or_else(|| ring::build(&hashed, points))
        };
        for (word, &entry) in self.idle.0.ring().iter().zip(&built.entries) {
            word.store(entry, Ordering::Release);
        }
        self.idle.0.ring_buckets().store(&built.buckets);
        self.set(plan_word::RING, (built.entries.len() as u64) << 32 | u64::from(built.shift));
        self.set(plan_word::RING_STAMP, stamp);
    }
}

fn differ(mut weights: impl Iterator<Item = u32>) -> bool {
    let first = weights.next();
    weights.any(|w| Some(w) != first)
}

/// A number for "derived from exactly this"; never 0, which is a slot that was never written.
fn stamp(words: impl Iterator<Item = u64>, salt: u64) -> u64 {
    let mut bytes = Vec::new();
    words.for_each(|w| bytes.extend_from_slice(&w.to_le_bytes()));
    hash_with_seed(&bytes, salt).max(1)
}

/// What to add to the cursor so that a cycle of `len` goes on at the fraction at which one of `old_len` stands: at its
/// first turn at or after it. Without an old cycle the cursor itself is the place.
fn phase(cursor: u64, old_len: u64, old_phase: u64, len: u64) -> u64 {
    if old_len == 0 || len == 0 {
        return 0;
    }
    if old_len == len {
        return old_phase;
    }
    let position = cursor.wrapping_add(old_phase) % old_len;
    let target = (u128::from(position) * u128::from(len)).div_ceil(u128::from(old_len)) as u64 % len;
    // Whole cycles ahead: a thread may still have turns of a block from before the cursor, which would count below 0.
    (target + len * (TURNS_BEHIND / len + 1)).wrapping_sub(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_cycle_goes_on_at_the_same_fraction() {
        // Half through a cycle of 10 is half through one of 4.
        let phase_of_4 = phase(105, 10, 0, 4);
        assert_eq!(105u64.wrapping_add(phase_of_4) % 4, 2);
        // And back again, a turn later.
        let phase_of_10 = phase(106, 4, phase_of_4, 10);
        assert_eq!(106u64.wrapping_add(phase_of_10) % 10, 8);
        // A turn that was taken before the change is the one before.
        assert_eq!(102u64.wrapping_add(phase(105, 10, 0, 3)) % 3, 2);
        assert_eq!(101u64.wrapping_add(phase(105, 10, 0, 3)) % 3, 1);
        assert_eq!(phase(105, 0, 0, 7), 0);
        assert_eq!(phase(105, 7, 3, 0), 0);
    }
}
