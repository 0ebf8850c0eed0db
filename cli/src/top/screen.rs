//! The board, drawn: what is where on the screen.
//!
//! From the top: the state as a whole, the pools, the pool that is shown, its nodes, the marked node, then processes, open
//! picks and events, below each other or on wide screens beside each other; the keys at the bottom. A screen that is too
//! low for all of it shows the list that has the focus.

mod columns;
mod head;
mod help;
mod log;
mod marked;
mod nodes;
mod picks;
mod processes;
mod rooms;
#[cfg(test)]
mod tests;
mod theme;

pub use theme::Theme;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::board::{Board, List};
use rooms::Rooms;

pub fn draw(frame: &mut Frame<'_>, board: &mut Board, theme: &Theme) {
    let (nodes, processes) = (board.length(List::Nodes), board.length(List::Processes));
    let rooms = Rooms::of(frame.area(), nodes, processes, board.focus);
    head::state(frame, rooms.state, board, theme);
    head::pools(frame, rooms.pools, board, theme);
    head::pool(frame, rooms.pool, board, theme);
    for list in List::ALL {
        let room: Rect = rooms.lists[list as usize];
        match list {
            List::Nodes => nodes::draw(frame, room, board, theme),
            List::Processes => processes::draw(frame, room, board, theme),
            List::Picks => picks::draw(frame, room, board, theme),
            List::Log => log::draw(frame, room, board, theme),
        }
    }
    marked::draw(frame, rooms.marked, board, theme);
    head::keys(frame, rooms.keys, board, theme);
    if board.shows_help {
        help::draw(frame, theme);
    }
}
