//! Which nodes do so much worse than the rest that they are ejected for a while.
//!
//! ```text
//! measured: the available nodes with ≥ min_requests samples; if they are ≥ min_hosts:
//!           ejected if success rate < mean − stdev_factor·σ
//! any available node with ≥ failure_min_requests samples:
//!           ejected if failures/samples ≥ failure_rate
//! worst first, while ejected nodes ≤ max(1, max_ejected·n) and one available node is left
//! ```
//!
//! A node that is out already, for whatever reason, neither counts among the measured nor is ejected: the failures that
//! brought it down would hide those of others. σ is that of the measured themselves, not of a population behind them.
//! A sweep looks at all nodes once; it is no part of a pick. Source: the rule of Envoy's outlier detection by success
//! rate and by failure percentage, as documented.

/// The part of a pool's configuration. Counts of 0 are taken as 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) stdev_factor: f64,
    pub(crate) min_hosts: u32,
    pub(crate) min_requests: u32,
    pub(crate) failure_rate: f64,
    pub(crate) failure_min_requests: u32,
    /// The share of all nodes that may be ejected at a time.
    pub(crate) max_ejected: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stdev_factor: 1.9,
            min_hosts: 5,
            min_requests: 100,
            failure_rate: 0.85,
            failure_min_requests: 50,
            max_ejected: 0.1,
        }
    }
}

/// A node as a sweep sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sample {
    /// What ended in the window, and how much of it failed.
    pub(crate) samples: u32,
    pub(crate) failures: u32,
    pub(crate) ejected: bool,
    /// Whether it takes requests now. An ejected node does not, whatever is said here.
    pub(crate) available: bool,
}

impl Sample {
    fn success_rate(&self) -> f64 {
        f64::from(self.samples.saturating_sub(self.failures)) / f64::from(self.samples.max(1))
    }

    fn failure_rate(&self) -> f64 {
        f64::from(self.failures.min(self.samples)) / f64::from(self.samples.max(1))
    }

    fn takes_requests(&self) -> bool {
        self.available && !self.ejected
    }
}

/// The places of the nodes to eject, the worst first.
pub(crate) fn sweep(nodes: &[Sample], settings: &Settings) -> Vec<usize> {
    let lowest = lowest_success_rate(nodes, settings);
    let is_outlier = |node: &Sample| {
        let slow_to_succeed = node.samples >= settings.min_requests.max(1) && node.success_rate() < lowest;
        let mostly_fails = node.samples >= settings.failure_min_requests.max(1)
            && node.failures > 0
            && node.failure_rate() >= settings.failure_rate;
        node.takes_requests() && (slow_to_succeed || mostly_fails)
    };
    let mut outliers: Vec<usize> = (0..nodes.len()).filter(|&i| is_outlier(&nodes[i])).collect();
    // Of nodes that are equally bad, the one that more requests suffered from.
    outliers.sort_by(|&a, &b| {
        let (a, b) = (&nodes[a], &nodes[b]);
        a.success_rate().total_cmp(&b.success_rate()).then(b.samples.cmp(&a.samples))
    });
    outliers.truncate(room(nodes, settings));
    outliers
}

/// The success rate below which a measured node is an outlier; −∞ if too few are measured.
fn lowest_success_rate(nodes: &[Sample], settings: &Settings) -> f64 {
    let is_measured = |node: &&Sample| node.takes_requests() && node.samples >= settings.min_requests.max(1);
    let rates: Vec<f64> = nodes.iter().filter(is_measured).map(Sample::success_rate).collect();
    if rates.len() < settings.min_hosts.max(1) as usize {
        return f64::NEG_INFINITY;
    }
    let n = rates.len() as f64;
    let (least, most) = rates.iter().fold((1.0, 0.0), |(least, most): (f64, f64), &r| (least.min(r), most.max(r)));
    // Nodes that are all alike must not differ from their mean by its rounding.
    let mean = (rates.iter().sum::<f64>() / n).max(least).min(most);
    let variance = rates.iter().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>() / n;
    mean - settings.stdev_factor * variance.sqrt()
}

/// How many more may be ejected.
fn room(nodes: &[Sample], settings: &Settings) -> usize {
    let ejected = nodes.iter().filter(|node| node.ejected).count();
    let available = nodes.iter().filter(|node| node.takes_requests()).count();
    // A share is compared as a quotient: 0.29·100 is less than 29 in floating point.
    let is_allowed = |count: usize| count <= 1 || count as f64 / nodes.len() as f64 <= settings.max_ejected;
    (1..available).take_while(|more| is_allowed(ejected + more)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::rng::Draws;

    fn node(samples: u32, failures: u32) -> Sample {
        Sample { samples, failures, ejected: false, available: true }
    }

    fn ejected(samples: u32, failures: u32) -> Sample {
        Sample { ejected: true, available: false, ..node(samples, failures) }
    }

    #[test]
    fn one_among_many_that_does_worse_is_ejected() {
        let mut nodes = vec![node(1000, 5); 9];
        nodes.insert(4, node(1000, 60));
        assert_eq!(sweep(&nodes, &Settings::default()), [4]);
        nodes[4] = node(1000, 5);
        assert_eq!(sweep(&nodes, &Settings::default()), []);
    }

    #[test]
    fn nodes_that_are_all_alike_stay() {
        let strict = Settings { stdev_factor: 0.0, ..Settings::default() };
        for (hosts, failures) in (5..40).flat_map(|hosts| (0..84).map(move |failures| (hosts, failures))) {
            assert_eq!(sweep(&vec![node(101, failures); hosts], &strict), [], "{hosts} nodes, {failures} failures");
        }
    }

    #[test]
    fn success_rates_need_enough_hosts_and_enough_requests() {
        let settings = Settings::default();
        let mut nodes = vec![node(100, 0), node(100, 0), node(100, 0), node(100, 0), node(100, 50)];
        assert_eq!(sweep(&nodes, &settings), [4]);
        nodes[0] = node(99, 0);
        assert_eq!(sweep(&nodes, &settings), [], "four are measured");
        nodes.push(node(100, 0));
        assert_eq!(sweep(&nodes, &settings), [4]);
        nodes[4] = node(99, 50);
        nodes.push(node(100, 0));
        assert_eq!(sweep(&nodes, &settings), [], "too few requests to tell");
    }

    #[test]
    fn mostly_failing_needs_no_others_to_compare_with() {
        let settings = Settings::default();
        assert_eq!(sweep(&[node(50, 0), node(100, 85)], &settings), [1]);
        assert_eq!(sweep(&[node(50, 0), node(100, 84)], &settings), []);
        assert_eq!(sweep(&[node(50, 0), node(49, 49)], &settings), []);
        assert_eq!(sweep(&[node(50, 0), node(50, 50)], &settings), [1]);
    }

    #[test]
    fn the_worst_go_first_as_far_as_there_is_room() {
        let mut nodes = vec![node(1000, 0); 30];
        (nodes[3], nodes[7], nodes[11], nodes[20]) = (node(100, 90), node(100, 99), node(100, 95), node(200, 190));
        assert_eq!(sweep(&nodes, &Settings::default()), [7, 20, 11]);
        nodes[0] = ejected(0, 0);
        assert_eq!(sweep(&nodes, &Settings::default()), [7, 20]);
        let all = Settings { max_ejected: 1.0, ..Settings::default() };
        assert_eq!(sweep(&nodes, &all), [7, 20, 11, 3]);
        let one = Settings { max_ejected: 0.0, ..Settings::default() };
        assert_eq!(sweep(&nodes, &one), []);
        nodes[0] = node(0, 0);
        assert_eq!(sweep(&nodes, &one), [7]);
    }

    #[test]
    fn the_last_available_node_is_never_ejected() {
        let all = Settings { max_ejected: 1.0, ..Settings::default() };
        assert_eq!(sweep(&[], &all), []);
        assert_eq!(sweep(&[node(100, 100)], &all), []);
        assert_eq!(sweep(&[node(100, 100), node(100, 99)], &all), [0]);
        let down = Sample { available: false, ..node(100, 100) };
        assert_eq!(sweep(&[down, node(100, 100), ejected(0, 0)], &all), []);
    }

    #[test]
    fn a_node_that_is_out_hides_nobody() {
        let mut nodes = vec![node(1000, 0); 8];
        nodes.extend([node(1000, 20), Sample { available: false, ..node(1000, 1000) }]);
        assert_eq!(sweep(&nodes, &Settings::default()), [8]);
    }

    #[test]
    fn shares_are_met_exactly() {
        let settings = Settings { max_ejected: 0.29, ..Settings::default() };
        assert_eq!(sweep(&[node(100, 100); 100], &settings).len(), 29);
    }

    #[test]
    fn odd_settings_and_counts_are_harmless() {
        let nodes = [node(0, 9), node(5, 9), node(u32::MAX, u32::MAX), node(u32::MAX, 0)];
        let zero = Settings { min_hosts: 0, min_requests: 0, failure_min_requests: 0, ..Settings::default() };
        assert_eq!(sweep(&nodes, &zero), [2]);
        let nan = Settings { stdev_factor: f64::NAN, failure_rate: f64::NAN, max_ejected: f64::NAN, ..zero };
        assert_eq!(sweep(&nodes, &nan), []);
    }

    /// One at a time, the worst of those that the rule names, for as long as a further one is allowed. The deviation is
    /// that of all pairs: σ² = Σ (a − b)² / 2n² over ordered pairs.
    fn model(nodes: &[Sample], settings: &Settings) -> Option<Vec<usize>> {
        let rate = |i: usize| f64::from(nodes[i].samples - nodes[i].failures) / f64::from(nodes[i].samples);
        let alive: Vec<usize> = (0..nodes.len()).filter(|&i| nodes[i].available && !nodes[i].ejected).collect();
        let measured: Vec<usize> =
            alive.iter().copied().filter(|&i| nodes[i].samples >= settings.min_requests).collect();
        let (mut pairs, mut sum) = (0.0, 0.0);
        for &a in &measured {
            sum += rate(a);
            pairs += measured.iter().map(|&b| (rate(a) - rate(b)).powi(2)).sum::<f64>();
        }
        let n = measured.len() as f64;
        let lowest = sum / n - settings.stdev_factor * (pairs / 2.0 / n / n).sqrt();
        let mut bad = Vec::new();
        for &i in &alive {
            let compared = measured.contains(&i) && measured.len() >= settings.min_hosts as usize;
            if compared && (rate(i) - lowest).abs() < 1e-9 {
                return None; // Too near to be told apart by rounding.
            }
            let failing = nodes[i].samples >= settings.failure_min_requests
                && f64::from(nodes[i].failures) >= settings.failure_rate * f64::from(nodes[i].samples);
            if compared && rate(i) < lowest || failing {
                bad.push(i);
            }
        }
        let (mut out, mut chosen) = (nodes.iter().filter(|node| node.ejected).count(), Vec::new());
        let limit = ((settings.max_ejected * nodes.len() as f64 + 1e-9) as usize).max(1);
        while out < limit && alive.len() > chosen.len() + 1 {
            let worst = bad.iter().copied().filter(|i| !chosen.contains(i)).min_by(|&a, &b| {
                rate(a).total_cmp(&rate(b)).then(nodes[b].samples.cmp(&nodes[a].samples)).then(a.cmp(&b))
            });
            let Some(worst) = worst else { break };
            chosen.push(worst);
            out += 1;
        }
        Some(chosen)
    }

    #[test]
    fn agrees_with_choosing_one_at_a_time() {
        let mut compared = 0;
        for seed in 0..4000 {
            let mut draws = Draws::seeded(seed, 0);
            let settings = Settings {
                stdev_factor: 0.5 + draws.below(30) as f64 / 10.0,
                min_hosts: 1 + draws.below(6) as u32,
                min_requests: 1 + draws.below(60) as u32,
                failure_rate: (1 + draws.below(16)) as f64 / 16.0,
                failure_min_requests: 1 + draws.below(60) as u32,
                max_ejected: draws.below(11) as f64 / 10.0,
            };
            let nodes: Vec<Sample> = (0..draws.below(40))
                .map(|_| {
                    let samples = draws.below(120) as u32;
                    let most = if draws.below(4) == 0 { samples } else { samples.min(4) };
                    let failures = draws.below(1 + u64::from(most)) as u32;
                    let (ejected, available) = (draws.below(12) == 0, draws.below(12) != 0);
                    Sample { samples, failures, ejected, available: available && !ejected }
                })
                .collect();
            if let Some(expected) = model(&nodes, &settings) {
                assert_eq!(sweep(&nodes, &settings), expected, "seed {seed}, {settings:?}, {nodes:?}");
                compared += 1;
            }
        }
        assert!(compared > 3500, "only {compared} lists were clear");
    }
}
