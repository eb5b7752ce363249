//! One other node, seen from this one: the queue of packets for it, and the monitors on its ports.
//!
//! A [`Peer`] keeps the delivery guarantee (PROTOCOL.md section 7): once a monitor is set on a port, every message sent
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

/// One other node.
///
/// It is *down*, *connecting* (packets queue as values), *up* (packets are written) or *draining*: the connection
/// was lost or could not be made, everything queued is lost, and every monitor is handed out to be fired, as one
/// [`Loss`]. Only when all of these have fired may a new connection carry packets. What is monitored meanwhile belongs to that
/// connection, and so does what is sent, except to a port of which a monitor has not been called yet and none is new:
/// whoever sends there has not been told, and the message would arrive behind a hole.
///
/// Each method decides and acts at once and says what it has found, so that nothing can come between the two.
#[derive(Debug)]
pub struct Peer {
    remote: NodeId,
    limits: PeerLimits,
    state: State,
    /// Those that are not handed out.
    monitors: Monitors,
    /// How many losses there were.
    losses: u64,
}

#[derive(Debug)]
enum State {
    Down,
    Connecting(Queue),
    Up(Line),
    /// Nothing is accepted any more; the mesh has been, or is being, told to end it.
    GivenUp(Option<ConnId>, String),
    Mourning(Mourning),
    /// Our own node has ended: nothing is accepted any more, for ever.
    Closed,
}

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
            losses: 0,
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
        line.out.write(&line.format, self.limits.packet, |packet| {
            packet.str(port)?;
            write(packet)
        })?;
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
        if let Written::Bytes { format, bytes } = packet
            && let Some(urge) = self.put_bytes(format, bytes)
        {
            return Ok(urge);
        }
        match &self.state {
            State::Up(line) => Err(Some(line.format.clone())),
            _ => self.put_later(port, packet),
        }
    }

    /// As [`put`](Self::put), for a packet of the format that a connection has; `None` if there is none of that.
    #[inline]
    pub fn put_bytes(&mut self, format: &Format, bytes: &mut Vec<u8>) -> Option<Urge> {
        let State::Up(line) = &mut self.state else {
            return None;
        };
        if line.format != *format {
            return None;
        }
        let was_empty = line.out.is_empty();
        line.out.append(bytes);
        line.given.packets += 1;
        if line.out.len() > self.limits.max_queue_bytes {
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
            // Whether a message can be sent does not depend on the connection.
            Queue::default().push(port, limits, write)?;
            return Ok(Urge::None);
        };
        queue.push(port, limits, write)?;
        if queue.bytes() > self.limits.max_queue_bytes {
            return Ok(self.overflow());
        }
        Ok(Urge::None)
    }

    /// Monitors a port; an empty name means the node itself, for which connecting is enough.
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

    /// A connection is ready. If it is the node's from now on, what is queued is written, in order.
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
        self.state = State::Up(Line {
            conn,
            format,
            out,
            given,
        });
        LinkUp::Up(urge)
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

    /// The packets that come next and are still to be written, in the format of the connection: one from elsewhere, whose code is not to be
    /// called under a lock. To be called before [`swap_output`](Self::swap_output), which takes nothing as long as there are some.
    pub fn take_unwritten(&mut self, conn: ConnId) -> Option<(Format, Vec<Vec<Value>>)> {
        let State::Up(line) = &mut self.state else {
            return None;
        };
        if line.conn != conn {
            return None;
        }
        let packets = line.out.take_values();
        (!packets.is_empty()).then(|| (line.format.clone(), packets))
    }

    /// Writes a keepalive, unless there is something to be written anyway (PROTOCOL.md section 4).
    pub fn keepalive(&mut self) -> Urge {
        match &mut self.state {
            State::Up(line) if line.out.is_empty() => {
                // An empty packet can be written in every format; where it cannot, there are no keepalives.
                let empty = |_: &mut PacketWriter<'_>| Ok(());
                let written = line.out.write(&line.format, self.limits.packet, empty);
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

    /// Our own node has ended: nothing is sent any more. All monitors are forgotten; the caller fires them.
    pub fn close(&mut self) {
        self.monitors = Monitors::default();
        self.state = State::Closed;
    }

    /// What the mesh has to know.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Down => Standing::Down,
            State::Connecting(_) => Standing::Connecting,
            State::Up(line) => Standing::Up(line.conn),
            State::GivenUp(conn, text) => Standing::GivenUp(*conn, text.clone()),
            State::Mourning(_) | State::Closed => Standing::Draining,
        }
    }

    /// About how many bytes wait to be sent.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        match &self.state {
            State::Up(line) => line.out.len(),
            State::Connecting(queue)
            | State::Mourning(Mourning {
                next: Next::Kept(queue),
                ..
            }) => queue.bytes(),
            State::Down | State::GivenUp(..) | State::Mourning(_) | State::Closed => 0,
        }
    }

    /// Whether the node is connected and takes packets.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// True if the node is connected, or is being connected to.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        matches!(self.state, State::Connecting(_) | State::Up(_))
    }

    /// Whether the node is connected over that connection.
    #[must_use]
    pub fn is_up_over(&self, conn: ConnId) -> bool {
        matches!(&self.state, State::Up(line) if line.conn == conn)
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
