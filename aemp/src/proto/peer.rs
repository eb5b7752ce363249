//! One other node, seen from this one: what is queued for it and what is monitored there.
//!
//! A [`Peer`] keeps the delivery guarantee (PROTOCOL.md section 7): once a monitor is set, every message sent to
//! the port arrives, in order, or the monitor fires; and after the first lost message nothing more arrives until it
//! has fired.

mod output;
mod standing;

use std::collections::HashSet;

use aemp_codec::{EncodeError, Format, NodeId, PacketWriter};

use self::output::Output;
pub use self::output::Written;
pub use self::standing::{ConnId, MonitorId, PeerLimits, Standing, Traffic, Urge};
use super::{
    monitors::{Left, Monitors},
    queue::Queue,
};

/// One other node.
///
/// It is *down*, *connecting* (packets queue as values), *up* (packets are written) or *draining*: the connection
/// was lost or could not be made, everything queued is lost, everything sent is dropped, and every monitor, also one
/// that is set now, is handed out to be fired. Only when all have fired may a new connection carry packets.
#[derive(Debug)]
pub struct Peer {
    remote: NodeId,
    limits: PeerLimits,
    state: State,
    monitors: Monitors,
}

#[derive(Debug)]
enum State {
    Down,
    Connecting(Queue),
    Up(Line),
    /// Nothing is accepted any more; the mesh has been, or is being, told to end it.
    GivenUp(Option<ConnId>, String),
    Draining,
    /// The monitors that were set while draining are being fired. What is sent now is kept: dropping it again would
    /// fire its monitors again, and a callback that monitors and sends anew would be called for ever. Only what is for a port whose
    /// monitors are among those, and has none that is new, is dropped.
    Settling(Queue, Mourned),
}

/// The ports whose monitors are being fired; the empty name stands for the node.
// A hash set, although the machines are deterministic: nobody goes through it.
type Mourned = HashSet<Box<str>>;

#[derive(Debug)]
struct Line {
    conn: ConnId,
    format: Format,
    out: Output,
    /// What the connection has been given: packets that are written here, bytes that its writer has taken.
    given: Traffic,
}

impl Peer {
    /// A node that is down.
    #[must_use]
    pub fn new(remote: NodeId, limits: PeerLimits) -> Self {
        Self {
            remote,
            limits,
            state: State::Down,
            monitors: Monitors::default(),
        }
    }

    /// The node's ID.
    #[must_use]
    pub fn remote(&self) -> &NodeId {
        &self.remote
    }

    /// How much may be queued for it.
    #[must_use]
    pub fn limits(&self) -> PeerLimits {
        self.limits
    }

    /// Sends a packet to a port of the node; `write` adds tag and arguments.
    ///
    /// # Errors
    ///
    /// What `write` returns, or that the packet is too large; nothing has changed then.
    #[inline]
    pub fn send(
        &mut self,
        port: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<Urge, EncodeError> {
        let State::Up(line) = &mut self.state else {
            return self.send_later(port, write);
        };
        let was_empty = line.out.is_empty();
        let mut packet = line.out.writer(&line.format, self.limits.packet);
        packet.str(port)?;
        write(&mut packet)?;
        packet.finish()?;
        line.given.packets += 1;
        if line.out.len() > self.limits.max_queue_bytes {
            return Ok(self.overflow());
        }
        Ok(if was_empty { Urge::Write } else { Urge::None })
    }

    /// Sends a packet that was written before, which is left empty. For those whose packets are written by code that must not run
    /// under a lock.
    ///
    /// # Errors
    ///
    /// What the packet should have been written in, if that is something else: nothing has changed then.
    #[inline]
    pub fn put(&mut self, port: &str, packet: &mut Written) -> Result<Urge, Option<Format>> {
        let State::Up(line) = &mut self.state else {
            return self.put_later(port, packet);
        };
        match packet {
            Written::Bytes { format, bytes } if *format == line.format => {
                let was_empty = line.out.is_empty();
                line.out.append(bytes);
                line.given.packets += 1;
                if line.out.len() > self.limits.max_queue_bytes {
                    return Ok(self.overflow());
                }
                Ok(if was_empty { Urge::Write } else { Urge::None })
            }
            _ => Err(Some(line.format.clone())),
        }
    }

    fn put_later(&mut self, port: &str, packet: &mut Written) -> Result<Urge, Option<Format>> {
        match &mut self.state {
            State::Settling(_, mourned) if is_mourned(port, mourned, &self.monitors) => {
                return Ok(Urge::None);
            }
            State::Down | State::Connecting(_) | State::Settling(..) => {}
            State::Up(_) | State::GivenUp(..) | State::Draining => return Ok(Urge::None),
        }
        let Written::Values { values, weight } = packet else {
            return Err(None);
        };
        let urge = self.want();
        if let State::Connecting(queue) | State::Settling(queue, _) = &mut self.state {
            queue.push_values(std::mem::take(values), *weight);
            if queue.bytes() > self.limits.max_queue_bytes {
                return Ok(self.overflow());
            }
        }
        Ok(urge)
    }

    fn send_later(
        &mut self,
        port: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<Urge, EncodeError> {
        let limits = self.limits.packet;
        match &mut self.state {
            State::Down => {
                let mut queue = Queue::default();
                queue.push(port, limits, write)?;
                self.state = State::Connecting(queue);
                return Ok(Urge::Connect);
            }
            // It would arrive behind a hole that its sender has not been told of yet.
            State::Settling(_, mourned) if is_mourned(port, mourned, &self.monitors) => {}
            State::Connecting(queue) | State::Settling(queue, _) => {
                queue.push(port, limits, write)?;
                if queue.bytes() > self.limits.max_queue_bytes {
                    return Ok(self.overflow());
                }
            }
            State::Up(_) | State::GivenUp(..) | State::Draining => {}
        }
        Ok(Urge::None)
    }

    /// Monitors a port; an empty name means the node itself, for which connecting is enough.
    pub fn monitor(&mut self, port: &str, id: MonitorId) -> Urge {
        if self.monitors.add(port, id) && !port.is_empty() {
            return self.ask("mon1", port);
        }
        if let State::Down = self.state {
            self.state = State::Connecting(Queue::default());
            return Urge::Connect;
        }
        Urge::None
    }

    /// Takes a monitor back. One that is not there, because it has fired, does not matter.
    pub fn unmonitor(&mut self, port: &str, id: MonitorId) -> Urge {
        if self.monitors.remove(port, id) == Left::Nothing && !port.is_empty() {
            return self.ask("mon0", port);
        }
        Urge::None
    }

    /// Takes a monitor back, but lets the other node watch the port until [`sweep`](Self::sweep): for calls, which
    /// monitor the same port again and again.
    pub fn release(&mut self, port: &str, id: MonitorId) -> Urge {
        if port.is_empty() || !self.is_up() {
            return self.unmonitor(port, id);
        }
        self.monitors.release(port, id);
        Urge::None
    }

    /// Ends the watch over ports that were [released](Self::release) and not monitored again since.
    pub fn sweep(&mut self) -> Urge {
        let mut urge = Urge::None;
        for port in self.monitors.sweep() {
            urge = urge.and(self.ask("mon0", &port));
        }
        urge
    }

    /// A port of the node has died (`kil0`): its monitors, in the order in which they were set, to be fired by the
    /// caller.
    pub fn port_died(&mut self, port: &str) -> Vec<MonitorId> {
        self.monitors.take(port)
    }

    /// Somebody wants a connection, though there is nothing to send yet.
    pub fn want(&mut self) -> Urge {
        if let State::Down = self.state {
            self.state = State::Connecting(Queue::default());
            return Urge::Connect;
        }
        Urge::None
    }

    /// A connection is up: what is queued is written, in order.
    ///
    /// # Panics
    ///
    /// When the node is neither [down nor connecting](Standing).
    pub fn link_up(&mut self, conn: ConnId, format: Format) -> Urge {
        let queue = match std::mem::replace(&mut self.state, State::Draining) {
            State::Down => Queue::default(),
            State::Connecting(queue) => queue,
            state => panic!(
                "a connection to {} cannot come up in {state:?}",
                self.remote
            ),
        };
        let mut out = Vec::new();
        let given = Traffic {
            packets: queue.len() as u64,
            bytes: 0,
        };
        if let Err(error) = queue.write_all(&format, self.limits.packet, &mut out) {
            let text = format!("a queued packet cannot be sent as {format}: {error}");
            self.state = State::GivenUp(Some(conn), text);
            return Urge::Overflow;
        }
        let urge = if out.is_empty() {
            Urge::None
        } else {
            Urge::Write
        };
        self.state = State::Up(Line {
            conn,
            format,
            out: Output::new(out),
            given,
        });
        urge
    }

    /// Takes what is to be written next by exchanging buffers: `buf` should be empty, with capacity. That is all that is to be
    /// written, unless large packets were [put](Self::put), which are taken one by one. False if the connection is not, or no
    /// longer, the node's.
    pub fn swap_output(&mut self, conn: ConnId, buf: &mut Vec<u8>) -> bool {
        match &mut self.state {
            State::Up(line) if line.conn == conn => {
                line.out.swap(buf);
                line.given.bytes += buf.len() as u64;
                true
            }
            _ => false,
        }
    }

    /// Writes a keepalive, unless there is something to be written anyway (PROTOCOL.md section 4).
    pub fn keepalive(&mut self) -> Urge {
        match &mut self.state {
            State::Up(line) if line.out.is_empty() => {
                // An empty packet can be written in every format; where it cannot, there are no keepalives.
                let written = line.out.writer(&line.format, self.limits.packet).finish();
                if written.is_ok() {
                    line.given.packets += 1;
                    Urge::Write
                } else {
                    Urge::None
                }
            }
            _ => Urge::None,
        }
    }

    /// The connection is lost: all monitors, to be fired by the caller, who then calls [`drained`](Self::drained).
    /// `None` if it was not the node's connection.
    pub fn link_down(&mut self, conn: ConnId) -> Option<Vec<MonitorId>> {
        if self.conn() != Some(conn) {
            return None;
        }
        Some(self.drain())
    }

    /// No connection could be made: all monitors, as with [`link_down`](Self::link_down). Nothing happens if the
    /// node was not waiting for one.
    pub fn connect_failed(&mut self) -> Vec<MonitorId> {
        match self.state {
            State::Connecting(_) | State::GivenUp(None, _) => self.drain(),
            _ => Vec::new(),
        }
    }

    /// Our own node has ended: all monitors, to be fired by the caller. Nothing is sent any more.
    pub fn close(&mut self) -> Vec<MonitorId> {
        self.drain()
    }

    /// The monitors that were handed out have fired. Returns those that were set meanwhile, to be fired too; if there
    /// are none, the node is now down, or connecting again.
    #[must_use]
    pub fn drained(&mut self) -> Vec<MonitorId> {
        match std::mem::replace(&mut self.state, State::Down) {
            State::Draining => {
                let mourned = self.monitors.ports().map(Into::into).collect();
                let monitors = self.monitors.take_all();
                if !monitors.is_empty() {
                    self.state = State::Settling(Queue::default(), mourned);
                }
                monitors
            }
            State::Settling(queue, _) => {
                if !queue.is_empty() || self.monitors.any() {
                    self.state = State::Connecting(queue);
                }
                Vec::new()
            }
            state => {
                self.state = state;
                Vec::new()
            }
        }
    }

    /// What the mesh has to know.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Down => Standing::Down,
            State::Connecting(_) => Standing::Connecting,
            State::Up(line) => Standing::Up(line.conn),
            State::GivenUp(conn, text) => Standing::GivenUp(*conn, text.clone()),
            State::Draining | State::Settling(..) => Standing::Draining,
        }
    }

    /// About how many bytes wait to be sent.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        match &self.state {
            State::Up(line) => line.out.len(),
            State::Connecting(queue) | State::Settling(queue, _) => queue.bytes(),
            State::Down | State::GivenUp(..) | State::Draining => 0,
        }
    }

    /// Whether the node is connected and takes packets.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// The node's connection.
    #[must_use]
    pub fn conn(&self) -> Option<ConnId> {
        match &self.state {
            State::Up(line) => Some(line.conn),
            State::GivenUp(conn, _) => *conn,
            _ => None,
        }
    }

    /// The format that packets to a connected node are written in.
    #[must_use]
    pub fn format(&self) -> Option<&Format> {
        match &self.state {
            State::Up(line) => Some(&line.format),
            _ => None,
        }
    }

    /// What a connected node has been sent over its connection: packets, with those that still wait to be written, and
    /// bytes without those.
    #[must_use]
    pub fn sent(&self) -> Option<Traffic> {
        match &self.state {
            State::Up(line) => Some(line.given),
            _ => None,
        }
    }

    /// How many monitors are set on ports of the node, or on itself.
    #[must_use]
    pub fn monitors(&self) -> usize {
        self.monitors.len()
    }

    /// Whether nothing would be lost if the peer were forgotten.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Down) && self.monitors.is_empty()
    }

    fn drain(&mut self) -> Vec<MonitorId> {
        self.state = State::Draining;
        self.monitors.take_all()
    }

    fn ask(&mut self, request: &str, port: &str) -> Urge {
        let sent = self.send("", |packet| {
            packet.str(request)?;
            packet.str(port)
        });
        // A request that cannot be sent is a hole like any other lost packet.
        sent.unwrap_or_else(|error| self.give_up(format!("{request} cannot be sent: {error}")))
    }

    #[cold]
    fn overflow(&mut self) -> Urge {
        self.give_up(self.limits.overflow())
    }

    #[cold]
    fn give_up(&mut self, text: String) -> Urge {
        let conn = self.conn();
        self.state = State::GivenUp(conn, text);
        Urge::Overflow
    }
}

/// Whether the monitors that cover a port, its own and those of the node, are being fired, and no other has been set. Requests to
/// the node itself are in order with all that is new.
fn is_mourned(port: &str, mourned: &Mourned, monitors: &Monitors) -> bool {
    !port.is_empty()
        && (mourned.contains(port) || mourned.contains(""))
        && !(monitors.has(port) || monitors.has(""))
}

#[cfg(all(test, feature = "json"))]
mod tests;
