//! A connection through a relay: a stream of bytes that the mesh carries in packets of another connection.

use std::{io, sync::Arc};

#[cfg(feature = "net")]
use super::stir::Notices;
use super::stir::{Stir, Stirred};
use crate::net::Net;
use aemp_proto::{mesh::TunnelRead, peer::ConnId};

/// The room for a read into a buffer without room, and the largest number of bytes that a tunnel takes at once.
pub(super) const MOST: usize = 16 << 10;

/// One end of a tunnel. Dropping it ends the tunnel.
pub(crate) struct Tunnel {
    net: Net,
    conn: ConnId,
    stir: Arc<Stir>,
    #[cfg(feature = "net")]
    notices: Notices,
}

impl Tunnel {
    pub(in crate::net) fn new(net: Net, conn: ConnId, stir: Arc<Stir>) -> Self {
        Self {
            net,
            conn,
            stir,
            #[cfg(feature = "net")]
            notices: Notices::default(),
        }
    }

    /// Appends available bytes to the buffer, as far as it has room. Zero bytes mean the end.
    pub(super) fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(MOST);
        }
        let conn = self.conn;
        match self
            .net
            .ask(|mesh, now| mesh.tunnel_read(now, conn, buffer))
        {
            TunnelRead::Octets(count) => Ok(count),
            TunnelRead::Nothing => Err(io::ErrorKind::WouldBlock.into()),
            TunnelRead::End => Ok(0),
            TunnelRead::Lost(text) => Err(io::Error::other(text)),
        }
    }

    /// Writes as many bytes as are taken at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let conn = self.conn;
        let written = self
            .net
            .ask(|mesh, now| mesh.tunnel_write(now, conn, bytes));
        match written {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            Ok(written) => Ok(written),
            Err(text) => Err(io::Error::other(text)),
        }
    }

    /// Ends writing. The other end reads everything that was written, then the end.
    pub(super) fn shutdown(&self) {
        self.net.ask(|mesh, now| mesh.close_tunnel(now, self.conn));
    }
}

impl Stirred for Tunnel {
    fn stir(&self) -> &Arc<Stir> {
        &self.stir
    }

    fn is_readable(&self) -> bool {
        self.net.peek(|mesh| mesh.tunnel_is_readable(self.conn))
    }

    fn is_writable(&self) -> bool {
        self.net.peek(|mesh| mesh.tunnel_is_writable(self.conn))
    }

    #[cfg(feature = "net")]
    fn notices(&mut self) -> &mut Notices {
        &mut self.notices
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.net.end_tunnel(self.conn);
    }
}
