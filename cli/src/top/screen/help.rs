//! What the keys do, above all else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::Theme;
use crate::table::width;
use crate::top::keys::HELP;

pub fn draw(frame: &mut Frame<'_>, theme: &Theme) {
    let keys = HELP.iter().map(|(key, _)| width(key)).max().unwrap_or(0);
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(key, does)| {
            let key = format!(" {key}{}", " ".repeat(keys.saturating_sub(width(key))));
            Line::from(vec![Span::styled(key, theme.strong()), Span::raw(format!("  {does} "))])
        })
        .collect();
    let area = frame.area();
    let wide = (lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 2).min(area.width);
    let high = (lines.len() as u16 + 2).min(area.height);
    let place = Rect::new((area.width - wide) / 2, (area.height - high) / 2, wide, high);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" loadwise top ")), place);
}
