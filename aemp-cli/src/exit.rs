//! The exit statuses of the command.

use std::process::{ExitCode, Termination};

/// The exit status of the command.
///
/// ```
/// assert_eq!(aemp_cli::Exit::Done.code(), 0);
/// assert_eq!(aemp_cli::Exit::Network.code(), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: everything was done.
    Done,
    /// 1: the command has failed: for example, the port is dead, there was no answer in time, or a key does not exist.
    Failed,
    /// 2: the command line is invalid.
    Usage,
    /// 3: the configuration is invalid: for example, a broken file, no secret, no seeds, an address that cannot be
    /// bound.
    Config,
    /// 4: the network cannot be joined: no seed is reachable, or all seeds refuse the connection.
    Network,
    /// 75: a node was asked to restart (`aemp restart`). The process that watches it starts it again.
    Restart,
    /// 255: the other node evaluated the code, and the code failed (as in the reference).
    Eval,
}

impl Exit {
    /// The status as a number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Network => 4,
            Self::Restart => 75,
            Self::Eval => 255,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}
