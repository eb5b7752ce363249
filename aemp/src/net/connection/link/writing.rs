//! Writing on a connection.

use std::{io, sync::atomic::Ordering, time::Duration};

use aemp_codec::{Format, Value};

use super::LinkTask;
use crate::{guard, net::connection::error, tap::Direction};

/// The largest capacity of a write buffer that is kept, in bytes.
const KEEP: usize = 1 << 20;
/// The number of bytes that are written before the connection reads.
const WRITE_TURN: usize = 64 << 10;
/// The longest time that a closing connection may take to write its queue.
const FLUSH: Duration = Duration::from_secs(1);

impl LinkTask<'_> {
    /// Writes queued bytes, as far as the socket takes them.
    ///
    /// A socket that takes bytes as fast as senders queue them is left alone after a while, so that packets that have
    /// arrived are read, and the tasks that wait for them run.
    pub(super) fn write(&mut self) -> Result<(), String> {
        let mut total = 0;
        loop {
            if self.written == self.out.len() {
                if total >= WRITE_TURN {
                    self.peer.writer.wake();
                    return Ok(());
                }
                if !self.next_output()? {
                    return Ok(());
                }
            }
            self.link.writing(self.net.now());
            match self.stream.try_write(&self.out[self.written..]) {
                Ok(written) => {
                    self.written += written;
                    total += written;
                    self.connection.unwritten(self.out.len() - self.written);
                    let now = self.net.now();
                    if self.written == self.out.len() {
                        self.link.wrote(now);
                    } else {
                        self.link.progress(now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.connection.unwritten(self.out.len() - self.written);
                    return Ok(());
                }
                Err(error) => return Err(error::text(&error)),
            }
        }
    }

    /// Takes the bytes that senders have queued meanwhile. Returns true if there are any.
    fn next_output(&mut self) -> Result<bool, String> {
        self.tell_written();
        self.take_output()?;
        if self.out.is_empty() && self.tell_written() {
            self.take_output()?;
        }
        if self.out.is_empty() {
            return Ok(false);
        }
        self.peer.queue_shrunk();
        self.flight
            .bound(&self.stream, self.out.len(), self.carried);
        Ok(true)
    }

    fn take_output(&mut self) -> Result<(), String> {
        self.written = 0;
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        self.out.clear();
        // Read before the queue: everything that was queued before the mesh asked is taken now, or later.
        let asked = self.peer.tell_written.swap(false, Ordering::AcqRel);
        let mut state = self.peer.state();
        let unwritten = state.take_unwritten(self.conn);
        if unwritten.is_none() {
            state.swap_output(self.conn, &mut self.out);
        }
        if unwritten.is_some() || !self.out.is_empty() {
            let given = state.sent().map_or(self.taken, |given| given.packets);
            self.carried = given.saturating_sub(self.taken);
            self.taken = given;
        }
        let is_all = state.pending_bytes() == 0;
        let traced = self.net.node().traces().then(|| state.format().cloned());
        drop(state);
        match is_all {
            true => self.asked |= asked,
            false if asked => self.peer.tell_written.store(true, Ordering::Release),
            false => {}
        }
        if let Some((format, packets)) = unwritten {
            self.write_values(&format, &packets)?;
        }
        if let Some(Some(format)) = traced {
            let (node, other) = (self.net.node(), self.peer.id());
            node.trace_all(Direction::Snd, other, &format, &self.out);
        }
        Ok(())
    }

    /// Writes packets by the codec of another crate.
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

    /// Reports to the mesh, if it has asked, that the last bytes taken have been written. Returns true if it has asked.
    fn tell_written(&mut self) -> bool {
        let asked = std::mem::take(&mut self.asked);
        if asked {
            self.net.ask(|mesh, now| mesh.written(now, self.peer.id()));
        }
        asked
    }

    /// Writes the remaining bytes, and ends writing.
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
        // If the other end takes no more, it learns of the end by itself.
        let _ = tokio::time::timeout(FLUSH, flush).await;
    }
}
