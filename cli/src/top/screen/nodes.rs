//! The nodes of the pool that is shown.

use loadwise::stats::{LatencyStats, NodeStats};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::Theme;
use super::columns::{self, Column, shortened};
use crate::numbers::{count, milliseconds, or_unknown, percent, rate};
use crate::table::width;
use crate::top::board::{Board, List};
use crate::top::condition::{Grade, grade, words};
use crate::top::once::{by_process, kinds};
use crate::top::rates::Rate;

/// Columns of the mark of nodes that take nothing.
const MARK: u16 = 1;
/// Columns that ids have at least, and before there are more figures.
const ID_MIN: u16 = 12;
const ID_WANTED: u16 = 20;
const BY_PROCESS: &str = "IN FLIGHT BY PROCESS";

/// What is shown of a node and of what happens on it.
type Cell = fn(&NodeStats, Option<&Rate>) -> String;

struct Figure {
    column: Column,
    cell: Cell,
}

fn figure(column: Column, cell: Cell) -> Figure {
    Figure { column, cell }
}

pub fn draw(frame: &mut Frame<'_>, room: Rect, board: &mut Board, theme: &Theme) {
    let nodes = board.pool().map_or(&[][..], |pool| &pool.stats.nodes);
    let longest = nodes.iter().map(|node| width(&node.id)).max().unwrap_or(0).min(usize::from(room.width)) as u16;
    let (id_width, figures) = figures(room.width, longest, nodes.iter().any(|node| node.latency.is_some()));
    let mut columns = vec![Column::left("", MARK), Column::left("NODE", id_width).with_range()];
    let cells: Vec<Cell> = figures.iter().map(|figure| figure.cell).collect();
    columns.extend(figures.into_iter().map(|figure| figure.column));
    columns::draw(frame, room, (board, List::Nodes), theme, &columns, "no nodes", |board, line| {
        let Some((place, node)) = board.node(line) else { return Default::default() };
        let rate = board.pool_rates().and_then(|rates| rates.node(place));
        let grade = grade(node);
        let mark = if grade == Grade::Bad { "!" } else { "" };
        let first = [mark.to_owned(), shortened(&node.id, usize::from(id_width))];
        (theme.grade(grade), first.into_iter().chain(cells.iter().map(|cell| cell(node, rate))).collect())
    });
}

/// Columns for ids, and as many figures as there is room for beside them, the first ones first.
fn figures(wide: u16, longest_id: u16, has_latency: bool) -> (u16, Vec<Figure>) {
    let mut left = wide.saturating_sub(MARK + 1 + longest_id.clamp(ID_MIN, ID_WANTED));
    let mut figures = wanted(has_latency);
    figures.retain(|figure| {
        let needs = 1 + figure.column.width.unwrap_or(0);
        let fits = needs <= left;
        left -= if fits { needs } else { 0 };
        fits
    });
    // What is left is for long ids, then for many processes.
    let longer = left.min(longest_id.saturating_sub(ID_WANTED));
    if let Some(figure) = figures.iter_mut().find(|figure| figure.column.heading == BY_PROCESS) {
        figure.column.width = figure.column.width.map(|width| width + left - longer);
    }
    let taken: u16 = figures.iter().map(|figure| 1 + figure.column.width.unwrap_or(0)).sum();
    let id_width = wide.saturating_sub(MARK + 1 + taken);
    (id_width, figures)
}

fn wanted(has_latency: bool) -> Vec<Figure> {
    let mut figures = vec![
        figure(Column::left("STATE", 11), |node, _| {
            let words = words(node);
            let more = if words.len() > 1 { "+" } else { "" };
            let first = words[0].replace("breaker half open", "half open");
            format!("{}{more}", shortened(&first, 11 - more.len()))
        }),
        figure(Column::right("WEIGHT", 6), |node, _| count(u64::from(node.weight))),
        figure(Column::right("T", 2), |node, _| node.tier.to_string()),
        figure(Column::right("FLIGHT", 6), |node, _| count(node.in_flight)),
        figure(Column::right("PICKS/S", 7), |_, of| or_unknown(of.and_then(|of| of.picks_per_s), rate)),
    ];
    figures.extend(match has_latency {
        true => vec![
            figure(Column::right("P50", 5), |node, _| latency(node, |latency| latency.p50_ms)),
            figure(Column::right("P95", 5), |node, _| latency(node, |latency| latency.p95_ms)),
            figure(Column::right("P99", 5), |node, _| latency(node, |latency| latency.p99_ms)),
        ],
        false => vec![figure(Column::right("AVG MS", 6), |node, _| or_unknown(node.latency_ewma_ms, milliseconds))],
    });
    figures.extend([
        figure(Column::right("ERR", 5), |_, of| or_unknown(of.and_then(Rate::error_share), percent)),
        figure(Column::left("BREAKER", 9), |node, _| node.breaker.to_string()),
        figure(Column::left(BY_PROCESS, 28), |node, _| by_process(&node.in_flight_by_process)),
        figure(Column::left("FAILURES BY KIND", 36), |node, _| kinds(&node.failures_by_kind)),
        figure(Column::left("ZONE", 10), |node, _| shortened(&node.zone, 10)),
        figure(Column::right("LIMIT", 6), |node, _| {
            or_unknown(Some(node.max_in_flight).filter(|&most| most > 0), count)
        }),
        figure(Column::right("PICKS", 6), |node, _| count(node.selections)),
    ]);
    figures
}

fn latency(node: &NodeStats, figure: fn(&LatencyStats) -> f64) -> String {
    or_unknown(node.latency.as_ref().filter(|latency| latency.count > 0).map(figure), milliseconds)
}
