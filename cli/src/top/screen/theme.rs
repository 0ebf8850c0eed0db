//! How things look: readable without colours, which only point to what is told in words or marks as well.

use ratatui::style::{Color, Modifier, Style};

use crate::top::condition::Grade;

pub struct Theme {
    has_colors: bool,
}

impl Theme {
    pub fn new(has_colors: bool) -> Self {
        Self { has_colors }
    }

    /// As <https://no-color.org> has it.
    pub fn of_environment() -> Self {
        Self::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub fn grade(&self, grade: Grade) -> Style {
        match grade {
            Grade::Good => Style::new(),
            Grade::Warning => self.color(Color::Yellow),
            Grade::Bad => self.color(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// What is looked for first.
    pub fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What explains.
    pub fn weak(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What was chosen.
    pub fn chosen(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The headings of a list.
    pub fn heading(&self, has_focus: bool) -> Style {
        if has_focus { self.chosen() } else { Style::new().add_modifier(Modifier::UNDERLINED) }
    }

    fn color(&self, color: Color) -> Style {
        if self.has_colors { Style::new().fg(color) } else { Style::new() }
    }
}
