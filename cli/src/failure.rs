//! Why a command cannot do what it was asked for.

use std::process::ExitCode;

/// Exit code of a command that found something wrong.
pub const WRONG: u8 = 1;
/// Exit code of a command that was called wrongly; that of clap.
pub const USAGE: u8 = 2;

#[derive(Debug)]
pub enum Failure {
    /// Something is wrong with what was to be looked at.
    Wrong(String),
    /// The command was called wrongly.
    Usage(String),
    /// The same, and it was told already.
    Told,
}

impl Failure {
    /// Says so on standard error.
    pub fn tell(self) -> ExitCode {
        let (message, code) = match self {
            Self::Wrong(message) => (message, WRONG),
            Self::Usage(message) => (message, USAGE),
            Self::Told => return WRONG.into(),
        };
        crate::output::complain(&format!("loadwise: {message}\n"));
        code.into()
    }
}

impl From<loadwise::Error> for Failure {
    fn from(error: loadwise::Error) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Wrong(error.to_string())
    }
}
