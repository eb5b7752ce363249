//! One other node, seen from this one: the queue of packets for it, and the monitors on its ports.
//!
//! A [`Peer`] keeps the delivery guarantee ([protocol](crate::protocol::monitors#the-guarantee)): once a monitor is set on a port, every message sent
//! to that port arrives, in order, or the monitor fires. After the first lost message nothing more arrives from this
//! node until the monitor has fired.
//!
//! A peer is `Down`, `Connecting` (packets queue as values), `Up` (packets are written), `GivenUp` (its queue has
//! overflowed), or `Mourning` a loss.
//!
//! # A loss has an identity
//!
//! When a connection is lost or cannot be made, all queued packets are lost and all monitors are handed out to be
//! fired, as one `Loss` with a `LossId`. The peer, the mesh (`nodes::Contact`) and the output `Fire` carry this ID, and
//! `Mesh::fired` answers this loss and no other. Each node has at most one loss at a time. A new connection may carry
//! packets only when all monitors of the loss have fired; a ready connection waits in `Contact::Mourning`. So no
//! connection comes up between a hole and the monitors that report it.
//!
//! # Monitors and messages during a loss
//!
//! A monitor that is set during a loss belongs to the next connection and does not fire with this loss. So a callback
//! that monitors the port again and sends to it, as is usual in Erlang and AEMP, runs once for each loss. A message
//! that is sent during a loss is kept for the next connection, with one exception for each port:
//!
//! - A monitor that was handed out is *uncalled* until its callback is about to run (`Peer::begun`). If a port, or its
//!   node, has an uncalled monitor, a message to it would follow a hole that the owner of the monitor has not heard of.
//!   Such a message is dropped.
//! - This does not apply once the port, or its node, has been monitored again since the loss. The new monitor promises
//!   delivery over the next connection, so all messages to the port are kept from then on. A sender whose old monitor
//!   has not been called yet may see its own message arrive, but not before its monitor has fired. (A message has no
//!   sender, so senders cannot be told apart.)
//! - So no message behind a new monitor is ever dropped without a loss of its own. A monitor cannot be forgotten, and
//!   callbacks cannot cause endless rounds of callbacks.
//!
//! The queue during a loss is bounded like any queue. When it overflows, its packets are lost as well, all later
//! packets are dropped, and the monitors that have been set since form a second loss. It is handed out when the first
//! one has been answered (`Fired::Again`). An overflow of the queue of a connection, or of an attempt to connect, ends
//! that connection in the same way, because a single dropped packet would be a hole.

mod losses;
mod mourning;
mod output;
mod standing;

use aemp_codec::{EncodeError, Format, NodeId, PacketWriter, Value};

use self::{
    mourning::{Mourning, Next},
    output::Output,
};
pub use self::{
    output::Written,
    standing::{
        ConnId, Fired, GivenUp, LinkUp, Loss, LossId, Lost, MonitorId, PeerLimits, Standing,
        Traffic, Urge,
    },
};
use super::{
    monitors::{Left, Monitors},
    queue::Queue,
};

/// One other node: its queue, its connection and the monitors on its ports.
///
/// A peer is *down*, *connecting* (packets queue as values), *up* (packets are written), *given up* (its queue has
/// overflowed) or *mourning*: its connection was lost or could not be made, its queue is lost, and all its monitors are
/// handed out to be fired, as one [`Loss`]. A new connection carries packets only when all of these monitors have
/// fired. Monitors that are set meanwhile belong to the new connection. So do messages that are sent meanwhile, except
/// those to a port with an uncalled monitor and no new one, which are dropped. The [module](self) says why.
///
/// Each method decides, acts and returns its finding in one step, so nothing can come in between.
#[derive(Debug)]
pub struct Peer {
    remote: NodeId,
    limits: PeerLimits,
    state: State,
    /// The monitors that have not been handed out to be fired.
    monitors: Monitors,
    /// The number of losses so far.
    losses: u64,
}

#[derive(Debug)]
enum State {
    Down,
    Connecting(Queue),
    Up(Connection),
    /// Accepts no more packets. The mesh must end the connection; the text is the reason.
    GivenUp(Option<ConnId>, String),
    Mourning(Mourning),
    /// Our own node has ended. Accepts no packets ever again.
    Closed,
}

#[derive(Debug)]
struct Connection {
    conn: ConnId,
    format: Format,
    out: Output,
    /// The traffic on this connection: packets written here, and bytes that the connection's writer has taken.
    given: Traffic,
    /// The number of packets that had been given when nothing waited last.
    taken: u64,
}

impl Peer {
    /// Creates a peer that is down.
    #[must_use]
    pub fn new(remote: NodeId, limits: PeerLimits) -> Self {
        Self {
            remote,
            limits,
            state: State::Down,
            monitors: Monitors::default(),
            losses: 0,
        }
    }

    /// The node's ID.
    #[must_use]
    pub fn remote(&self) -> &NodeId {
        &self.remote
    }

    /// The limits of the queue and of single packets.
    #[must_use]
    pub fn limits(&self) -> PeerLimits {
        self.limits
    }

    /// Sends a packet to a port of the node. `write` adds the tag and the arguments.
    ///
    /// # Errors
    ///
    /// Returns the error of `write`, or that the packet is too large. Nothing has changed then.
    #[inline]
    pub fn send(
        &mut self,
        port: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<Urge, EncodeError> {
        let State::Up(connection) = &mut self.state else {
            return self.send_later(port, write);
        };
        let was_empty = connection.out.is_empty();
        connection
            .out
            .write(&connection.format, self.limits.packet, |packet| {
                packet.str(port)?;
                write(packet)
            })?;
        connection.given.packets += 1;
        if connection.out.len() > self.limits.max_queue_bytes {
            return Ok(self.overflow());
        }
        Ok(if was_empty { Urge::Write } else { Urge::None })
    }

    /// Sends a packet that was written before, and leaves `packet` empty. This is for packets that are written by
    /// foreign code, which must not run under a lock.
    ///
    /// # Errors
    ///
    /// Returns the format that the packet must be written in (`None`: as values) if it is written in another. Nothing
    /// has changed then.
    #[inline]
    pub fn put(&mut self, port: &str, packet: &mut Written) -> Result<Urge, Option<Format>> {
        if let Written::Bytes { format, bytes } = packet
            && let Some(urge) = self.put_bytes(format, bytes)
        {
            return Ok(urge);
        }
        match &self.state {
            State::Up(connection) => Err(Some(connection.format.clone())),
            _ => self.put_later(port, packet),
        }
    }

    /// Like [`put`](Self::put), for a packet in the given format. Returns `None` if the node has no connection of that
    /// format.
    #[inline]
    pub fn put_bytes(&mut self, format: &Format, bytes: &mut Vec<u8>) -> Option<Urge> {
        let State::Up(connection) = &mut self.state else {
            return None;
        };
        if connection.format != *format {
            return None;
        }
        let was_empty = connection.out.is_empty();
        connection.out.append(bytes);
        connection.given.packets += 1;
        if connection.out.len() > self.limits.max_queue_bytes {
            return Some(self.overflow());
        }
        Some(if was_empty { Urge::Write } else { Urge::None })
    }

    fn put_later(&mut self, port: &str, packet: &mut Written) -> Result<Urge, Option<Format>> {
        let kept = match &mut self.state {
            State::Down | State::Connecting(_) => true,
            State::Mourning(mourning) => mourning.keeps(port, &self.monitors).is_some(),
            State::Up(_) | State::GivenUp(..) | State::Closed => false,
        };
        if !kept {
            return Ok(Urge::None);
        }
        let Written::Values { values, weight } = packet else {
            return Err(None);
        };
        let urge = self.want();
        let queue = match &mut self.state {
            State::Connecting(queue) => Some(queue),
            State::Mourning(mourning) => mourning.keeps(port, &self.monitors),
            _ => None,
        };
        if let Some(queue) = queue {
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
        let kept = match &mut self.state {
            State::Down => {
                let mut queue = Queue::default();
                queue.push(port, limits, write)?;
                self.state = State::Connecting(queue);
                return Ok(Urge::Connect);
            }
            State::Connecting(queue) => Some(queue),
            State::Mourning(mourning) => mourning.keeps(port, &self.monitors),
            State::Up(_) | State::GivenUp(..) | State::Closed => None,
        };
        let Some(queue) = kept else {
            // Writes into a queue that is thrown away, so that a message fails in the same way with and without a
            // connection.
            Queue::default().push(port, limits, write)?;
            return Ok(Urge::None);
        };
        queue.push(port, limits, write)?;
        if queue.bytes() > self.limits.max_queue_bytes {
            return Ok(self.overflow());
        }
        Ok(Urge::None)
    }

    /// Sets a monitor on a port. An empty name stands for the node itself: such a monitor only needs a connection.
    pub fn monitor(&mut self, port: &str, id: MonitorId) -> Urge {
        if let State::Closed = self.state {
            return Urge::None;
        }
        if self.monitors.add(port, id) && !port.is_empty() {
            return self.ask("mon1", port);
        }
        if let State::Down = self.state {
            self.state = State::Connecting(Queue::default());
            return Urge::Connect;
        }
        Urge::None
    }

    /// Removes a monitor. Does nothing if the monitor is not set, for example because it has fired.
    pub fn unmonitor(&mut self, port: &str, id: MonitorId) -> Urge {
        if self.monitors.remove(port, id) == Left::Nothing && !port.is_empty() {
            return self.ask("mon0", port);
        }
        Urge::None
    }

    /// Removes a monitor, but leaves the other node watching the port until [`sweep`](Self::sweep). This is for calls,
    /// which monitor the same port again and again.
    pub fn release(&mut self, port: &str, id: MonitorId) -> Urge {
        if port.is_empty() || !self.is_up() {
            return self.unmonitor(port, id);
        }
        self.monitors.release(port, id);
        Urge::None
    }

    /// Stops watching the ports that were [released](Self::release) and not monitored again since.
    pub fn sweep(&mut self) -> Urge {
        let mut urge = Urge::None;
        for port in self.monitors.sweep() {
            urge = urge.and(self.ask("mon0", &port));
        }
        urge
    }

    /// Removes the monitors of a port that has died (`kil0`), and returns them in the order in which they were set. The
    /// caller fires them.
    pub fn port_died(&mut self, port: &str) -> Vec<MonitorId> {
        self.monitors.take(port)
    }

    /// Asks for a connection, even though nothing waits to be sent.
    pub fn want(&mut self) -> Urge {
        if let State::Down = self.state {
            self.state = State::Connecting(Queue::default());
            return Urge::Connect;
        }
        Urge::None
    }

    /// Takes a connection that is ready. If the peer accepts it, all queued packets are written, in order.
    pub fn link_up(&mut self, conn: ConnId, format: Format) -> LinkUp {
        match std::mem::replace(&mut self.state, State::Down) {
            State::Down => self.begin_line(conn, format, Queue::default()),
            State::Connecting(queue) => self.begin_line(conn, format, queue),
            State::Up(_) => LinkUp::Lost(self.lose(), "switched connections".into()),
            State::GivenUp(_, text) => LinkUp::Lost(self.lose(), text),
            State::Mourning(mourning) => {
                let loss = mourning.loss;
                self.state = State::Mourning(mourning);
                LinkUp::Mourning(loss)
            }
            State::Closed => {
                self.state = State::Closed;
                LinkUp::Mourning(LossId(self.losses))
            }
        }
    }

    fn begin_line(&mut self, conn: ConnId, format: Format, queue: Queue) -> LinkUp {
        let given = Traffic {
            packets: queue.len() as u64,
            bytes: 0,
        };
        let out = match Output::of(queue, &format, self.limits.packet) {
            Ok(out) => out,
            Err(error) => {
                let text = format!("a queued packet cannot be sent as {format}: {error}");
                return LinkUp::Lost(self.lose(), text);
            }
        };
        let urge = if out.is_empty() {
            Urge::None
        } else {
            Urge::Write
        };
        self.state = State::Up(Connection {
            conn,
            format,
            out,
            taken: given.packets,
            given,
        });
        LinkUp::Up(urge)
    }

    /// Takes the bytes to write next by exchanging buffers. `buf` should be empty, with capacity.
    ///
    /// This takes all bytes, unless large packets were [put](Self::put): these are taken one by one. Returns false if
    /// `conn` is not the node's connection.
    pub fn swap_output(&mut self, conn: ConnId, buf: &mut Vec<u8>) -> bool {
        match &mut self.state {
            State::Up(connection) if connection.conn == conn => {
                if connection.out.swap(buf) {
                    connection.taken = connection.given.packets;
                }
                connection.given.bytes += buf.len() as u64;
                true
            }
            _ => false,
        }
    }

    /// Frees the buffers of a connection that has become quiet, if nothing waits in them.
    pub fn rest(&mut self, conn: ConnId) {
        if let State::Up(connection) = &mut self.state
            && connection.conn == conn
        {
            connection.out.rest();
        }
    }

    /// The number of packets that have been put since nothing waited to be written. Zero without a connection.
    #[must_use]
    pub fn pending_packets(&self) -> u64 {
        match &self.state {
            State::Up(connection) => connection.given.packets - connection.taken,
            _ => 0,
        }
    }

    /// Takes the next packets that are still values, and the format of the connection, in which the caller writes them.
    ///
    /// Such packets exist for formats of other crates, whose code must not run under a lock. Call this before
    /// [`swap_output`](Self::swap_output), which takes nothing as long as such packets come next.
    pub fn take_unwritten(&mut self, conn: ConnId) -> Option<(Format, Vec<Vec<Value>>)> {
        let State::Up(connection) = &mut self.state else {
            return None;
        };
        if connection.conn != conn {
            return None;
        }
        let packets = connection.out.take_values();
        if connection.out.is_empty() {
            connection.taken = connection.given.packets;
        }
        (!packets.is_empty()).then(|| (connection.format.clone(), packets))
    }

    /// Writes a keepalive, unless other bytes wait to be written anyway ([protocol](crate::protocol::packets#a-packet)).
    pub fn keepalive(&mut self) -> Urge {
        match &mut self.state {
            State::Up(connection) if connection.out.is_empty() => {
                // Every built-in format can write an empty packet. A format that cannot has no keepalives.
                let empty = |_: &mut PacketWriter<'_>| Ok(());
                let written = connection
                    .out
                    .write(&connection.format, self.limits.packet, empty);
                if written.is_ok() {
                    connection.given.packets += 1;
                    Urge::Write
                } else {
                    Urge::None
                }
            }
            _ => Urge::None,
        }
    }

    /// Closes the peer, because our own node has ended: nothing is sent any more. Forgets all monitors; the caller
    /// fires them.
    pub fn close(&mut self) {
        self.monitors = Monitors::default();
        self.state = State::Closed;
    }

    /// The state, as far as the mesh has to know it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Down => Standing::Down,
            State::Connecting(_) => Standing::Connecting,
            State::Up(connection) => Standing::Up(connection.conn),
            State::GivenUp(conn, text) => Standing::GivenUp(*conn, text.clone()),
            State::Mourning(_) | State::Closed => Standing::Draining,
        }
    }

    /// The approximate number of bytes that wait to be sent.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        match &self.state {
            State::Up(connection) => connection.out.len(),
            State::Connecting(queue)
            | State::Mourning(Mourning {
                next: Next::Kept(queue),
                ..
            }) => queue.bytes(),
            State::Down | State::GivenUp(..) | State::Mourning(_) | State::Closed => 0,
        }
    }

    /// True if the node is connected and accepts packets.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// True if the node is connected or connecting.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        matches!(self.state, State::Connecting(_) | State::Up(_))
    }

    /// True if the node is connected over `conn`.
    #[must_use]
    pub fn is_up_over(&self, conn: ConnId) -> bool {
        matches!(&self.state, State::Up(connection) if connection.conn == conn)
    }

    /// The node's connection, if it has one.
    #[must_use]
    pub fn conn(&self) -> Option<ConnId> {
        match &self.state {
            State::Up(connection) => Some(connection.conn),
            State::GivenUp(conn, _) => *conn,
            _ => None,
        }
    }

    /// The format of the packets to a connected node.
    #[must_use]
    pub fn format(&self) -> Option<&Format> {
        match &self.state {
            State::Up(connection) => Some(&connection.format),
            _ => None,
        }
    }

    /// The traffic to a connected node over its connection. Packets that still wait to be written are counted; their
    /// bytes are not.
    #[must_use]
    pub fn sent(&self) -> Option<Traffic> {
        match &self.state {
            State::Up(connection) => Some(connection.given),
            _ => None,
        }
    }

    /// The number of monitors on the node and its ports.
    #[must_use]
    pub fn monitors(&self) -> usize {
        self.monitors.len()
    }

    /// True if the peer can be forgotten without losing anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Down) && self.monitors.is_empty()
    }

    fn ask(&mut self, request: &str, port: &str) -> Urge {
        let sent = self.send("", |packet| {
            packet.str(request)?;
            packet.str(port)
        });
        // A request that cannot be sent is a hole like any other lost packet.
        sent.unwrap_or_else(|error| self.refuse(format!("{request} cannot be sent: {error}")))
    }

    #[cold]
    fn overflow(&mut self) -> Urge {
        self.refuse(self.limits.overflow())
    }

    #[cold]
    fn refuse(&mut self, text: String) -> Urge {
        if let State::Mourning(mourning) = &mut self.state {
            mourning.next = Next::Lost(text);
        } else {
            self.state = State::GivenUp(self.conn(), text);
        }
        Urge::Overflow
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
