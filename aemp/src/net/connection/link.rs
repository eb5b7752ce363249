//! The last stage of a connection: packets in, packets out, keepalives.
//!
//! The task reads, delivers, hands over the ports that have become ready, and writes the packets that have gathered
//! (`link/writing.rs`). Packets of 128 KiB and more are read on other threads, in order (`large.rs`).

mod brake;
mod flight;
mod room;
mod writing;

use std::{io, sync::Arc};

use aemp_codec::{Format, FrameError, FrameErrorKind};
use tokio::sync::OwnedMutexGuard;

use self::{
    brake::{Brake, Lag},
    flight::Flight,
    room::Share,
};
use super::{
    error::{self, END_OF_FILE},
    large::{Large, LargePacket, Step},
    order::{Established, Made, Order, Orders},
};
use crate::{
    exec::{
        drainer::Active,
        ready::Lane,
        slice::{LARGE, Slice, give_way},
    },
    net::{Net, stream::Stream},
    node::{
        delivery::{Brought, Crowd, Heard},
        peer::{Peer, connection::Connection},
    },
    tap::Direction,
};
use aemp_proto::{
    Time,
    link::{Link, LinkAction, TIMED_OUT},
    mesh::Level,
    peer::{ConnId, Traffic, Urge},
};

/// The number of bytes that are read before other tasks run.
const TURN_BYTES: usize = 256 << 10;
/// The same while the packets are bulk, so that the ports free the strings that they got before the next ones come.
const TURN_BULK: usize = 32 << 10;
/// The number of messages that cost about as much as a request to the node port.
const REQUEST: u32 = 8;
/// The number of packets in a turn from which the connection looks for a crowd. Fewer cost less than the look.
const LOOK: u64 = 16;
/// The beginning of the text, for log and monitors, about a packet that breaks the rules.
const MALFORMED: &str = "malformed packet";

struct LinkTask<'a> {
    net: &'a Net,
    conn: ConnId,
    peer: Arc<Peer>,
    /// The data about the connection for reports, shared with the peer. `received` is copied there.
    connection: Arc<Connection>,
    received: Traffic,
    /// The time of the last read.
    heard: Time,
    link: Link,
    /// The bytes of the link that are in the node's `unread`.
    share: Share,
    recv: Format,
    stream: Stream,
    /// The connection's turn on its worker. A socket that always has bytes to read never yields by itself, so without
    /// turns a fast peer would occupy a worker and starve the sockets of that worker.
    turn: Turn,
    /// The right to deliver, which the node's last connection holds until it has delivered everything. `None` until
    /// then.
    delivers: Option<OwnedMutexGuard<()>>,
    /// The results of the last turn, beside messages.
    brought: Brought,
    /// The time until which nothing is read or delivered, because the peer has exceeded its rate of requests or is
    /// faster than a port.
    resume: Option<Time>,
    brake: Brake,
    large: Large,
    /// True if the mesh has asked to hear when the last bytes taken have been written.
    asked: bool,
    flight: Flight,
    /// The bytes that are being written, and the number of those that have been.
    out: Vec<u8>,
    written: usize,
    /// The number of packets that had been queued when bytes were taken last, and those since the time before.
    taken: u64,
    carried: u64,
}

struct Turn {
    slice: Slice,
    bytes: usize,
}

impl Turn {
    fn begin(timeless: bool) -> Self {
        Self {
            slice: Slice::begin(timeless),
            bytes: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.slice.is_over() || self.bytes >= TURN_BYTES
    }
}

/// Runs the connection until it ends. Reports the end to the mesh, unless the mesh has ordered it.
pub(super) async fn run(
    net: &Net,
    conn: ConnId,
    stream: Stream,
    mut orders: Orders,
    start: Box<Established>,
    made: Made,
) {
    let node = net.node();
    let peer = node.peers().of(node, start.node.as_str());
    let received = Traffic {
        packets: 0,
        bytes: start.leftover.len() as u64,
    };
    let link = Link::new(
        net.now(),
        &start.recv,
        node.limits(),
        net.0.config.monitor_timeout,
        start.peer_keepalive,
        start.leftover,
    );
    let mut connection = connection(conn, &start.recv, start.provider, made);
    (connection.tls, connection.trusted) = (stream.tls(), start.trusted);
    (connection.is_ours, connection.credit) = (start.ours, start.credit);
    connection.deadlines = start.deadlines;
    let connection = Arc::new(connection);
    peer.set_connection(&connection);
    let mut task = LinkTask {
        net,
        conn,
        peer,
        connection,
        received,
        heard: net.now(),
        link,
        share: Share::default(),
        turn: Turn::begin(node.scheduler().is_timeless()),
        recv: start.recv,
        delivers: None,
        brought: Brought::over(conn),
        resume: None,
        brake: Brake::Off,
        large: Large::No,
        asked: false,
        flight: Flight::of(&stream),
        stream,
        out: Vec::new(),
        written: 0,
        taken: 0,
        carried: 0,
    };
    let ended = task.run(&mut orders).await;
    task.large.end().await;
    task.share.end(&net.0.unread);
    discard(net, task.link.take_buffer().0);
    // This must come before the mesh hears of the end, so before another connection of this node can come up.
    task.peer.forget_monitored(conn);
    task.peer.end_connection(conn);
    if let Err(text) = ended {
        net.ask(|mesh, now| mesh.closed(now, conn, &text));
    }
}

/// Frees the bytes that a connection has left unread, on another thread if that takes some milliseconds.
fn discard(net: &Net, bytes: Vec<u8>) {
    let scheduler = net.node().scheduler();
    if bytes.capacity() >= LARGE && !scheduler.is_timeless() {
        scheduler.runtime().spawn_blocking(|| drop(bytes));
    }
}

/// The data about the connection for reports.
fn connection(conn: ConnId, recv: &Format, provider: Option<String>, made: Made) -> Connection {
    let (dialed, address) = match made {
        Made::Dialed(address) => (true, address),
        Made::Accepted(address) => (false, address),
    };
    Connection::new(conn, dialed, address, recv.name(), provider)
}

/// The setting that a packet has exceeded, for the log.
fn limit_of(error: &FrameError) -> &'static str {
    match error.kind {
        FrameErrorKind::TooLarge { .. } => " (max_packet_bytes)",
        FrameErrorKind::TooDeep { .. } => " (max_packet_depth)",
        _ => "",
    }
}

impl LinkTask<'_> {
    /// Returns `Ok` if the mesh has ordered the end, and otherwise the reason of the end.
    async fn run(&mut self, orders: &mut Orders) -> Result<(), String> {
        if !self.wait_for_predecessor(orders).await? {
            self.flush().await;
            return Ok(());
        }
        self.deliver()?;
        loop {
            self.write()?;
            let deadline = self.link.deadline();
            let deadline = self.resume.map_or(deadline, |resume| resume.min(deadline));
            let deadline = self.net.instant(deadline);
            let writing = self.written < self.out.len();
            let large = !matches!(self.large, Large::No);
            let (resting, waiting) = (self.turn.is_over(), self.resume.is_some() || large);
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Close) | None => {
                        // The packets of a successor come after the large packet.
                        self.large.end().await;
                        self.delivers = None;
                        self.flush().await;
                        return Ok(());
                    }
                    Some(_) => {}
                },
                () = give_way(), if resting && !waiting => {
                    self.turn = self.next_turn();
                    self.deliver()?;
                }
                step = self.large.next(), if large && (self.resume.is_none() || self.large.runs()) => {
                    self.step(step)?;
                }
                ready = self.stream.readable(), if !resting && !waiting => {
                    ready.map_err(|error| error::text(&error))?;
                    self.read()?;
                }
                ready = self.stream.writable(), if writing => {
                    ready.map_err(|error| error::text(&error))?;
                }
                () = self.peer.writer.notified(), if !writing => self.peer.writer.gather(self.carried).await,
                () = tokio::time::sleep_until(deadline) => {
                    if large || self.brake.pauses() {
                        // The peer is not silent: this end does not read.
                        self.link.heard(self.net.now());
                    }
                    self.timeout()?;
                }
            }
        }
    }

    fn next_turn(&self) -> Turn {
        Turn::begin(self.net.node().scheduler().is_timeless())
    }

    /// Waits until the node's last connection delivers nothing any more. That connection may be in the middle of a read
    /// when the mesh switches to this one. This one writes meanwhile. Returns false if the connection is to be closed.
    async fn wait_for_predecessor(&mut self, orders: &mut Orders) -> Result<bool, String> {
        let delivering = Arc::clone(&self.peer.delivering);
        self.delivers = Arc::clone(&delivering).try_lock_owned().ok();
        while self.delivers.is_none() {
            self.write()?;
            let deadline = self.net.instant(self.link.deadline());
            let writing = self.written < self.out.len();
            tokio::select! {
                biased;
                order = orders.recv() => if let Some(Order::Close) | None = order {
                    return Ok(false);
                },
                delivers = Arc::clone(&delivering).lock_owned() => self.delivers = Some(delivers),
                ready = self.stream.writable(), if writing => {
                    ready.map_err(|error| error::text(&error))?;
                }
                () = self.peer.writer.notified(), if !writing => self.peer.writer.gather(self.carried).await,
                () = tokio::time::sleep_until(deadline) => {
                    // The peer is not silent: this end does not read.
                    self.link.heard(self.net.now());
                    self.timeout()?;
                }
            }
        }
        Ok(true)
    }

    /// Reads available bytes and delivers them.
    fn read(&mut self) -> Result<(), String> {
        if self.link.is_cramped() && !self.net.node().scheduler().is_timeless() {
            self.large = Large::grow(self.net, self.link.take_buffer());
            return Ok(());
        }
        room::borrow(&mut self.link);
        match self.stream.try_read_buf(self.link.space()) {
            Ok(0) => Err(END_OF_FILE.into()),
            Ok(read) => {
                self.heard = self.net.now();
                self.link.heard(self.heard);
                self.received.bytes += read as u64;
                self.turn.bytes += read;
                if self.link.is_bulk() && self.turn.bytes >= TURN_BULK {
                    self.turn.bytes = TURN_BYTES;
                }
                self.deliver()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                room::give_back(&mut self.link);
                // Other tasks run while this one waits.
                self.turn = self.next_turn();
                Ok(())
            }
            Err(error) => Err(error::text(&error)),
        }
    }

    /// Delivers complete packets. Ports that become ready are handed to the drainers together. No handler runs on this
    /// task.
    fn deliver(&mut self) -> Result<(), String> {
        let net = self.net;
        let _gathered =
            Active::delivering(net.node().scheduler(), Lane::of_connection(self.conn.0));
        let _heard = Heard::at(net.instant(self.heard));
        let before = self.received.packets;
        let delivered = self.packets();
        if self.received.packets - before >= LOOK {
            net.node().look_for_crowd(&mut self.brought);
        }
        if matches!(self.large, Large::No) {
            room::give_back(&mut self.link);
        }
        self.share.note(&net.0.unread, &mut self.link);
        self.connection.received(self.received);
        if !self.brought.for_mesh.is_empty() {
            let (conn, requests) = (self.conn, self.brought.for_mesh.drain(..));
            let cost = self.net.ask(|mesh, now| mesh.requests(now, conn, requests));
            self.brought.cost += cost;
        }
        self.charge();
        self.slow_down();
        self.brought.forget_receiver();
        delivered
    }

    /// Pauses if the other node sends to a port faster than the port handles its messages.
    fn slow_down(&mut self) {
        let crowd = std::mem::take(&mut self.brought.crowd);
        let port = match crowd {
            Crowd::None | Crowd::Small => self.brake.port(),
            Crowd::Large(port) => Some(port),
        };
        if (crowd, port) == (Crowd::None, None) || self.net.node().scheduler().is_timeless() {
            return;
        }
        let lag = port.and_then(|port| self.lag(port));
        let resume = self.brake.delivered(self.net.now(), crowd, lag);
        self.resume = self.resume.max(resume);
    }

    /// The messages in the queue of a port, if it lives.
    fn lag(&self, port: u64) -> Option<Lag> {
        let node = self.net.node();
        let behind = node.find_number(port)?.behind();
        Some(Lag {
            port,
            waiting: behind.waiting,
            handled: behind.handled,
            large: Crowd::large(node.costs().max_port_queue),
        })
    }

    /// Pauses reading if the other node exceeds its rate of requests. Its packets wait in the network, and writing
    /// continues.
    fn charge(&mut self) {
        const LIMIT: &str = "max_requests_per_second";
        let cost = std::mem::take(&mut self.brought.cost);
        if cost == 0 {
            return;
        }
        let (now, most) = (
            self.net.now(),
            self.net.node().costs().max_requests_per_second,
        );
        let account = self.peer.account();
        let Some(mut wait) = account.charge(now, cost, most) else {
            return;
        };
        self.peer.count_limit(LIMIT);
        // The pause begins with a read and is short, so neither end takes the other for dead.
        let longest = self.net.0.config.monitor_timeout / 4;
        if wait > longest {
            wait = longest;
            account.forgive();
        }
        self.resume = Some(now + wait);
        if account.is_news(LIMIT) {
            let id = self.peer.id();
            let text =
                format!("{id}: {LIMIT} ({most}) reached: reading from it stops for {wait:?}");
            self.peer.remark(Level::Warn, text);
        }
    }

    /// Continues with a large packet: it may be read now, or it has been read.
    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Turn(permit) => {
                let (bytes, place) = self.link.take_last_packet();
                let packet = LargePacket {
                    net: self.net.clone(),
                    peer: Arc::clone(&self.peer),
                    format: self.recv.clone(),
                    conn: self.conn,
                    bytes,
                    place,
                };
                self.large = packet.begin(permit);
                Ok(())
            }
            Step::Grown(buffer) => {
                self.link.put_buffer(buffer);
                self.large = Large::No;
                Ok(())
            }
            Step::Done(done) => {
                self.large = Large::No;
                self.link.heard(self.net.now());
                self.brought.cost += done?.map_err(|error| self.malformed(&error, ""))?;
                self.charge();
                // The packets after it are delivered in the next turn.
                self.turn.bytes = TURN_BYTES;
                Ok(())
            }
        }
    }

    /// Logs that a packet breaks the rules. Returns the reason for the end of the connection.
    #[cold]
    fn malformed(&self, error: &dyn std::fmt::Display, limit: &str) -> String {
        let mut text = error.to_string();
        if !text.starts_with(MALFORMED) {
            text = format!("{MALFORMED}: {text}");
        }
        let id = self.peer.id();
        let node = self.net.node();
        node.complain(id, format_args!("{id}: {text}{limit}"));
        text
    }

    fn packets(&mut self) -> Result<(), String> {
        let node = self.net.node();
        let _scope = node.decoding();
        let (limits, traces) = (node.limits(), node.traces());
        let mut portion = self.brake.portion();
        while !self.turn.is_over() {
            if portion == 0 {
                // The rest comes in the next turn.
                self.turn.bytes = TURN_BYTES;
                break;
            }
            portion -= 1;
            let packet = match self.link.next_packet() {
                Ok(Some(packet)) => {
                    self.received.packets += 1;
                    packet
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.malformed(&error, limit_of(&error))),
            };
            if packet.len() >= LARGE && !node.scheduler().is_timeless() {
                self.large = Large::wait(self.net);
                return Ok(());
            }
            if traces {
                node.trace(Direction::Rcv, self.peer.id(), &self.recv, packet);
            }
            let before = self.brought.cost;
            // Not moved out of the `Result`, because the reader is large.
            let mut opened = self.recv.reader(packet, limits);
            let delivered = match &mut opened {
                Ok(reader) => node.deliver(&self.peer, reader, &mut self.brought),
                Err(error) => Err(error.clone()),
            };
            if let Err(error) = delivered {
                return Err(self.malformed(&error, ""));
            }
            let requests = u32::try_from(self.brought.cost - before).unwrap_or(u32::MAX);
            let cost = requests.saturating_mul(REQUEST).saturating_add(1);
            self.turn.slice.did(cost);
        }
        Ok(())
    }

    fn timeout(&mut self) -> Result<(), String> {
        let now = self.net.now();
        if self.resume.take_if(|resume| *resume <= now).is_some() {
            let lag = self.brake.port().and_then(|port| self.lag(port));
            self.resume = self.brake.check(now, lag);
        }
        match self.link.timeout(now) {
            LinkAction::None => {}
            LinkAction::SendKeepalive => {
                // The next turn of the loop writes it.
                let (Urge::None | Urge::Write | Urge::Connect | Urge::Overflow) =
                    self.peer.state().keepalive();
            }
            LinkAction::Rest => {
                (self.out, self.written) = (Vec::new(), 0);
                self.stream.rest();
                self.peer.state().rest(self.conn);
            }
            LinkAction::Dead => return Err(TIMED_OUT.into()),
        }
        Ok(())
    }
}
