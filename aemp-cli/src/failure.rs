//! The failure of a command: a text for users, and an exit status for scripts.

use std::{fmt, io};

use aemp::config::ConfigError;

use crate::Exit;

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Empty if there is nothing to print.
    pub(crate) text: String,
}

/// The result of a command.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    fn new(exit: Exit, text: impl fmt::Display) -> Self {
        let text = text.to_string();
        Self { exit, text }
    }

    /// The command has failed.
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// The command line is wrong.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// The configuration is wrong.
    pub(crate) fn config(text: impl fmt::Display) -> Self {
        Self::new(Exit::Config, text)
    }

    /// The network cannot be joined.
    pub(crate) fn network(text: impl fmt::Display) -> Self {
        Self::new(Exit::Network, text)
    }

    /// Code failed on another node.
    pub(crate) fn eval(text: impl fmt::Display) -> Self {
        Self::new(Exit::Eval, text)
    }
}

impl From<ConfigError> for Failure {
    /// An invalid value is an error of the command line, unless it stands in the file.
    fn from(error: ConfigError) -> Self {
        match &error {
            ConfigError::Value { place, .. } if place.file.is_none() => Self::usage(error),
            ConfigError::NoKey { .. } => Self::usage(error),
            _ => Self::config(error),
        }
    }
}

impl From<io::Error> for Failure {
    /// An error of writing results. A reader that has closed the pipe, such as `head`, is not an error.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, "");
        }
        Self::failed(format_args!("cannot write the result: {error}"))
    }
}
