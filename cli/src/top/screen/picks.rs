//! The picks of the pool that is shown that have been open for the longest time.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Theme;
use super::columns::{self, Column, shortened};
use crate::top::board::{Board, List};
use crate::top::once::age;

pub fn draw(frame: &mut Frame<'_>, room: Rect, board: &mut Board, theme: &Theme) {
    let id_width = room.width.saturating_sub(8 + 8 + 15 + 3).max(1);
    let columns = [
        Column::right("OPEN FOR", 8),
        Column::left("NODE", id_width).with_range(),
        Column::right("PROCESS", 8),
        Column::left("COMMAND", 15),
    ];
    columns::draw(frame, room, (board, List::Picks), theme, &columns, "no open picks", |board, line| {
        let pick = board.pool().and_then(|pool| pool.open_picks.get(line));
        let Some(pick) = pick else { return Default::default() };
        let process = board.look.processes.iter().find(|process| process.pid == pick.pid);
        let cells = vec![
            age(pick, board.look.now_ns),
            shortened(&pick.node, usize::from(id_width)),
            pick.pid.to_string(),
            process.map_or_else(String::new, |process| process.command.clone()),
        ];
        (ratatui::style::Style::new(), cells)
    });
}
