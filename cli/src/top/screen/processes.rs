//! The processes that share the state.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Theme;
use super::columns::{self, Column};
use crate::numbers::{count, duration};
use crate::top::board::{Board, List};
use crate::top::condition::Grade;
use crate::top::once::process_state;

pub fn draw(frame: &mut Frame<'_>, room: Rect, board: &mut Board, theme: &Theme) {
    let columns = [
        Column::right("PROCESS", 8),
        Column::left("COMMAND", 15).with_range(),
        Column::left("STATE", 9),
        Column::right("FLIGHT", 6),
        Column::right("SINCE", 7),
        Column::right("BEAT", 7),
        Column::right("REPEATS", 7),
    ];
    columns::draw(frame, room, (board, List::Processes), theme, &columns, "no processes", |board, line| {
        let Some(process) = board.look.processes.get(line) else { return Default::default() };
        let ago = |since_ns: u64| duration(board.look.now_ns.saturating_sub(since_ns));
        let cells = vec![
            process.pid.to_string(),
            process.command.clone(),
            process_state(process).to_owned(),
            count(process.in_flight),
            ago(process.since_ns),
            ago(process.heartbeat_ns),
            count(process.repeats),
        ];
        (theme.grade(if process.alive { Grade::Good } else { Grade::Bad }), cells)
    });
}
