//! What has changed from one look to the next, as lines of a log.

use jiff::Timestamp;
use loadwise::ProcessStatus;
use loadwise::stats::{NodeStats, PoolStats};

use super::condition::{self, Grade};
use super::counterparts::Counterparts;
use super::look::Look;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub time: Timestamp,
    pub text: String,
    pub grade: Grade,
}

/// Nodes that are named in one line.
const NAMED_MAX: usize = 4;

/// What happened between two looks at one file.
pub fn between(before: &Look, after: &Look) -> Vec<Event> {
    let mut log = Log { time: after.time, events: Vec::new() };
    for pool in &before.pools {
        if after.pool(&pool.stats.name).is_none() {
            log.say(Grade::Warning, format!("pool {} went", pool.stats.name));
        }
    }
    for pool in &after.pools {
        match before.pool(&pool.stats.name) {
            None => log.say(Grade::Good, format!("pool {} came, with {}", pool.stats.name, nodes(&pool.stats))),
            Some(earlier) => log.pool(&earlier.stats, &pool.stats),
        }
    }
    log.processes(&before.processes, &after.processes);
    log.events
}

struct Log {
    time: Timestamp,
    events: Vec<Event>,
}

impl Log {
    fn say(&mut self, grade: Grade, text: String) {
        self.events.push(Event { time: self.time, text, grade });
    }

    fn pool<'a>(&mut self, before: &'a PoolStats, after: &'a PoolStats) {
        let name = &after.name;
        let (earlier, later) = (Counterparts::new(&before.nodes), Counterparts::new(&after.nodes));
        let not_in = |nodes: &'a [NodeStats], others: &Counterparts<'_>| -> Vec<&'a str> {
            let ids = nodes.iter().map(|node| node.id.as_str()).enumerate();
            ids.filter(|(place, id)| others.of(*place, id).is_none()).map(|(_, id)| id).collect()
        };
        self.list(Grade::Warning, name, &not_in(&before.nodes, &later), "went");
        self.list(Grade::Good, name, &not_in(&after.nodes, &earlier), "came");
        // Why nodes are down, and who; in the order in which the reasons are met.
        let mut down: Vec<(String, Vec<&str>)> = Vec::new();
        let mut back = Vec::new();
        for (place, node) in after.nodes.iter().enumerate() {
            match earlier.of(place, &node.id).map(|earlier| earlier.available) {
                Some(true) if !node.available => {
                    let why = condition::words(node).swap_remove(0);
                    match down.iter_mut().find(|(other, _)| *other == why) {
                        Some((_, ids)) => ids.push(&node.id),
                        None => down.push((why, vec![&node.id])),
                    }
                }
                Some(false) if node.available => back.push(node.id.as_str()),
                _ => {}
            }
        }
        for (why, ids) in down {
            self.list(Grade::Bad, name, &ids, &format!("went down: {why}"));
        }
        self.list(Grade::Good, name, &back, "came back");
        if before.strategy != after.strategy {
            self.say(Grade::Good, format!("{name}: the strategy is {}, and was {}", after.strategy, before.strategy));
        }
        if before.panic != after.panic {
            let (grade, text) = match after.panic {
                true => (Grade::Bad, "panic: so few nodes are available that all are picked from"),
                false => (Grade::Good, "the panic is over"),
            };
            self.say(grade, format!("{name}: {text}"));
        }
        if before.tier != after.tier {
            self.say(
                Grade::Warning,
                format!("{name}: most of the traffic goes to tier {}, and went to {}", after.tier, before.tier),
            );
        }
    }

    /// One line for all of whom the same is said.
    fn list(&mut self, grade: Grade, pool: &str, ids: &[&str], what: &str) {
        let named = ids.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        match ids.len() {
            0 => {}
            1..=NAMED_MAX => self.say(grade, format!("{pool}: {named} {what}")),
            more => self.say(grade, format!("{pool}: {named} and {} more {what}", more - NAMED_MAX)),
        }
    }

    fn processes(&mut self, before: &[ProcessStatus], after: &[ProcessStatus]) {
        let same = |a: &ProcessStatus, b: &ProcessStatus| (a.row, a.pid, a.since_ns) == (b.row, b.pid, b.since_ns);
        for process in before {
            match after.iter().find(|other| same(process, other)) {
                Some(now) if process.alive && !now.alive => {
                    self.say(Grade::Bad, format!("process {} died, with {} in flight", told(process), now.in_flight));
                }
                Some(_) => {}
                None if process.alive => self.say(Grade::Warning, format!("process {} left", told(process))),
                None => self.say(Grade::Good, format!("what process {} held was given back", told(process))),
            }
        }
        for process in after.iter().filter(|process| !before.iter().any(|other| same(process, other))) {
            self.say(Grade::Good, format!("process {} came", told(process)));
        }
    }
}

fn told(process: &ProcessStatus) -> String {
    format!("{} ({})", process.pid, process.command)
}

fn nodes(stats: &PoolStats) -> String {
    match stats.nodes.len() {
        1 => "1 node".to_owned(),
        count => format!("{count} nodes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadwise::{Engine, HealthStatus};

    fn told(before: &Look, after: &Look) -> Vec<(Grade, String)> {
        between(before, after).into_iter().map(|event| (event.grade, event.text)).collect()
    }

    #[test]
    fn what_changes_of_pools_and_nodes_is_told_once() {
        let engine = Engine::from_config("pools: {shop: {nodes: [a, b, c]}, mail: {nodes: [m]}}").unwrap();
        let shop = engine.pool("shop").unwrap();
        let first = Look::at(&engine, 0);
        assert_eq!(told(&first, &first), []);

        shop.set_health("a", HealthStatus::Unhealthy).unwrap();
        shop.drain("b", true).unwrap();
        let second = Look::at(&engine, 0);
        let down = |text: &str| (Grade::Bad, text.to_owned());
        assert_eq!(told(&first, &second), [down("shop: a went down: unhealthy"), down("shop: b went down: drained")]);
        assert_eq!(told(&second, &second), []);

        shop.set_health("a", HealthStatus::Healthy).unwrap();
        engine.reload_from("pools: {shop: {strategy: maglev, nodes: [a, d]}, search: {nodes: [x]}}").unwrap();
        let third = Look::at(&engine, 0);
        assert_eq!(
            told(&second, &third),
            [
                (Grade::Warning, "pool mail went".to_owned()),
                (Grade::Warning, "shop: b, c went".to_owned()),
                (Grade::Good, "shop: d came".to_owned()),
                (Grade::Good, "shop: a came back".to_owned()),
                (Grade::Good, "shop: the strategy is maglev, and was p2c".to_owned()),
                (Grade::Good, "pool search came, with 1 node".to_owned()),
            ]
        );
    }

    #[test]
    fn many_of_whom_the_same_is_said_are_one_line() {
        let engine = Engine::from_config("nodes: [a]").unwrap();
        let before = Look::at(&engine, 0);
        let pool = engine.pool("default").unwrap();
        pool.set_nodes((0..300).map(|i| format!("n{i}"))).unwrap();
        let happened = told(&before, &Look::at(&engine, 0));
        assert_eq!(happened[1].1, "default: n0, n1, n2, n3 and 296 more came");
        assert_eq!(happened.len(), 2);
    }

    #[test]
    fn processes_come_die_and_leave() {
        let engine = Engine::from_config("nodes: [a]").unwrap();
        let look = |processes: &[ProcessStatus]| Look { processes: processes.to_vec(), ..Look::at(&engine, 0) };
        let process = |row, pid, alive| ProcessStatus {
            row,
            pid,
            command: "worker".to_owned(),
            is_own: false,
            in_namespace: true,
            alive,
            since_ns: 7,
            heartbeat_ns: 9,
            in_flight: 3,
            repeats: 0,
        };
        let texts = |before: &[ProcessStatus], after: &[ProcessStatus]| -> Vec<String> {
            told(&look(before), &look(after)).into_iter().map(|(_, text)| text).collect()
        };
        let (one, dead, other) = (process(0, 11, true), process(0, 11, false), process(1, 12, true));
        assert_eq!(texts(&[], std::slice::from_ref(&one)), ["process 11 (worker) came"]);
        assert_eq!(
            texts(std::slice::from_ref(&one), std::slice::from_ref(&dead)),
            ["process 11 (worker) died, with 3 in flight"]
        );
        assert_eq!(texts(&[dead], &[]), ["what process 11 (worker) held was given back"]);
        assert_eq!(texts(&[one.clone(), other], &[one]), ["process 12 (worker) left"]);
    }
}
