//! The simulation's stand-in for TCP sockets.

use std::{io, sync::Arc};

use tokio::sync::Notify;

use super::{Hub, Socket};
#[cfg(feature = "net")]
use crate::net::stir::Notices;
use crate::{
    net::stir::{Stir, Stirred},
    sim::{End, Fault, HostId},
};

/// A connection of the simulated network. Dropping it closes it.
pub(crate) struct SimStream {
    hub: Hub,
    end: End,
    stir: Arc<Stir>,
    #[cfg(feature = "net")]
    notices: Notices,
}

impl SimStream {
    pub(super) fn new(hub: Hub, end: End, stir: Arc<Stir>) -> Self {
        Self {
            hub,
            end,
            stir,
            #[cfg(feature = "net")]
            notices: Notices::default(),
        }
    }

    /// The name of the host at the other end, which stands for the address that the connection comes from.
    pub(crate) fn peer(&self) -> String {
        self.hub
            .with(|network| network.name(self.end.peer()).to_owned())
    }

    /// Waits until the connection is established.
    pub(super) async fn connected(&self) -> io::Result<()> {
        loop {
            if let Some(result) = self.outcome() {
                return result;
            }
            self.stir.write.notified().await;
        }
    }

    fn outcome(&self) -> Option<io::Result<()>> {
        let state = self.hub.lock();
        let Some(socket) = state.sockets.get(&self.end) else {
            return Some(Err(error(Fault::Reset)));
        };
        match socket.ended {
            Some(fault) => Some(Err(error(fault))),
            None => socket.connected.then_some(Ok(())),
        }
    }

    /// Appends available bytes to the buffer, as far as it has room. Zero bytes mean the end.
    pub(crate) fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        self.hub.with_state(|state| {
            let Some(socket) = state.sockets.get_mut(&self.end) else {
                return Ok(0);
            };
            if socket.arrived.is_empty() {
                return match socket.ended {
                    None => Err(io::ErrorKind::WouldBlock.into()),
                    Some(Fault::EndOfFile) => Ok(0),
                    Some(fault) => Err(error(fault)),
                };
            }
            let room = buffer.capacity() - buffer.len();
            let count = socket.arrived.len().min(room);
            buffer.extend(socket.arrived.drain(..count));
            state.network.taken(self.end, count);
            Ok(count)
        })
    }

    /// Writes as many bytes as there is room for.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.hub.with_state(|state| {
            let Some(socket) = state.sockets.get_mut(&self.end) else {
                return Err(error(Fault::Reset));
            };
            if let Some(fault) = socket.ended.filter(|fault| *fault != Fault::EndOfFile) {
                return Err(error(fault));
            }
            let written = state.network.write(self.end, bytes);
            socket.full = written < bytes.len();
            if written == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(written)
        })
    }

    /// Ends writing. The other end reads everything that was written, then the end.
    pub(crate) fn shutdown(&self) {
        self.hub.with(|network| network.finish(self.end));
    }
}

impl Stirred for SimStream {
    fn stir(&self) -> &Arc<Stir> {
        &self.stir
    }

    fn is_readable(&self) -> bool {
        let state = self.hub.lock();
        let socket = state.sockets.get(&self.end);
        socket.is_none_or(|socket| !socket.arrived.is_empty() || socket.ended.is_some())
    }

    fn is_writable(&self) -> bool {
        let state = self.hub.lock();
        let socket = state.sockets.get(&self.end);
        // The other end may have ended its side and still read.
        let is_broken = |socket: &Socket| socket.ended.is_some_and(|how| how != Fault::EndOfFile);
        socket.is_none_or(|socket| !socket.full || is_broken(socket))
    }

    #[cfg(feature = "net")]
    fn notices(&mut self) -> &mut Notices {
        &mut self.notices
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.hub.with_state(|state| {
            state.network.drop_end(self.end);
            state.sockets.remove(&self.end);
        });
    }
}

/// A listener of the simulated network. Dropping it ends it.
pub(crate) struct SimListener {
    hub: Hub,
    place: (HostId, u16),
    arrived: Arc<Notify>,
}

impl SimListener {
    pub(super) fn new(hub: Hub, place: (HostId, u16), arrived: Arc<Notify>) -> Self {
        Self {
            hub,
            place,
            arrived,
        }
    }

    pub(crate) fn address(&self) -> String {
        let (host, port) = self.place;
        let name = self.hub.with(|network| network.name(host).to_owned());
        format!("{name}:{port}")
    }

    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> SimStream {
        loop {
            if let Some(stream) = self.next() {
                return stream;
            }
            self.arrived.notified().await;
        }
    }

    fn next(&self) -> Option<SimStream> {
        let mut state = self.hub.lock();
        let end = state.listeners.get_mut(&self.place)?.waiting.pop_front()?;
        let stir = Arc::clone(&state.sockets.get(&end)?.stir);
        Some(SimStream::new(self.hub.clone(), end, stir))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let (host, port) = self.place;
        self.hub.with_state(|state| {
            state.network.unlisten(host, port);
            let listening = state.listeners.remove(&self.place).unwrap_or_default();
            for end in listening.waiting {
                state.network.close(end);
                state.sockets.remove(&end);
            }
        });
    }
}

fn error(fault: Fault) -> io::Error {
    let kind = match fault {
        Fault::EndOfFile => io::ErrorKind::UnexpectedEof,
        Fault::Reset => io::ErrorKind::ConnectionReset,
        Fault::TimedOut => io::ErrorKind::TimedOut,
        Fault::Refused => io::ErrorKind::ConnectionRefused,
        Fault::UnknownHost => io::ErrorKind::HostUnreachable,
    };
    io::Error::new(kind, fault.text())
}
