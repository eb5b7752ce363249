//! The quality of a network.

use std::time::Duration;

/// How packets fare from one host to another.
///
/// The default is a good network: a latency of about a millisecond and no faults.
///
/// ```
/// use std::time::Duration;
/// use aemp::sim::Conditions;
///
/// let bad = Conditions {
///     latency: Duration::from_millis(5)..=Duration::from_millis(200),
///     cut: 0.01,
///     ..Conditions::default()
/// };
/// assert!(bad.refuse == 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// How long anything takes; drawn anew for each piece of what is written.
    pub latency: std::ops::RangeInclusive<Duration>,
    /// With which probability a write cuts its connection, at a random one of its bytes: what is before that byte
    /// arrives, then both ends find the connection reset.
    pub cut: f64,
    /// With which probability a connection is refused although somebody listens.
    pub refuse: f64,
    /// With which probability an attempt to connect is never answered.
    pub lose: f64,
    /// Into how many pieces, each with a latency of its own, a write is broken at most; they stay in order.
    pub pieces: u32,
    /// How many bytes may be on their way before a writer has to wait.
    pub window: usize,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(500)..=Duration::from_micros(1500),
            cut: 0.0,
            refuse: 0.0,
            lose: 0.0,
            pieces: 2,
            window: 256 << 10,
        }
    }
}

/// How a host ends without warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed. Its machine ends the connections: what was written arrives, or some of it is lost with a
    /// reset, by chance.
    Process,
    /// The machine is lost: the others hear nothing any more, until they give up or the machine is back.
    Machine,
}

/// Why a connection ended or could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The other end has closed it.
    EndOfFile,
    /// It was cut, or the other end is no more.
    Reset,
    /// Nothing has come through for the [user timeout](super::Network::set_user_timeout).
    TimedOut,
    /// Nobody listens there.
    Refused,
    /// There is no host of that name.
    UnknownHost,
}

impl Fault {
    /// The system's word for it, which is what monitors are told (REFERENCE.md, "Reasons").
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::EndOfFile => "Unexpected end-of-file",
            Self::Reset => "Connection reset by peer",
            Self::TimedOut => "Connection timed out",
            Self::Refused => "Connection refused",
            Self::UnknownHost => "no such host in the simulated network",
        }
    }
}
