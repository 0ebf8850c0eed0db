//! The lines around the lists: the state as a whole, the pools, the pool that is shown, the keys.

use loadwise::stats::PoolStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Theme;
use super::columns::shortened;
use super::log::time_of_day;
use crate::numbers::{count, or_unknown, percent, rate};
use crate::table::width;
use crate::top::board::Board;
use crate::top::condition::Grade;
use crate::top::once::{limited, percentiles};
use crate::top::rates::PoolRates;
use crate::top::watch::Standing;

pub fn state(frame: &mut Frame<'_>, room: Rect, board: &Board, theme: &Theme) {
    let paused = if board.is_paused { "PAUSED  " } else { "" };
    let right = format!("{paused}every {}  {}", interval(board.interval_ms), time_of_day(board.look.time));
    let left = usize::from(room.width).saturating_sub(width(&right) + "loadwise  ".len() + 2);
    let path = shortened(&board.path, left);
    let gap = " ".repeat((left + 2).saturating_sub(width(&path)));
    let title = Line::from(vec![
        Span::styled("loadwise", theme.strong()),
        Span::raw(format!("  {path}{gap}")),
        Span::styled(right, if board.is_paused { theme.chosen() } else { Style::new() }),
    ]);
    frame.render_widget(Paragraph::new(vec![title, totals(board, theme)]), room);
}

fn totals(board: &Board, theme: &Theme) -> Line<'static> {
    let trouble = match &board.standing {
        Standing::Same | Standing::Replaced => None,
        Standing::Removed => {
            Some("the file was removed: this is what there was, and who has it goes on with it".to_owned())
        }
        Standing::Unusable(reason) => Some(format!("this is what there was: {reason}")),
    };
    if let Some(trouble) = trouble {
        return Line::styled(trouble, theme.grade(Grade::Bad).patch(theme.chosen()));
    }
    let sum = |of: fn(&PoolStats) -> u64| board.look.pools.iter().map(|pool| of(&pool.stats)).sum::<u64>();
    let rates = board.rates.all();
    let figures = format!(
        "processes {}  available {}/{}  in flight {}  picks {}/s  errors {}  no node {}/s",
        board.look.processes.len(),
        sum(|pool| pool.available),
        sum(|pool| pool.nodes.len() as u64),
        count(sum(|pool| pool.in_flight)),
        or_unknown(rates.picks_per_s, rate),
        or_unknown(rates.error_share(), percent),
        or_unknown(board.rates.no_node_per_s(), rate),
    );
    Line::raw(figures)
}

fn interval(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

/// As many of the pools as there is room for, the chosen one among them.
pub fn pools(frame: &mut Frame<'_>, room: Rect, board: &Board, theme: &Theme) {
    let chosen = board.pool_place();
    let tabs: Vec<String> = board.look.pools.iter().enumerate().map(|(place, pool)| tab(place, &pool.stats)).collect();
    if tabs.is_empty() {
        frame.render_widget(Paragraph::new(Line::styled("no pools", theme.weak())), room);
        return;
    }
    // The first that is shown: so late that the chosen one fits.
    let fits = |first: usize| tabs[first..=chosen].iter().map(|tab| width(tab) + 1).sum::<usize>() < room.width.into();
    let first = (0..chosen).find(|&first| fits(first)).unwrap_or(chosen);
    let mut spans = Vec::new();
    for (place, tab) in tabs.iter().enumerate().skip(first) {
        let is_down = board.look.pools[place].stats.available == 0;
        let style = theme.grade(if is_down { Grade::Bad } else { Grade::Good });
        spans.push(Span::styled(tab.clone(), if place == chosen { style.patch(theme.chosen()) } else { style }));
        spans.push(Span::raw(" "));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), room);
}

/// ` 1 shop! `: a mark for pools with nodes that take nothing.
fn tab(place: usize, stats: &PoolStats) -> String {
    let is_well = stats.available == stats.nodes.len() as u64;
    format!(" {} {}{} ", place + 1, stats.name, if is_well { "" } else { "!" })
}

pub fn pool(frame: &mut Frame<'_>, room: Rect, board: &Board, theme: &Theme) {
    let Some(pool) = board.pool() else { return };
    let lines = vec![main_line(&pool.stats, board.pool_rates(), theme), other_line(&pool.stats, board.pool_rates())];
    frame.render_widget(Paragraph::new(lines), room);
}

fn main_line(stats: &PoolStats, rates: Option<&PoolRates>, theme: &Theme) -> Line<'static> {
    let all = rates.map(|rates| &rates.all);
    let mut figures = format!(
        "  {}  available {}/{}  in flight {}  picks {}/s  errors {}",
        stats.strategy,
        stats.available,
        stats.nodes.len(),
        limited(stats.in_flight, stats.max_in_flight),
        or_unknown(all.and_then(|all| all.picks_per_s), rate),
        or_unknown(all.and_then(|all| all.error_share()), percent),
    );
    if stats.panic {
        figures += "  PANIC";
    }
    Line::from(vec![Span::styled(stats.name.clone(), theme.strong()), Span::raw(figures)])
}

/// Latencies, and what is not as it mostly is.
fn other_line(stats: &PoolStats, rates: Option<&PoolRates>) -> Line<'static> {
    let mut parts = Vec::new();
    let mut say = |applies: bool, text: String| {
        if applies {
            parts.push(text);
        }
    };
    let latency = stats.latency.as_ref().filter(|latency| latency.count > 0);
    say(latency.is_some(), latency.map_or_else(String::new, percentiles));
    let tiers = stats.tier_shares.iter().rposition(|&share| share > 0.0).map_or(0, |last| last + 1);
    let shares = stats.tier_shares[..tiers].iter().map(|&share| percent(share)).collect::<Vec<_>>().join("/");
    say(tiers > 1, format!("tiers {shares}"));
    say(stats.failovers > 0, format!("failovers {}", stats.failovers));
    say(stats.waiting > 0, format!("waiting {}", stats.waiting));
    let none: Vec<String> = stats
        .no_node
        .iter()
        .filter(|(_, found)| *found > 0)
        .map(|(reason, found)| format!("{} {}", reason.as_str(), count(*found)))
        .collect();
    say(!none.is_empty(), format!("no node: {}", none.join(", ")));
    let per_s = rates.and_then(|rates| rates.retries_per_s).filter(|&per_s| per_s > 0.0).map(rate);
    let per_s = per_s.map_or_else(String::new, |per_s| format!(" ({per_s}/s)"));
    say(stats.retries > 0, format!("retries {}{per_s}", count(stats.retries)));
    say(stats.retries_denied > 0, format!("retries denied {}", count(stats.retries_denied)));
    say(stats.rate_limited > 0, format!("rate limited {}", count(stats.rate_limited)));
    say(stats.leases_expired > 0, format!("timed out {}", count(stats.leases_expired)));
    say(stats.affinity_entries > 0, format!("sessions {}", count(stats.affinity_entries)));
    say(true, format!("configuration {}", stats.config_version));
    Line::raw(parts.join("  "))
}

pub fn keys(frame: &mut Frame<'_>, room: Rect, board: &Board, theme: &Theme) {
    let text = format!("q quit  ? help  p pause  Tab pool  ↑↓ move  f next list  s sort: {}", board.order.name());
    frame.render_widget(Paragraph::new(Line::styled(text, theme.weak())), room);
}
