//! How much of its traffic a caller keeps in its own zone.
//!
//! ```text
//! c = the zone's share of the pool's available capacity, l = its share of all callers' load
//! kept  = 1 if c ≥ l, else c/l
//! room(z) = max(0, c(z) − l(z));  what a caller does not keep goes to the other zones by their room
//! ```
//!
//! When callers in all zones do so, every zone takes the share of the load that it has of the capacity: what the zones
//! that are short give away is just the room of the others. A pool does not see other callers, so unless it is told,
//! their load is taken as spread evenly over the zones that have nodes.
//! Source: the rule of Envoy's zone aware routing, as documented.

/// The load of one zone's callers, while nobody says more: 1/zones, for 0 zones as for 1.
pub(crate) fn even_load_share(zones: usize) -> f64 {
    1.0 / zones.max(1) as f64
}

/// The share of a caller's traffic that its own zone takes, 0.0 ..= 1.0. Without load there is nothing to spill; shares
/// that are no numbers or negative count as 0.
pub(crate) fn local_share(zone_capacity_share: f64, zone_load_share: f64) -> f64 {
    let capacity = zone_capacity_share.max(0.0);
    if capacity == 0.0 {
        0.0
    } else if capacity >= zone_load_share.max(0.0) {
        1.0
    } else {
        // Both may be infinite.
        (capacity / zone_load_share).clamp(0.0, 1.0)
    }
}

/// Of [`ALL`] requests of a zone's callers, how many stay in it.
pub(crate) fn kept(zone_capacity_share: f64, zone_load_share: f64) -> u64 {
    (local_share(zone_capacity_share, zone_load_share) * ALL as f64).ceil() as u64
}

/// The requests of which [`kept`] is a part: as many as a coin has sides.
pub(crate) const ALL: u64 = 1 << 53;
/// Instead of a part: there is too little of the zone to prefer it.
pub(crate) const NO_ZONE: u64 = u64::MAX;

/// The weight by which a zone takes what callers of other zones spill.
pub(crate) fn room(zone_capacity_share: f64, zone_load_share: f64) -> f64 {
    (zone_capacity_share.max(0.0) - zone_load_share.max(0.0)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    #[test]
    fn all_stays_while_the_zone_has_its_share() {
        assert_eq!(local_share(0.5, even_load_share(2)), 1.0);
        assert_eq!(local_share(0.4, even_load_share(3)), 1.0);
        assert_eq!(local_share(1.0, even_load_share(1)), 1.0);
        assert_eq!(local_share(0.25, even_load_share(2)), 0.5, "half of it is too much for the zone");
        assert_eq!((local_share(0.0, 0.5), local_share(0.1, 0.0), even_load_share(0)), (0.0, 1.0, 1.0));
    }

    #[test]
    fn shares_that_cannot_be_are_harmless() {
        let odd = [f64::NAN, -1.0, f64::INFINITY, f64::NEG_INFINITY, 0.0, f64::MIN_POSITIVE, 7.0];
        for (capacity, load) in odd.iter().flat_map(|&c| odd.map(|l| (c, l))) {
            assert!((0.0..=1.0).contains(&local_share(capacity, load)), "{capacity} of {load}");
            assert!(room(capacity, load) >= 0.0, "{capacity} of {load}");
        }
        assert_eq!(local_share(f64::NAN, 0.5), 0.0);
    }

    /// The flow of all callers, summed up zone by zone.
    #[test]
    fn every_zone_takes_the_load_that_it_has_capacity_for() {
        for seed in 0..2000 {
            let mut draws = Draws::seeded(seed, 0);
            let zones = 1 + draws.below(8) as usize;
            let mut shares = |even: bool| -> Vec<f64> {
                let parts: Vec<f64> = (0..zones).map(|_| if even { 1.0 } else { draws.below(20) as f64 }).collect();
                let sum: f64 = parts.iter().sum();
                parts.iter().map(|part| if sum == 0.0 { even_load_share(zones) } else { part / sum }).collect()
            };
            let (capacity, load) = (shares(false), shares(seed % 2 == 0));
            let kept: Vec<f64> = (0..zones).map(|z| load[z] * local_share(capacity[z], load[z])).collect();
            let spilled: f64 = (0..zones).map(|z| load[z] - kept[z]).sum();
            let rooms: Vec<f64> = (0..zones).map(|z| room(capacity[z], load[z])).collect();
            let all_room: f64 = rooms.iter().sum();
            for z in 0..zones {
                let taken = kept[z] + if all_room > 0.0 { spilled * rooms[z] / all_room } else { 0.0 };
                assert!((taken - capacity[z]).abs() < 1e-9, "seed {seed}: {capacity:?}, {load:?}, zone {z}: {taken}");
            }
        }
    }
}
