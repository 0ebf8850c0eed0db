//! How the traffic of a pool is shared among its tiers: primaries first, spilling down as they fail, back up slowly.
//!
//! ```text
//! takes(k)  = min(1, available(k)/members(k)·overprovisioning)     of what the tiers above leave
//! settled(k): a fall of takes(k) applies at once;
//!             a rise, to what takes(k) was never below for failback_ms
//! shares:     each tier takes settled(k) of what is left, the last one with anybody available takes the rest
//! by hand:    the tiers above the forced one take nothing
//! failover:   the tier that takes the most is one below the tier that took the most before
//! ```
//!
//! A rise waits so that a primary that flaps does not move all traffic with it. It waits only where there is another
//! tier to wait in: while the lower tiers have nobody available, an upper one takes the rest whether settled or not. A
//! tier without members has no past: its first ones count at once. A rise that is interrupted by a dip waits for what
//! the dip left and then once more for the remainder, so it may come late and never comes early.
//! Source: the rule of Envoy's priority levels with overprovisioning, as documented.
//!
//! Cost of a decision: one load for four tiers, two for eight.

/// Tiers of a pool.
pub(crate) const TIERS: usize = 8;
/// All of the traffic; shares are whole numbers of it.
pub(crate) const ALL: u16 = 1 << 15;
/// A tier without members, in a word.
const NONE: u16 = u16::MAX;

/// What each tier could take of what is left to it, 0 ..= [`ALL`]; `None` for a tier without members.
pub(crate) type Takes = [Option<u16>; TIERS];

/// What a tier can take with so many of its members available (or so much of their weight). 0 only if none is.
pub(crate) fn takes(available: u64, members: u64, overprovisioning: f64) -> Option<u16> {
    if members == 0 {
        return None;
    }
    let share = available.min(members) as f64 / members as f64 * overprovisioning.max(1.0);
    Some((share.min(1.0) * f64::from(ALL)).ceil() as u16)
}

/// The share of the traffic that goes to each tier and those above it, 0 ..= [`ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shares([u16; TIERS]);

impl Shares {
    /// The shares while every tier takes all that it can. `forced`: the tiers above it count as down.
    #[cfg(test)]
    pub(crate) fn new(takes: &Takes, forced: Option<usize>) -> Self {
        Self::settled(takes, &takes.map(|takes| takes.unwrap_or(0)), forced)
    }

    /// The shares of tiers of which each takes no more than is settled, but for the last one.
    fn settled(takes: &Takes, settled: &[u16; TIERS], forced: Option<usize>) -> Self {
        let is_available = |&k: &usize| k >= forced.unwrap_or(0) && takes[k].is_some_and(|takes| takes > 0);
        let Some(last) = (0..TIERS).rev().find(is_available) else { return Self::default() };
        let mut below = [ALL; TIERS];
        let mut taken = 0;
        for (k, below) in below[..last].iter_mut().enumerate() {
            if is_available(&k) {
                let left = u32::from(ALL - taken);
                // At most what is left.
                taken += (left * u32::from(settled[k].min(ALL)) / u32::from(ALL)) as u16;
            }
            *below = taken;
        }
        Self(below)
    }

    /// The tier of a decision, by 64 uniform bits; `None` if nobody is available.
    #[inline]
    pub(crate) fn tier(self, bits: u64) -> Option<usize> {
        let coin = (bits >> 49) as u16;
        self.0.iter().position(|&below| coin < below)
    }

    /// What the tier itself takes.
    pub(crate) fn of(self, tier: usize) -> u16 {
        let above = tier.checked_sub(1).map_or(0, |above| self.0[above]);
        self.0[tier].saturating_sub(above)
    }

    /// The tier that takes the most, the uppermost of equals.
    pub(crate) fn main(self) -> Option<usize> {
        let largest = (0..TIERS).map(|k| self.of(k)).max().filter(|&share| share > 0)?;
        (0..TIERS).find(|&k| self.of(k) == largest)
    }

    /// Tiers 0 to 3, tiers 4 to 7.
    pub(crate) fn to_words(self) -> [u64; 2] {
        let word = |half: &[u16]| half.iter().rev().fold(0, |word, &below| word << 16 | u64::from(below));
        [word(&self.0[..4]), word(&self.0[4..])]
    }

    /// Of any two words. If they are not of one state, the tier is still one of the eight, or none.
    #[inline]
    pub(crate) fn from_words(words: [u64; 2]) -> Self {
        Self(std::array::from_fn(|k| (words[k / 4] >> (16 * (k % 4))) as u16))
    }
}

/// A tier's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tier {
    settled: Option<u16>,
    /// What it could have taken throughout, and since when, while that is more than it takes.
    rising: Option<(u16, u64)>,
}

/// What is remembered from one look at the tiers to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TierState {
    tiers: [Tier; TIERS],
    /// The tier that took the most when anybody was last available.
    pub(crate) main: Option<usize>,
    /// How often it became a lower one; wraps.
    pub(crate) failovers: u32,
    /// When it last did, 0 if never.
    pub(crate) last_failover_ns: u64,
}

impl TierState {
    /// Words of a state. Zeroed words are a state without a past.
    pub(crate) const WORDS: usize = 2 * TIERS + 2;

    /// The state and the shares at `now_ns`.
    pub(crate) fn step(self, takes: &Takes, forced: Option<usize>, now_ns: u64, failback_ns: u64) -> (Self, Shares) {
        self.advance(takes, forced, now_ns, |tier, takes| tier.step(takes, now_ns, failback_ns))
    }

    /// The same for a change that an operator made: what rises by it does so at once, what waits goes on waiting.
    pub(crate) fn change(self, takes: &Takes, forced: Option<usize>, now_ns: u64) -> (Self, Shares) {
        self.advance(takes, forced, now_ns, Tier::change)
    }

    fn advance(
        mut self,
        takes: &Takes,
        forced: Option<usize>,
        now_ns: u64,
        step: impl Fn(Tier, u16) -> Tier,
    ) -> (Self, Shares) {
        for (tier, takes) in self.tiers.iter_mut().zip(takes) {
            *tier = takes.map_or(Tier::default(), |takes| step(*tier, takes));
        }
        let shares = Shares::settled(takes, &self.tiers.map(|tier| tier.settled.unwrap_or(0)), forced);
        if let Some(main) = shares.main() {
            if self.main.is_some_and(|before| before < main) {
                self.failovers = self.failovers.wrapping_add(1);
                self.last_failover_ns = now_ns;
            }
            self.main = Some(main);
        }
        (self, shares)
    }

    /// When the next step can change something although nothing else has.
    pub(crate) fn next_due(&self, failback_ns: u64) -> Option<u64> {
        let rising = self.tiers.iter().filter_map(|tier| tier.rising);
        rising.map(|(_, since_ns)| since_ns.saturating_add(failback_ns)).min()
    }

    pub(crate) fn to_words(self) -> [u64; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        for (words, tier) in words.chunks_exact_mut(2).zip(self.tiers) {
            let (risen, since_ns) = tier.rising.unwrap_or((NONE, 0));
            // Inverted, so that zero is none.
            words[0] = u64::from(!tier.settled.unwrap_or(NONE)) | u64::from(!risen) << 16;
            words[1] = since_ns;
        }
        words[2 * TIERS] = u64::from(self.failovers) << 32 | self.main.map_or(0, |main| main as u64 + 1);
        words[2 * TIERS + 1] = self.last_failover_ns;
        words
    }

    /// Of any words: what no state can hold is left out of it.
    pub(crate) fn from_words(words: &[u64; Self::WORDS]) -> Self {
        let share = |word: u64| Some(!(word as u16)).filter(|&share| share <= ALL);
        let tier = |k: usize| Tier {
            settled: share(words[2 * k]),
            rising: share(words[2 * k] >> 16).map(|risen| (risen, words[2 * k + 1])),
        };
        let main = (words[2 * TIERS] as u32 as usize).checked_sub(1).filter(|&main| main < TIERS);
        Self {
            tiers: std::array::from_fn(tier),
            main,
            failovers: (words[2 * TIERS] >> 32) as u32,
            last_failover_ns: words[2 * TIERS + 1],
        }
    }
}

impl Tier {
    fn step(self, takes: u16, now_ns: u64, failback_ns: u64) -> Self {
        let settled = self.settled.unwrap_or(takes);
        if takes <= settled {
            return Self { settled: Some(takes), rising: None };
        }
        let (risen, since_ns) = self.rising.unwrap_or((takes, now_ns));
        // A clock that went backwards begins the wait anew.
        let (risen, since_ns) = (risen.min(takes), since_ns.min(now_ns));
        if now_ns - since_ns < failback_ns {
            return Self { settled: Some(settled), rising: Some((risen, since_ns)) };
        }
        Self { settled: Some(risen), rising: (takes > risen).then_some((takes, now_ns)) }
    }

    fn change(self, takes: u16) -> Self {
        match (self.settled, self.rising) {
            (Some(settled), Some((risen, since_ns))) if takes > settled => {
                Self { rising: Some((risen.min(takes), since_ns)), ..self }
            }
            _ => Self { settled: Some(takes), rising: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;
    use crate::vocabulary::time::NANOS_PER_SEC;

    const S: u64 = NANOS_PER_SEC;
    const FAILBACK: u64 = 30 * S;

    /// Takes of tiers given as (available, members), the others without members.
    fn tiers(tiers: &[(u64, u64)]) -> Takes {
        std::array::from_fn(|k| tiers.get(k).and_then(|&(available, members)| takes(available, members, 1.4)))
    }

    fn percent(shares: Shares) -> Vec<u32> {
        let shares = (0..TIERS).map(|k| (u32::from(shares.of(k)) * 100 + u32::from(ALL) / 2) / u32::from(ALL));
        let shares: Vec<u32> = shares.collect();
        shares[..shares.iter().rposition(|&share| share > 0).map_or(0, |last| last + 1)].to_vec()
    }

    fn shares(of: &[(u64, u64)]) -> Vec<u32> {
        percent(Shares::new(&tiers(of), None))
    }

    #[test]
    fn a_tier_spills_what_it_cannot_take() {
        assert_eq!(shares(&[(10, 10), (10, 10)]), [100]);
        assert_eq!(shares(&[(8, 10), (10, 10)]), [100], "8/10·1.4 is more than all");
        assert_eq!(shares(&[(5, 10), (10, 10)]), [70, 30]);
        assert_eq!(shares(&[(5, 10), (5, 10), (10, 10)]), [70, 21, 9]);
        assert_eq!(shares(&[(0, 10), (10, 10)]), [0, 100]);
    }

    #[test]
    fn the_last_tier_with_anybody_available_takes_the_rest() {
        assert_eq!(shares(&[(1, 10)]), [100]);
        assert_eq!(shares(&[(1, 10), (0, 10)]), [100]);
        assert_eq!(shares(&[(0, 0), (5, 10), (1, 1000), (0, 9)]), [0, 70, 30]);
        assert_eq!(shares(&[(0, 10), (0, 10)]), [0u32; 0]);
        assert_eq!(Shares::new(&tiers(&[(0, 10)]), None).tier(0), None);
    }

    #[test]
    fn one_available_among_very_many_is_available() {
        assert_eq!(takes(1, u64::MAX, 1.0), Some(1));
        assert_eq!((takes(0, 9, 10.0), takes(9, 0, 1.4), takes(9, 3, 1.4)), (Some(0), None, Some(ALL)));
        assert_eq!(takes(1, 2, f64::NAN), Some(ALL / 2));
    }

    #[test]
    fn decisions_fall_on_tiers_by_their_shares() {
        let shares = Shares::new(&tiers(&[(5, 10), (5, 10), (10, 10)]), None);
        let mut seen = [0u32; 3];
        let mut draws = Draws::seeded(1, 0);
        for _ in 0..100_000 {
            seen[shares.tier(draws.next_u64()).unwrap()] += 1;
        }
        // 6 σ of a binomial(100 000, 0.7) is 870; this seed is fixed.
        assert!(seen.iter().zip([70_000, 21_000, 9_000]).all(|(seen, wanted)| seen.abs_diff(wanted) < 870), "{seen:?}");
        assert_eq!((shares.tier(0), shares.tier(u64::MAX)), (Some(0), Some(2)));
    }

    #[test]
    fn a_forced_tier_counts_those_above_it_as_down() {
        let three = tiers(&[(10, 10), (5, 10), (10, 10)]);
        assert_eq!(percent(Shares::new(&three, Some(0))), [100]);
        assert_eq!(percent(Shares::new(&three, Some(1))), [0, 70, 30]);
        assert_eq!(percent(Shares::new(&three, Some(2))), [0, 0, 100]);
        assert_eq!(percent(Shares::new(&three, Some(3))), [0u32; 0]);
        assert_eq!(percent(Shares::new(&three, Some(usize::MAX))), [0u32; 0]);
    }

    #[test]
    fn failover_is_at_once_and_failback_takes_its_time() {
        let (well, down) = (tiers(&[(2, 2), (2, 2)]), tiers(&[(0, 2), (2, 2)]));
        let state = TierState::default();
        let (state, shares) = state.step(&well, None, S, FAILBACK);
        assert_eq!((percent(shares), state.main, state.failovers), (vec![100], Some(0), 0));
        let (state, shares) = state.step(&down, None, 2 * S, FAILBACK);
        assert_eq!((percent(shares), state.main, state.failovers), (vec![0, 100], Some(1), 1));
        let (state, shares) = state.step(&well, None, 10 * S, FAILBACK);
        assert_eq!((percent(shares), state.next_due(FAILBACK)), (vec![0, 100], Some(40 * S)));
        let (state, shares) = state.step(&well, None, 40 * S - 1, FAILBACK);
        assert_eq!(percent(shares), [0, 100]);
        let (state, shares) = state.step(&well, None, 40 * S, FAILBACK);
        assert_eq!((percent(shares), state.main, state.failovers), (vec![100], Some(0), 1));
        assert_eq!((state.last_failover_ns, state.next_due(FAILBACK)), (2 * S, None));
    }

    #[test]
    fn an_interruption_begins_the_wait_anew() {
        let (well, down) = (tiers(&[(2, 2), (2, 2)]), tiers(&[(0, 2), (2, 2)]));
        let mut state = TierState::default().step(&down, None, 0, FAILBACK).0;
        for (at, takes) in [(1, well), (29, down), (30, well), (59, well)] {
            let (next, shares) = state.step(&takes, None, at * S, FAILBACK);
            assert_eq!(percent(shares), [0, 100], "at {at} s");
            state = next;
        }
        assert_eq!(percent(state.step(&well, None, 60 * S, FAILBACK).1), [100]);
    }

    #[test]
    fn nobody_waits_for_a_tier_while_nobody_else_is_there() {
        let only_backup = tiers(&[(0, 2), (2, 2)]);
        let only_primary = tiers(&[(2, 2), (0, 2)]);
        let state = TierState::default().step(&only_backup, None, 0, FAILBACK).0;
        let (state, shares) = state.step(&only_primary, None, S, FAILBACK);
        assert_eq!((percent(shares), state.failovers), (vec![100], 0));
    }

    #[test]
    fn the_first_members_of_a_tier_count_at_once() {
        let state = TierState::default().step(&tiers(&[(0, 0), (2, 2)]), None, 0, FAILBACK).0;
        assert_eq!(percent(state.step(&tiers(&[(2, 2), (2, 2)]), None, S, FAILBACK).1), [100]);
    }

    #[test]
    fn failing_over_by_hand_counts_and_going_back_waits_for_nothing() {
        let well = tiers(&[(2, 2), (2, 2)]);
        let state = TierState::default().step(&well, None, 0, FAILBACK).0;
        let (state, shares) = state.step(&well, Some(1), S, FAILBACK);
        assert_eq!((percent(shares), state.failovers), (vec![0, 100], 1));
        assert_eq!(percent(state.step(&well, None, 2 * S, FAILBACK).1), [100]);
    }

    #[test]
    fn a_total_outage_in_between_does_not_hide_a_failover() {
        let state = TierState::default().step(&tiers(&[(2, 2), (2, 2)]), None, 0, FAILBACK).0;
        let state = state.step(&tiers(&[(0, 2), (0, 2)]), None, S, FAILBACK).0;
        assert_eq!((state.main, state.failovers), (Some(0), 0));
        let state = state.step(&tiers(&[(0, 2), (1, 2)]), None, 2 * S, FAILBACK).0;
        assert_eq!((state.main, state.failovers, state.last_failover_ns), (Some(1), 1, 2 * S));
    }

    #[test]
    fn words_that_were_damaged_are_some_state() {
        for seed in 0..2000 {
            let mut draws = Draws::seeded(seed, 0);
            let any = [(); TierState::WORDS].map(|()| draws.next_u64() >> draws.clone().below(64));
            let (takes, now) = (tiers(&[(1, 2), (0, 3), (4, 4)]), draws.next_u64());
            let (state, shares) = TierState::from_words(&any).step(&takes, None, now, draws.next_u64());
            assert_eq!(TierState::from_words(&state.to_words()), state);
            assert!(shares.tier(draws.next_u64()).is_some());
            let torn = Shares::from_words([draws.next_u64(), draws.next_u64()]);
            assert!(torn.tier(draws.next_u64()).is_none_or(|tier| tier < TIERS));
            _ = (torn.main(), torn.to_words());
        }
    }

    /// Shares in real numbers, tier by tier.
    fn plain_shares(settled: &[f64; TIERS], takes: &Takes, forced: usize) -> [f64; TIERS] {
        let up: Vec<usize> = (forced..TIERS).filter(|&k| takes[k].is_some_and(|takes| takes > 0)).collect();
        let (mut shares, mut left) = ([0.0; TIERS], 1.0);
        for &k in &up {
            shares[k] = if Some(&k) == up.last() { left } else { left * settled[k] };
            left -= shares[k];
        }
        shares
    }

    /// Tiers that flap at random, beside the list of all that each could have taken and when: settled is the least of
    /// the last `failback`, and may be behind that only while takes varied within the last two of them.
    #[test]
    fn agrees_with_the_whole_history_of_flapping_tiers() {
        for seed in 0..600 {
            let mut draws = Draws::seeded(seed, 0);
            let failback = draws.below(50);
            let whole = draws.below(2) == 0;
            let count = 1 + draws.below(TIERS as u64) as usize;
            let mut nodes: Vec<(u64, u64)> = (0..count).map(|_| (0, draws.below(5))).collect();
            let mut history: Vec<(u64, Takes)> = Vec::new();
            let (mut state, mut now, mut failovers, mut main) = (TierState::default(), 0, 0, None);
            for step in 0..draws.below(300) {
                let tier = draws.below(count as u64) as usize;
                match draws.below(30) {
                    0 => nodes[tier].1 = draws.below(5),
                    // All up or all down is the case that can be told exactly.
                    1..12 if whole => nodes[tier].0 = if nodes[tier].0 == 0 { u64::MAX } else { 0 },
                    1..12 => nodes[tier].0 = draws.below(5),
                    _ => {}
                }
                let forced = (draws.below(10) == 0).then(|| draws.below(TIERS as u64) as usize);
                now += draws.below(20);
                let could: Takes = tiers(&nodes);
                history.push((now, could));
                let (next, shares) = TierState::from_words(&state.to_words()).step(&could, forced, now, failback);
                state = next;
                let case = format!("seed {seed}, step {step}");

                let range = |k: usize, span: u64| {
                    let past = history.iter().rev().map_while(|(at, could)| could[k].map(|takes| (*at, takes)));
                    // What it could take at the beginning of the span was said before it.
                    let mut recent = Vec::new();
                    for (at, takes) in past {
                        recent.push(takes);
                        if now - at >= span {
                            break;
                        }
                    }
                    (recent.iter().copied().min().unwrap_or(0), recent.iter().copied().max().unwrap_or(0))
                };
                let mut settled = [0.0; TIERS];
                for (k, settled) in settled.iter_mut().enumerate() {
                    let got = state.tiers[k].settled.unwrap_or(0);
                    let (exact, _) = range(k, failback);
                    // Twice the wait, and the time to the steps that find each of them over.
                    let (low, high) = range(k, 2 * failback + 40);
                    assert!(got <= exact, "{case}, tier {k}: earlier than it may");
                    assert!(got == exact || low != high && !whole, "{case}, tier {k}: {got} of {exact}");
                    *settled = f64::from(got) / f64::from(ALL);
                }
                let plain = plain_shares(&settled, &could, forced.unwrap_or(0));
                for (k, plain) in plain.iter().enumerate() {
                    let got = f64::from(shares.of(k)) / f64::from(ALL);
                    assert!((got - plain).abs() < 3e-4, "{case}, tier {k}: {got} of {plain}");
                }
                assert_eq!(Shares::from_words(shares.to_words()), shares, "{case}");

                let most = (0..TIERS).rev().max_by_key(|&k| shares.of(k)).filter(|&k| shares.of(k) > 0);
                failovers += u32::from(most.is_some() && main.is_some() && most > main);
                main = most.or(main);
                assert_eq!((state.main, state.failovers), (main, failovers), "{case}");
            }
        }
    }
}
