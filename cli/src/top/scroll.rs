//! Where somebody is in a list that is longer than the screen.

use std::ops::Range;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scroll {
    /// The line that is marked.
    pub at: usize,
    /// The first that is shown.
    top: usize,
    /// Lines that were shown the last time.
    height: usize,
}

impl Scroll {
    /// The lines of a list of `length` that are shown on `height` lines: the marked one is among them.
    pub fn window(&mut self, length: usize, height: usize) -> Range<usize> {
        self.height = height;
        self.at = self.at.min(length.saturating_sub(1));
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(height)).min(length.saturating_sub(height));
        self.top..(self.top + height).min(length)
    }

    pub fn back(&mut self, lines: usize) {
        self.at = self.at.saturating_sub(lines);
    }

    pub fn on(&mut self, lines: usize, length: usize) {
        self.at = self.at.saturating_add(lines).min(length.saturating_sub(1));
    }

    pub fn page(&self) -> usize {
        self.height.saturating_sub(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_line_is_shown_and_no_line_is_left_empty() {
        let mut scroll = Scroll::default();
        assert_eq!(scroll.window(300, 10), 0..10);
        scroll.on(9, 300);
        assert_eq!(scroll.window(300, 10), 0..10);
        scroll.on(1, 300);
        assert_eq!((scroll.at, scroll.window(300, 10)), (10, 1..11));
        scroll.on(1000, 300);
        assert_eq!((scroll.at, scroll.window(300, 10)), (299, 290..300));
        scroll.back(scroll.page());
        assert_eq!((scroll.at, scroll.window(300, 10)), (290, 290..300));
        scroll.back(1);
        assert_eq!(scroll.window(300, 10), 289..299);
        assert_eq!(scroll.window(300, 20), 280..300, "a larger screen");
        assert_eq!((scroll.window(5, 10), scroll.at), (0..5, 4), "most of them went");
        assert_eq!(scroll.window(0, 10), 0..0);
        assert_eq!(scroll.window(5, 0).len(), 0);
    }
}
