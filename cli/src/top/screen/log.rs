//! What has happened, the newest first.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::Theme;
use super::columns::{self, Column};
use crate::top::board::{Board, List};

pub fn draw(frame: &mut Frame<'_>, room: Rect, board: &mut Board, theme: &Theme) {
    let columns = [Column::left("TIME", 8), Column::rest("EVENT").with_range()];
    columns::draw(frame, room, (board, List::Log), theme, &columns, "nothing has changed since", |board, line| {
        let Some(event) = board.log.get(line) else { return Default::default() };
        (theme.grade(event.grade), vec![time_of_day(event.time), event.text.clone()])
    });
}

/// Where the caller is.
pub fn time_of_day(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S").to_string()
}
