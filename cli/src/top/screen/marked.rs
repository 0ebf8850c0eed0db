//! All about the marked node.

use loadwise::stats::NodeStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Theme;
use crate::numbers::{count, or_unknown, percent};
use crate::top::board::{Board, List};
use crate::top::condition::{grade, words};
use crate::top::once::{by_process, kinds, limited};
use crate::top::rates::{Rate, error_share_of};

pub fn draw(frame: &mut Frame<'_>, room: Rect, board: &mut Board, theme: &Theme) {
    let at = board.scroll(List::Nodes).at;
    let Some((place, node)) = board.node(at) else { return };
    let rate = board.pool_rates().and_then(|rates| rates.node(place));
    let first = Line::from(vec![
        Span::styled(node.id.clone(), theme.strong()),
        Span::raw("  "),
        Span::styled(words(node).join(", "), theme.grade(grade(node))),
        Span::raw(who(node)),
    ]);
    frame.render_widget(Paragraph::new(vec![first, Line::raw(figures(node, rate))]), room);
}

fn who(node: &NodeStats) -> String {
    let mut text = String::new();
    let mut say = |applies: bool, what: String| {
        if applies {
            text += "  ";
            text += &what;
        }
    };
    say(!node.name.is_empty(), node.name.clone());
    say(node.address != node.id, format!("at {}", node.address));
    say(true, format!("tier {}", node.tier));
    say(!node.zone.is_empty(), format!("zone {}", node.zone));
    say(true, format!("weight {}", node.weight));
    say(
        node.checks_failed + node.checks_ok > 0,
        format!("checks {} ok, {} failed", node.checks_ok, node.checks_failed),
    );
    for quota in &node.quotas {
        say(true, format!("{} {} of {}", quota.dimension, count(quota.used), count(quota.limit)));
    }
    text
}

fn figures(node: &NodeStats, rate: Option<&Rate>) -> String {
    let mut text = format!("in flight {}", limited(node.in_flight, node.max_in_flight));
    if !node.in_flight_by_process.is_empty() {
        text += &format!(" ({})", by_process(&node.in_flight_by_process));
    }
    text += &format!("  picks {}  errors {}", count(node.selections), or_unknown(error_share_of(node), percent));
    if node.failures > 0 {
        text += &format!(": {}", kinds(&node.failures_by_kind));
    }
    if let Some(rate) = rate.filter(|rate| rate.failures > 0) {
        text += &format!("  now: {}", kinds(&rate.failures_by_kind));
    }
    if let Some(success_rate) = node.success_rate {
        text += &format!("  success rate {}", percent(success_rate));
    }
    text
}
