//! Which line to blame for what is found wrong only after several keys were read.

use super::super::value::{Kind, Value};

/// The lines of a document from some place on; or one line for all, where there is no document.
#[derive(Clone, Copy)]
pub(in super::super) struct Lines<'v> {
    value: Option<&'v Value>,
    line: usize,
}

impl<'v> Lines<'v> {
    pub fn of(value: &'v Value) -> Self {
        Self { value: Some(value), line: value.line }
    }

    /// For what code has made: `line`, or 0.
    pub fn all(line: usize) -> Self {
        Self { value: None, line }
    }

    /// The lines of the value of that name; those of the map where it is left out.
    pub fn key(self, name: &str) -> Self {
        self.below(self.value.and_then(|value| value.get(name)))
    }

    /// The lines of an item of a list.
    pub fn index(self, index: usize) -> Self {
        self.below(self.value.and_then(|value| match &value.kind {
            Kind::List(items) => items.get(index),
            _ => None,
        }))
    }

    /// That of the first of these keys that is there.
    pub fn first(self, names: &[&str]) -> usize {
        let there = self.value.and_then(|value| names.iter().find_map(|name| value.get(name)));
        there.map_or(self.line, |value| value.line)
    }

    /// Whether there is a document.
    pub fn has_document(self) -> bool {
        self.value.is_some()
    }

    fn below(self, value: Option<&'v Value>) -> Self {
        value.map_or(Self { value: None, line: self.line }, Self::of)
    }
}
