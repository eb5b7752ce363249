//! One connection: two ends, and the data on its way to each.

use std::collections::VecDeque;

use aemp_proto::Time;

use super::{Fault, host::HostId};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    pub(super) stream: u64,
    pub(super) side: u8,
    hosts: [HostId; 2],
}

impl End {
    /// The other end of the same connection.
    #[must_use]
    pub fn other(self) -> Self {
        let side = 1 - self.side;
        Self { side, ..self }
    }

    /// The host of this end.
    #[must_use]
    pub fn host(self) -> HostId {
        self.hosts[usize::from(self.side)]
    }

    /// The host of the other end.
    #[must_use]
    pub fn peer(self) -> HostId {
        self.other().host()
    }
}

/// Data under way.
#[derive(Debug)]
pub(super) enum Packet {
    Bytes(Vec<u8>),
    End(Fault),
}

/// One end, and the data under way to it.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// True if the end is in use.
    pub(super) open: bool,
    /// True if the end writes no more.
    pub(super) finished: bool,
    pub(super) coming: VecDeque<(Time, Packet)>,
    /// The earliest time at which new data may arrive, so that data stays in order.
    pub(super) busy: Time,
    /// The bytes that were sent to it and whose room has not been returned to the sender.
    pub(super) in_flight: usize,
    /// The part of these bytes that has been taken.
    pub(super) unreturned: usize,
    /// True if the sender waits for room.
    pub(super) awaited: bool,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u64,
    /// The hosts of the two ends. The first has dialled.
    pub(super) hosts: [HostId; 2],
    pub(super) port: u16,
    pub(super) phase: Phase,
    pub(super) sides: [Side; 2],
    /// A counter that grows whenever the stream stalls or continues. It is odd while the stream is stalled.
    pub(super) stalls: u64,
    /// True if the stream will be reset, so that nothing more is sent.
    pub(super) cut: bool,
}

/// The progress of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    /// The attempt is never answered.
    Lost,
    Open,
}

impl Stream {
    pub(super) fn new(id: u64, hosts: [HostId; 2], port: u16, phase: Phase) -> Self {
        let mut sides = [Side::default(), Side::default()];
        sides[0].open = true;
        Self {
            id,
            hosts,
            port,
            phase,
            sides,
            stalls: 0,
            cut: false,
        }
    }

    pub(super) fn end(&self, side: u8) -> End {
        let (stream, hosts) = (self.id, self.hosts);
        End {
            stream,
            side,
            hosts,
        }
    }

    pub(super) fn side(&mut self, side: u8) -> &mut Side {
        &mut self.sides[usize::from(side)]
    }

    pub(super) fn host(&self, side: u8) -> HostId {
        self.hosts[usize::from(side)]
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalls % 2 == 1
    }

    pub(super) fn is_over(&self) -> bool {
        self.sides.iter().all(|side| !side.open)
    }
}
