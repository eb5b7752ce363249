//! Writing on a connection.

use std::{io, sync::atomic::Ordering, time::Duration};

use aemp_codec::{Format, Value};

use super::Pump;
use crate::{guard, net::socket};

/// A write buffer that has grown beyond this many bytes is not kept.
const KEEP: usize = 1 << 20;
/// How long a closing connection may take to write what is queued.
const FLUSH: Duration = Duration::from_secs(1);

impl Pump<'_> {
    /// Hands what is queued to the socket, as far as it takes it.
    pub(super) fn write(&mut self) -> Result<(), String> {
        loop {
            if self.written == self.out.len() && !self.next_output()? {
                return Ok(());
            }
            self.link.writing(self.net.now());
            match self.stream.try_write(&self.out[self.written..]) {
                Ok(written) => {
                    self.written += written;
                    self.line.unwritten(self.out.len() - self.written);
                    let now = self.net.now();
                    if self.written == self.out.len() {
                        self.link.wrote(now);
                    } else {
                        self.link.progress(now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.line.unwritten(self.out.len() - self.written);
                    return Ok(());
                }
                Err(error) => return Err(socket::text(&error)),
            }
        }
    }

    /// Takes what senders have queued meanwhile. Whether there is any.
    fn next_output(&mut self) -> Result<bool, String> {
        self.tell_written();
        self.take_output()?;
        if self.out.is_empty() && self.tell_written() {
            self.take_output()?;
        }
        if self.out.is_empty() {
            return Ok(false);
        }
        self.remote.queue_shrunk();
        Ok(true)
    }

    fn take_output(&mut self) -> Result<(), String> {
        self.written = 0;
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        self.out.clear();
        // Asked first: what was queued before the mesh asked is among what is taken now, or taken later.
        let asked = self.remote.tell_written.swap(false, Ordering::AcqRel);
        let mut peer = self.remote.peer();
        let unwritten = peer.take_unwritten(self.conn);
        if unwritten.is_none() {
            peer.swap_output(self.conn, &mut self.out);
        }
        let is_all = peer.pending_bytes() == 0;
        drop(peer);
        match is_all {
            true => self.asked |= asked,
            false if asked => self.remote.tell_written.store(true, Ordering::Release),
            false => {}
        }
        match unwritten {
            Some((format, packets)) => self.write_values(&format, &packets),
            None => Ok(()),
        }
    }

    /// Writes packets in a format from elsewhere, by its code.
    #[cold]
    fn write_values(&mut self, format: &Format, packets: &[Vec<Value>]) -> Result<(), String> {
        let (out, limits) = (&mut self.out, self.net.node().limits());
        let written = guard::attempt(|| {
            packets.iter().try_for_each(|values| {
                let mut packet = format.writer(out, limits);
                values.iter().try_for_each(|value| packet.value(value))?;
                packet.finish()
            })
        });
        let error = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic,
        };
        Err(format!("a packet cannot be sent as {format}: {error}"))
    }

    /// Tells the mesh, if it has asked, that what was taken last has been written.
    fn tell_written(&mut self) -> bool {
        let asked = std::mem::take(&mut self.asked);
        if asked {
            self.net
                .ask(|mesh, now| mesh.written(now, self.remote.id()));
        }
        asked
    }

    /// Writes what is left and says goodbye.
    pub(super) async fn flush(&mut self) {
        let flush = async {
            loop {
                self.stream.write_all(&self.out[self.written..]).await?;
                self.written = self.out.len();
                if !self.next_output().unwrap_or(false) {
                    return self.stream.shutdown().await;
                }
            }
        };
        // The other end may take no more; then it learns of the end in its own time.
        let _ = tokio::time::timeout(FLUSH, flush).await;
    }
}
