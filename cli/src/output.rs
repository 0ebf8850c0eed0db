//! What is written to whoever called, who may have stopped reading.

use std::io::{self, BufWriter, ErrorKind, Write};

use crate::failure::Failure;

/// Bytes that are written at once.
const PIECE_BYTES: usize = 64 << 10;

/// Writes to standard output. Whoever reads no further, as `head`, has seen enough.
pub fn print(text: &str) -> Result<(), Failure> {
    print_by(|out| out.write_all(text.as_bytes()))
}

/// Writes what `write` does, which may be in many small pieces, to standard output.
pub fn print_by(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(PIECE_BYTES, io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Wrong(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes to standard error. If nobody can be told, the exit code still says it.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A text that others have made, such that it cannot do anything to a terminal.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
