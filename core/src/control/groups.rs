//! Groups: parts of a pool's members with draw tables of their own, one for each tier, and in it one for each zone.

use std::collections::BTreeSet;

use super::publish::Planned;
use crate::plan::groups::{self, GroupsOfTier};
use crate::plan::step::Needs;
use crate::plan::view::PlanView;
use crate::policies::tiers::TIERS;
use crate::policies::zones;
use crate::pool::Pool;
use crate::state::layout::plan_word;
use crate::state::settings::Values;
use crate::sync::Ordering;
use crate::vocabulary::error::ConfigError;

/// Members of one tier, or those of one zone in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) tier: u8,
    /// 0: the whole tier. Else the zone's hash, as far as it fits beside the tier.
    pub(crate) zone: u64,
}

impl Group {
    pub(crate) fn new(tier: u8, zone_hash: u64) -> Self {
        Self { tier, zone: zone_hash >> 8 }
    }

    /// Zone (56 bits), tier (8 bits).
    pub(crate) fn word(self) -> u64 {
        self.zone << 8 | u64::from(self.tier)
    }

    pub(crate) fn from_word(word: u64) -> Self {
        Self { tier: word as u8, zone: word >> 8 }
    }

    /// Whether a member of this tier and zone is in the group.
    pub(crate) fn has(self, member: (u8, u64)) -> bool {
        self.tier == member.0 && (self.zone == 0 || self.zone == member.1 >> 8)
    }
}

impl Pool {
    /// A member's tier and the hash of its zone.
    pub(crate) fn grouping(&self, index: usize) -> (u8, u64) {
        let node = self.memory.node(index);
        (node.tier(), node.zone().load(Ordering::Relaxed))
    }

    pub(crate) fn groups_of(&self, planned: &[Planned], zones: bool) -> Vec<Group> {
        let mut groups = groups_among(planned.iter().map(|member| (member.tier, member.zone)), zones);
        groups.truncate(self.memory.layout.limits.max_groups as usize);
        groups
    }

    /// Enters into the plan of `generation` where the groups of each tier are, and what zones keep of their requests.
    pub(crate) fn direct_to_groups(&self, generation: u64, groups: &[Group], zone_min_nodes: usize) {
        let plan = |group: usize| PlanView(self.memory.group(generation, group));
        let directory = groups::directory(groups.iter().map(|group| group.tier));
        for (at, word) in directory.into_iter().enumerate() {
            plan(0).set_word(plan_word::GROUPS_OF_TIERS + at, word);
        }
        for tier in 0..TIERS as u8 {
            let Some(GroupsOfTier { whole, zones }) = groups::of_tier(tier, |at| directory[at]) else { continue };
            let all = (plan(whole).word(plan_word::WEIGHT_SUM) as f64).max(1.0);
            for zone in whole + 1..=whole + zones {
                let capacity = plan(zone).word(plan_word::WEIGHT_SUM) as f64 / all;
                let enough = plan(zone).lead().fit() >= zone_min_nodes;
                let kept = if enough { zones::kept(capacity, zones::even_load_share(zones)) } else { zones::NO_ZONE };
                plan(zone).set_word(plan_word::ZONE_KEEPS, kept);
            }
        }
    }

    /// That there are tables enough for members of these tiers and zones; how many they need.
    pub(crate) fn check_groups(
        &self,
        members: impl Iterator<Item = (u8, u64)>,
        zones: bool,
    ) -> Result<usize, ConfigError> {
        let (needed, most) = (groups_among(members, zones).len(), self.memory.layout.limits.max_groups as usize);
        if needed > most {
            let message = format!("{needed} tiers and zones in them, more than the {most} that the pool was made for");
            return Err(ConfigError::limit("limits.max_groups", 0, message));
        }
        Ok(needed)
    }

    /// How many groups the published plan has.
    pub(crate) fn groups_in_force(&self) -> usize {
        let groups = self.plan_at(self.generation().current()).word(plan_word::GROUPS) as usize;
        groups.min(self.memory.layout.limits.max_groups as usize)
    }

    /// What the plan of such members asks of every pick.
    pub(crate) fn needs(&self, planned: &[Planned], values: &Values) -> Needs {
        let limited = planned.iter().any(|member| member.max_in_flight != 0);
        let latency = values.pool_latencies || values.node_latencies || values.adaptive_limit;
        let tiers = planned.iter().any(|member| member.tier != 0) || values.zones;
        let watched = self.memory.is_watched();
        let guard = limited || latency || tiers || values.affinity || values.quotas != 0 || values.splits || watched;
        Needs {
            clock: values.lease_timeout_ns != 0 || latency || values.affinity || values.quotas != 0,
            latency,
            limit: values.max_in_flight != 0,
            guard,
            groups: tiers,
        }
    }
}

/// None while all are of one tier and zones do not matter: the tables of all members serve then.
fn groups_among(members: impl Iterator<Item = (u8, u64)>, zones: bool) -> Vec<Group> {
    let mut groups = BTreeSet::new();
    for (tier, zone) in members {
        groups.insert(Group::new(tier, 0));
        if zones && zone != 0 {
            groups.insert(Group::new(tier, zone));
        }
    }
    if groups.len() == 1 { Vec::new() } else { groups.into_iter().collect() }
}
