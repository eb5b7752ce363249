//! The events of a network.

use super::{End, Fault};

/// What has happened at an end or a host.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// Somebody has connected to a port that the host listens on.
    Accepted {
        /// Which port.
        port: u16,
        /// The connection's end at this host.
        end: End,
    },
    /// What was [dialled](super::Network::dial) is connected.
    Connected(End),
    /// Bytes have arrived. When they have been dealt with, [`Network::taken`](super::Network::taken) makes room for more.
    Arrived(End, Vec<u8>),
    /// There is room for more, after there was not.
    Room(End),
    /// The connection has ended, or could not be made. After an end of file the end has to be
    /// [closed](super::Network::close) from this side too; after anything else it is gone.
    Ended(End, Fault),
}

impl Happening {
    /// The end that it concerns.
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

/// How much has gone over a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that were made.
    pub connections: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes that were written.
    pub bytes: u64,
}
