//! Plain text in columns.

use ratatui::text::Line;

use crate::output::harmless;

/// Where a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// Rows under their headings, as wide as what is in them.
pub struct Table {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(columns: &[(&str, Side)]) -> Self {
        let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        Self { sides: columns.iter().map(|(_, side)| *side).collect(), rows: vec![headings] }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| harmless(&cell)).collect());
    }

    /// A line each, two spaces between columns.
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.sides.len())
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(&self.sides).map(|((cell, &wide), side)| {
                let space = " ".repeat(wide.saturating_sub(width(cell)));
                match side {
                    Side::Left => format!("{cell}{space}"),
                    Side::Right => format!("{space}{cell}"),
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Columns that a text takes in a terminal.
pub fn width(text: &str) -> usize {
    Line::raw(text).width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(&[("NODE", Side::Left), ("WEIGHT", Side::Right), ("ZONE", Side::Left)]);
        table.row(["a", "1", "eu"].map(str::to_owned));
        table.row(["日本", "10", ""].map(str::to_owned));
        table.row(["\u{1b}[2J", "7", "us"].map(str::to_owned));
        assert_eq!(
            table.lines(),
            ["NODE  WEIGHT  ZONE", "a          1  eu", "日本      10", "\u{FFFD}[2J       7  us"]
        );
    }
}
