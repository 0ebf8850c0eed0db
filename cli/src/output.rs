//! What is written to whoever called, who may have stopped reading.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes to standard output. Whoever reads no further, as `head`, has seen enough.
pub fn print(text: &str) -> Result<(), Failure> {
    match write(&mut io::stdout().lock(), text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Wrong(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes to standard error. If nobody can be told, the exit code still says it.
pub fn complain(text: &str) {
    let _ = write(&mut io::stderr().lock(), text);
}

fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A text that others have made, such that it cannot do anything to a terminal.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
