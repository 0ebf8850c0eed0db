//! The state that processes share.

use super::schema::{self, Key, Lines, Place, Section, Shape, int, word, words};
use super::value::Value;
use crate::vocabulary::error::ConfigError;

words! {
    /// What becomes of a file that is no state for this version of the library: another version's, cut off, damaged, or
    /// something else altogether.
    OnBadSegment {
        /// An error, and the file stays as it is.
        #[default]
        Fail = "fail",
        /// A new file takes its place; who is attached to the old one goes on with that.
        Recreate = "recreate",
        /// This process goes on alone, on private memory.
        Private = "private",
    }
}

/// Where processes share the state of their pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedConfig {
    /// A file, usually under /dev/shm; made when it is not there.
    pub path: String,
    /// The permissions of a file that is made, in octal digits.
    pub mode: String,
    pub on_bad_segment: OnBadSegment,
    /// Processes at one time, 2 ..= 255; fixed when the file is made.
    pub max_processes: u32,
}

impl SharedConfig {
    pub const PATH_BYTES_MAX: usize = 1024;

    /// A state in this file, with the defaults of the rest.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// As data, with every key.
    pub fn to_value(&self) -> Value {
        schema::entries(self, Self::KEYS)
    }

    /// The permissions as a number.
    pub(crate) fn mode_bits(&self) -> Option<u32> {
        let is_octal = self.mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        u32::from_str_radix(&self.mode, 8).ok().filter(|bits| is_octal && *bits <= 0o777 && bits & 0o600 == 0o600)
    }
}

impl From<&str> for SharedConfig {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl Default for SharedConfig {
    fn default() -> Self {
        Self { path: String::new(), mode: "0600".to_owned(), on_bad_segment: OnBadSegment::Fail, max_processes: 64 }
    }
}

impl Section for SharedConfig {
    const KEYS: &'static [Key<Self>] = &[
        Key {
            name: "path",
            unit: "",
            doc: "A file that all processes of the machine map, best in a file system of memory: `/dev/shm/NAME`. \
                  Made when it is not there; it stays when the last process leaves.",
            shape: Shape::Text { min: 1, max: Self::PATH_BYTES_MAX, get: |c| &c.path, set: |c, text| c.path = text },
        },
        Key {
            name: "mode",
            unit: "",
            doc: "The permissions of a file that is made: three or four octal digits in quotes. \
                  `0660` lets processes of a group share the state.",
            shape: Shape::Text { min: 3, max: 4, get: |c| &c.mode, set: |c, text| c.mode = text },
        },
        word!(
            on_bad_segment: OnBadSegment,
            "What to do with a file that is of another version, cut off, damaged, or no state at all: `fail`, \
             `recreate` it, or go on alone on `private` memory."
        ),
        int!(
            max_processes: u32, 2, 255, "processes",
            "Processes that share the state at one time; fixed when the file is made. Larger: 8 bytes a node more for each."
        ),
    ];
    const REQUIRED: &'static [&'static str] = &["path"];

    fn fits(&self, place: &Place, lines: Lines) -> Result<(), ConfigError> {
        if self.mode_bits().is_none() {
            let message =
                format!("must be octal digits that let the owner read and write, as \"0600\", not {:?}", self.mode);
            return Err(place.key("mode").error(lines.first(&["mode"]), message));
        }
        Ok(())
    }
}
