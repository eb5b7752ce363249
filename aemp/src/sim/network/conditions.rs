//! The quality of a network.

use std::time::Duration;

/// The quality of the network from one host to another.
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
    /// The time that packets take, drawn for each piece of a write.
    pub latency: std::ops::RangeInclusive<Duration>,
    /// The probability that a write cuts its connection, at a random byte. The bytes before it arrive, then both ends
    /// see a reset.
    pub cut: f64,
    /// The probability that a connection is refused although the host listens.
    pub refuse: f64,
    /// The probability that an attempt to connect is never answered.
    pub lose: f64,
    /// The largest number of pieces that a write is split into. Each has its own latency, and they stay in order.
    pub pieces: u32,
    /// The number of bytes that may be under way. With more, the writer has to wait.
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

/// The way in which a host ends without warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crash {
    /// The process is killed. Its machine ends the connections: bytes that were written arrive, or some of them are
    /// lost with a reset, at random.
    Process,
    /// The machine is lost. Other hosts receive nothing, until they give up or the machine is back.
    Machine,
}

/// The reason why a connection ended or could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The other end has closed it.
    EndOfFile,
    /// The connection was cut, or the other end no longer exists.
    Reset,
    /// No packets have passed for the [user timeout](super::Network::set_user_timeout).
    TimedOut,
    /// No host listens there.
    Refused,
    /// There is no host with this name.
    UnknownHost,
}

impl Fault {
    /// The system's text, which monitors get as their reason ([protocol](aemp_proto::protocol::monitors#reasons)).
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
