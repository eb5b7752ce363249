//! The events of a network.

use super::{End, Fault};

/// An event at an end of a connection, or at a host.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A connection to a port of the host was accepted.
    Accepted {
        /// The port.
        port: u16,
        /// The end of the connection at this host.
        end: End,
    },
    /// A [dialled](super::Network::dial) connection is established.
    Connected(End),
    /// Bytes have arrived. Call [`Network::taken`](super::Network::taken) when they are processed, so that more can
    /// arrive.
    Arrived(End, Vec<u8>),
    /// There is room to write again, after there was none.
    Room(End),
    /// The connection has ended, or could not be made. After an end of file, this end must be
    /// [closed](super::Network::close) as well. After any other fault it is gone.
    Ended(End, Fault),
}

impl Happening {
    /// The end that the event is about.
    #[must_use]
    pub fn end(&self) -> End {
        match self {
            Self::Accepted { end, .. }
            | Self::Connected(end)
            | Self::Arrived(end, _)
            | Self::Room(end)
            | Self::Ended(end, _) => *end,
        }
    }
}

/// The traffic of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of connections that were made.
    pub connections: u64,
    /// The number of writes.
    pub writes: u64,
    /// The number of bytes that were written.
    pub bytes: u64,
}
