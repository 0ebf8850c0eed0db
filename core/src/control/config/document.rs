//! Documents from where they are kept: text, bytes, files.

use std::io::Read;
use std::path::Path;

use super::value::Value;
use super::yaml::{self, TEXT_BYTES_MAX};
use crate::vocabulary::error::{ConfigError, Error};

impl Value {
    /// Reads YAML or JSON as data, whatever its keys mean.
    ///
    /// ```
    /// use loadwise::config::{Kind, Value};
    ///
    /// let value = Value::parse("seeds: [1, 2]")?;
    /// assert_eq!(value.get("seeds").unwrap().to_json(), "[\n  1,\n  2\n]");
    /// # Ok::<(), loadwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`], naming the line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(yaml::parse(text)?)
    }

    /// The same from bytes, which must be UTF-8.
    ///
    /// # Errors
    /// [`Error::Config`], naming the line.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(e) => {
                let line = 1 + bytes.iter().take(e.valid_up_to()).filter(|&&b| b == b'\n').count();
                Err(ConfigError::new("", line, "the text is not UTF-8").into())
            }
        }
    }
}

/// Reads a file by `read`. Errors name it.
pub(in crate::control) fn from_path<T>(path: &Path, read: impl FnOnce(&Value) -> Result<T, Error>) -> Result<T, Error> {
    let unreadable = |e: std::io::Error| ConfigError::new("", 0, format!("cannot read {}: {e}", path.display()));
    let mut bytes = Vec::new();
    // One byte more than a text may have is enough to see that there are too many.
    let most = TEXT_BYTES_MAX as u64 + 1;
    std::fs::File::open(path).map_err(unreadable)?.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    Value::from_bytes(&bytes).and_then(|value| read(&value)).map_err(|error| match error {
        Error::Config(e) => ConfigError { message: format!("{} (in {})", e.message, path.display()), ..e }.into(),
        other => other,
    })
}
