//! An explanation for people.

use loadwise::Explanation;
use loadwise::explain::{Considered, Number, Score, SplitPart, TieBreak, Way};

use crate::numbers::duration;
use crate::output::harmless;
use crate::table::{Side, Table};

/// What came of it in the first line, how in the next ones, then all nodes.
pub fn of(pool: &str, explanation: &Explanation) -> String {
    let mut lines = vec![format!("pool {pool}: {}", result(explanation)), String::new()];
    let facts = facts(explanation);
    let widest = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.extend(facts.iter().map(|(name, fact)| harmless(&format!("{name:widest$}  {fact}"))));
    lines.push(String::new());
    lines.extend(candidates(explanation));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn result(explanation: &Explanation) -> String {
    match &explanation.result {
        Ok(chosen) => harmless(&chosen.id),
        Err(none) => {
            let after = |at: u64| format!(", try again in {}", duration(at.saturating_sub(explanation.now_ns)));
            format!("no node, {}{}", none.reason, none.retry_at_ns.map_or_else(String::new, after))
        }
    }
}

fn facts(explanation: &Explanation) -> Vec<(&'static str, String)> {
    let mut facts = vec![("chosen by", way(explanation))];
    let mut fact = |name, fact: Option<String>| facts.extend(fact.map(|fact| (name, fact)));
    fact("tier", explanation.tier.map(|tier| tier.to_string()));
    fact("zone", explanation.zone.clone());
    fact("split", explanation.split.map(split));
    fact("number", explanation.number.filter(|_| is_drawn(explanation)).map(number));
    fact("key", explanation.key.as_ref().map(|key| format!("leads to {}", key.owners.join(", then to "))));
    fact("scanned", explanation.scanned.then(|| "no draw and no owner would do: all nodes were looked at".to_owned()));
    fact("tie", explanation.tie.as_ref().map(|tie| format!("{}: {}", tie.among.join(", "), broken(tie.by))));
    let takes = &explanation.takes;
    let probe = takes.probe_until_ns.map(|until| until.saturating_sub(explanation.now_ns));
    fact("takes", probe.map(|left| format!("the node's probe, for {} at most", duration(left))));
    for (dimension, units) in &takes.quotas {
        fact("takes", Some(format!("{units} of the quota {dimension}")));
    }
    fact("takes", takes.session.then(|| "the session is on this node from now on".to_owned()));
    facts
}

fn way(explanation: &Explanation) -> String {
    let strategy = match explanation.step {
        Some(step) if step > 0 => format!("{}, step {} of the chain", explanation.strategy, step + 1),
        _ => explanation.strategy.to_owned(),
    };
    match explanation.way {
        Way::Rule => strategy,
        Way::Panic => format!("{strategy}, among all nodes: too few are available"),
        Way::Session => "the session, which is on this node".to_owned(),
        Way::Probe => "a probe: the node is down, and this request tries it".to_owned(),
    }
}

fn split(part: SplitPart) -> String {
    match part {
        SplitPart::Of(place) => format!("number {} of splits", place + 1),
        SplitPart::Rest => "what no split takes".to_owned(),
    }
}

fn number(number: Number) -> String {
    match number {
        Number::Turn(turn) => format!("turn {turn}"),
        Number::Draw(draw) => format!("draw {draw} of the seed"),
        Number::Stream(_) => "drawn: another request may get another node".to_owned(),
    }
}

/// Whether a number decided: rules that look at all nodes have one for ties, and most of the time there is none.
fn is_drawn(explanation: &Explanation) -> bool {
    explanation.tie.is_some() || explanation.candidates.iter().any(|node| node.drawn.is_some())
}

fn broken(by: TieBreak) -> &'static str {
    match by {
        TieBreak::FirstDrawn => "the first that was drawn",
        TieBreak::Weight => "by chance, by weight",
        TieBreak::Chance => "by chance",
    }
}

fn candidates(explanation: &Explanation) -> Vec<String> {
    let chosen = explanation.chosen();
    let is_chosen = |node: &Considered| chosen.is_some_and(|chosen| chosen.node == node.node);
    let score = explanation.candidates.iter().find_map(|node| node.score.as_ref());
    let mut columns = vec![
        ("", Side::Left),
        ("NODE", Side::Left),
        ("", Side::Left),
        ("HEALTH", Side::Left),
        ("WEIGHT", Side::Right),
        ("IN FLIGHT", Side::Right),
        ("TIER", Side::Right),
        ("ZONE", Side::Left),
        ("DRAWN", Side::Right),
    ];
    columns.extend(score.map(|score| (score.name, Side::Left)));
    let mut table = Table::new(&columns);
    for node in &explanation.candidates {
        let verdict = match node.failed_at {
            _ if is_chosen(node) => "chosen".to_owned(),
            Some(failed_at) => failed_at.as_str().replace('_', " "),
            None => "eligible".to_owned(),
        };
        let cells = [
            if is_chosen(node) { ">" } else { "" }.to_owned(),
            node.id.clone(),
            verdict,
            node.health.to_string(),
            node.weight.to_string(),
            node.in_flight.to_string(),
            node.tier.to_string(),
            node.zone.clone(),
            node.drawn.map_or_else(String::new, |drawn| drawn.to_string()),
            node.score.as_ref().map_or_else(String::new, rating),
        ];
        table.row(cells.into_iter().take(columns.len()));
    }
    table.lines()
}

/// What is compared, and what it is made of.
fn rating(score: &Score) -> String {
    let terms: Vec<String> = score.terms.iter().map(|(name, term)| format!("{name} {}", short(*term))).collect();
    let value = score.value.map_or_else(String::new, short);
    if terms.is_empty() { value } else { format!("{value} ({})", terms.join(", ")).trim_start().to_owned() }
}

/// A number in six figures at most, without zeros at its end.
fn short(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let places = (5 - number.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadwise::{Pool, Request};

    #[test]
    fn numbers_are_short_and_exact_enough() {
        let numbers = [0.0, 3.0, -1.5, 0.333_333_333, 12_345_678.9, 0.000_012_345, f64::NAN, f64::INFINITY];
        assert_eq!(numbers.map(short), ["0", "3", "-1.5", "0.333333", "12345679", "0.000012345", "NaN", "inf"]);
    }

    #[test]
    fn what_was_chosen_what_was_not_and_why() {
        let pool = Pool::from_config(
            "{strategy: least_request, quotas: [{dimension: rpm, limit: 9}], affinity: true,
              nodes: [{id: a, zone: eu}, b, {id: c, weight: 2}]}",
        )
        .unwrap();
        let busy = pool.pick(&Request::new().exclude(&["b", "c"])).unwrap();
        let request = Request::new().exclude(&["b"]).session(b"s").cost(&[("rpm", 4)]);
        let text = of("shop", &pool.explain(&request));
        assert_eq!(
            text,
            "\
pool shop: c

chosen by  least_request
takes      4 of the quota rpm
takes      the session is on this node from now on

   NODE            HEALTH   WEIGHT  IN FLIGHT  TIER  ZONE  DRAWN  in_flight_per_weight
   a     eligible  healthy       1          1     0  eu           1 (in_flight 1, weight 1)
   b     excluded  healthy       1          0     0
>  c     chosen    healthy       2          0     0               0 (in_flight 0, weight 2)
"
        );
        drop(busy);
    }

    #[test]
    fn why_there_is_none() {
        let pool = Pool::from_config("{strategy: p2c, nodes: [a]}").unwrap();
        let text = of("shop", &pool.explain(&Request::new().require(&[("region", "mars")])));
        assert!(text.starts_with("pool shop: no node, no_match\n"), "{text}");
        assert!(text.contains("a     no match  healthy"), "{text}");
    }
}
