//! The bytes that are on their way between two nodes of one machine.
//!
//! The system lets the buffers of a socket grow to megabytes, so that a distant peer has work for a round trip. Between
//! two processes of one machine there is no such time, and bytes that wait in the buffers only delay those behind them.
//! A flood of small packets holds a call back for tens of milliseconds then. So the buffer of such a socket is small
//! while small packets flood: the other end takes as long for it as for a few hundred kilobytes of large ones.
//!
//! The buffer of a connection without floods, and of one to another machine, is the system's. To another machine a small
//! one would cost throughput: there a call waits behind as many bytes as the network holds. An acknowledgement of the bytes that
//! the ports of the other end have taken would serve there as well, and was left out: it would be a protocol of its own,
//! with an estimate of the round trip.
//!
//! The buffer is not smaller than two of the loopback's segments of 64 KiB. With less, TCP waits for its timers.

use crate::net::stream::Stream;

/// The bytes of one write from which packets are a flood.
const FLOOD: usize = 16 << 10;
/// The size of small packets, on average, in bytes.
const SMALL: u64 = 512;
/// The size of a socket's buffer for small packets, in bytes. Linux doubles it for its own use.
const SMALL_BUFFER: usize = 64 << 10;
/// The same for other packets. The system may allow less.
const LARGE_BUFFER: usize = 4 << 20;

/// The bound of a connection's bytes in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// To another machine: the system's.
    Far,
    /// The system's, as there was no flood yet.
    Free,
    /// There was a flood of small packets last.
    Small,
    /// There was a flood of large packets last, and one of small packets before.
    Large,
}

impl Flight {
    pub(super) fn of(stream: &Stream) -> Self {
        match stream.is_near() {
            true => Self::Free,
            false => Self::Far,
        }
    }

    /// Sets the bound for the next write of so many bytes and packets.
    #[inline]
    pub(super) fn bound(&mut self, stream: &Stream, bytes: usize, packets: u64) {
        if bytes < FLOOD {
            return;
        }
        let next = self.next(bytes as u64 >= packets.saturating_mul(SMALL));
        if next != *self {
            *self = next;
            stream.hold(match next {
                Self::Small => SMALL_BUFFER,
                _ => LARGE_BUFFER,
            });
        }
    }

    fn next(self, is_large: bool) -> Self {
        match (self, is_large) {
            (Self::Far, _) => Self::Far,
            (Self::Free, true) => Self::Free,
            (_, false) => Self::Small,
            (Self::Small | Self::Large, true) => Self::Large,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Flight::{self, Far, Free, Large, Small};

    #[test]
    fn the_bound_follows_the_size_of_packets_on_one_machine() {
        let after =
            |is_large: bool| [Far, Free, Small, Large].map(|one: Flight| one.next(is_large));
        assert_eq!(after(true), [Far, Free, Large, Large]);
        assert_eq!(after(false), [Far, Small, Small, Small]);
    }
}
