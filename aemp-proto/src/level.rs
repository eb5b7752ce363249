//! The severity of log lines.

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// An operator should know this.
    Warn,
    /// Nodes come and go.
    Info,
    /// Failed attempts, and details.
    Debug,
}
