//! A list in columns under their headings.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::Theme;
use crate::table::{Side, width};
use crate::top::board::{Board, List};

pub struct Column {
    pub heading: &'static str,
    pub side: Side,
    /// In columns of the screen; `None`: as much as the others leave.
    pub width: Option<u16>,
    /// Whether its heading tells which lines of a longer list are shown.
    has_range: bool,
}

impl Column {
    pub fn left(heading: &'static str, width: u16) -> Self {
        Self { heading, side: Side::Left, width: Some(width), has_range: false }
    }

    pub fn right(heading: &'static str, width: u16) -> Self {
        Self { side: Side::Right, ..Self::left(heading, width) }
    }

    pub fn rest(heading: &'static str) -> Self {
        Self { width: None, ..Self::left(heading, 0) }
    }

    pub fn with_range(self) -> Self {
        Self { has_range: true, ..self }
    }

    fn heading(&self, window: &Range<usize>, length: usize) -> String {
        match self.has_range && window.len() < length && !window.is_empty() {
            true => format!("{} {}-{}/{length}", self.heading, window.start + 1, window.end),
            false => self.heading.to_owned(),
        }
    }
}

/// Draws the lines of a list that are in its window, each as `row` tells them; `empty` where there are none.
pub fn draw(
    frame: &mut Frame<'_>,
    room: Rect,
    (board, list): (&mut Board, List),
    theme: &Theme,
    columns: &[Column],
    empty: &str,
    row: impl Fn(&Board, usize) -> (Style, Vec<String>),
) {
    if room.is_empty() {
        return;
    }
    let (length, has_focus) = (board.length(list), board.focus == list);
    let height = usize::from(room.height - 1);
    let window = board.scroll(list).window(length, height);
    let at = board.scroll(list).at;
    let cell = |column: &Column, text: String| match column.side {
        Side::Left => Cell::new(Line::raw(text)),
        Side::Right => Cell::new(Line::raw(text).right_aligned()),
    };
    let headings = Row::new(columns.iter().map(|column| cell(column, column.heading(&window, length))));
    let rows = window.map(|line| {
        let (style, cells) = row(board, line);
        let style = if has_focus && line == at { style.patch(theme.chosen()) } else { style };
        Row::new(columns.iter().zip(cells).map(|(column, text)| cell(column, text))).style(style)
    });
    let widths = columns.iter().map(|column| column.width.map_or(Constraint::Fill(1), Constraint::Length));
    let table = Table::new(rows, widths).column_spacing(1).header(headings.style(theme.heading(has_focus)));
    frame.render_widget(table, room);
    if length == 0 && height > 0 {
        let line = Rect { y: room.y + 1, height: 1, ..room };
        frame.render_widget(Paragraph::new(Span::styled(empty.to_owned(), theme.weak())), line);
    }
}

/// A text in so many columns; of one that is longer, the begin and the end.
pub fn shortened(text: &str, wide: usize) -> String {
    if width(text) <= wide {
        return text.to_owned();
    }
    let Some(left) = wide.checked_sub(1) else { return String::new() };
    let head = taken(text.chars(), left / 2);
    let tail = taken(text.chars().rev(), left - width(&head));
    format!("{head}…{}", tail.chars().rev().collect::<String>())
}

/// The first of these characters, in so many columns.
fn taken(chars: impl Iterator<Item = char>, wide: usize) -> String {
    let mut text = String::new();
    for c in chars {
        text.push(c);
        if width(&text) > wide {
            text.pop();
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_both_ends() {
        assert_eq!(shortened("10.0.0.1:8080", 13), "10.0.0.1:8080");
        assert_eq!(shortened("10.0.12.131:8080", 13), "10.0.1…1:8080");
        assert_eq!(shortened("abc", 2), "…c");
        assert_eq!(shortened("", 0), "");
        for wide in 0..20 {
            for text in ["日本語のノード名前です", "a日b本c語d", "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}"]
            {
                assert!(width(&shortened(text, wide)) <= wide, "{text} in {wide}");
            }
        }
    }
}
