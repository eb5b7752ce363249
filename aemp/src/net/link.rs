//! One authenticated connection: packets in, packets out, keepalives.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use aemp_codec::{Format, NodeId};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Net, Order, Stream,
    connection::{END_OF_FILE, Made},
    socket,
};
use crate::{
    node::remote::{Remote, line::Line},
    port::scheduler::Running,
    proto::{
        link::{Link, LinkAction, TIMED_OUT},
        mesh::RawRequest,
        peer::{ConnId, Traffic, Urge},
    },
};

/// Messages that ports handle on the reading task after each read; the rest is for the drainers.
const BUDGET: usize = 512;
/// A write buffer that has grown beyond this many bytes is not kept.
const KEEP: usize = 1 << 20;
/// What the log's and the monitors' text begins with when a packet breaks the rules.
const MALFORMED: &str = "malformed packet";
/// How long a closing connection may take to write what is queued.
const FLUSH: Duration = Duration::from_secs(1);

/// What the handshake hands over.
pub(super) struct Start {
    pub(super) node: NodeId,
    pub(super) recv: Format,
    pub(super) leftover: Vec<u8>,
    pub(super) peer_keepalive: Option<Duration>,
    pub(super) trusted: bool,
    pub(super) provider: Option<String>,
}

struct Pump<'a> {
    net: &'a Net,
    conn: ConnId,
    remote: Arc<Remote>,
    /// What others are told of the connection, and what that will say of what has arrived.
    line: Arc<Line>,
    received: Traffic,
    link: Link,
    recv: Format,
    stream: Stream,
    /// Requests for the mesh that the last read has brought.
    requests: Vec<RawRequest>,
    /// Whether the mesh wants to know when what was taken last has been written.
    asked: bool,
    /// Being written, and how much of it has been.
    out: Vec<u8>,
    written: usize,
}

/// Runs the connection until it ends; the mesh is told, unless it has ordered the end.
pub(super) async fn run(
    net: &Net,
    conn: ConnId,
    stream: Stream,
    mut orders: UnboundedReceiver<Order>,
    start: Start,
    made: Made,
) {
    let node = net.node();
    let remote = node.remotes().of(node, start.node.as_str());
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
    let mut line = line(conn, &start.recv, start.provider, made);
    (line.tls, line.trusted) = (stream.tls(), start.trusted);
    let line = Arc::new(line);
    remote.set_line(&line);
    let mut pump = Pump {
        net,
        conn,
        remote,
        line,
        received,
        link,
        recv: start.recv,
        requests: Vec::new(),
        asked: false,
        stream,
        out: Vec::new(),
        written: 0,
    };
    let ended = pump.run(&mut orders).await;
    // Before the mesh knows, so before another connection of this node can be up.
    pump.remote.forget_watched(conn);
    pump.remote.end_line(conn);
    if let Err(text) = ended {
        net.ask(|mesh, now| mesh.closed(now, conn, &text));
    }
}

/// What others are told of the connection.
fn line(conn: ConnId, recv: &Format, provider: Option<String>, made: Made) -> Line {
    let (dialed, address) = match made {
        Made::Dialed(address) => (true, address),
        Made::Accepted(address) => (false, address),
    };
    Line::new(conn, dialed, address, recv.name(), provider)
}

/// Goes to the end of the worker's queue once, so that tasks that are ready to send do so before the next write: one
/// write for many messages. Unlike tokio's own yield it does not poll for I/O in between, which a lone sender would pay for.
async fn let_others_send() {
    let mut first = true;
    poll_fn(|task| {
        if std::mem::take(&mut first) {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

impl Pump<'_> {
    /// `Ok` when the mesh has ordered the end; otherwise why the connection ended.
    async fn run(&mut self, orders: &mut UnboundedReceiver<Order>) -> Result<(), String> {
        self.deliver()?;
        loop {
            self.write()?;
            let deadline = self.net.instant(self.link.deadline());
            let writing = self.written < self.out.len();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Transmit(_) | Order::StartTls(_) | Order::Established { .. }) => {}
                    Some(Order::Close) | None => return { self.flush().await; Ok(()) },
                },
                ready = self.stream.readable() => {
                    ready.map_err(|error| socket::text(&error))?;
                    self.read()?;
                }
                ready = self.stream.writable(), if writing => {
                    ready.map_err(|error| socket::text(&error))?;
                }
                () = self.remote.wake.notified(), if !writing => let_others_send().await,
                () = tokio::time::sleep_until(deadline) => self.timeout()?,
            }
        }
    }

    /// Reads what there is and delivers it.
    fn read(&mut self) -> Result<(), String> {
        match self.stream.try_read_buf(self.link.space()) {
            Ok(0) => Err(END_OF_FILE.into()),
            Ok(read) => {
                self.link.heard(self.net.now());
                self.received.bytes += read as u64;
                self.deliver()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(socket::text(&error)),
        }
    }

    /// Delivers complete packets. The ports that they wake run here, on the same thread, when all are delivered.
    fn deliver(&mut self) -> Result<(), String> {
        let node = self.net.node();
        let running = Running::start(node);
        let delivered = self.packets();
        self.line.received(self.received);
        if !self.requests.is_empty() {
            let (conn, requests) = (self.conn, self.requests.drain(..));
            self.net
                .ask(|mesh, now| mesh.global_requests(now, conn, requests));
        }
        if let Some(running) = running {
            let mut budget = BUDGET;
            while budget > 0 && running.run_one(&mut budget) {}
        }
        delivered
    }

    fn packets(&mut self) -> Result<(), String> {
        let node = self.net.node();
        let _scope = node.decoding();
        let limits = node.limits();
        let malformed = |error: &dyn std::fmt::Display| {
            let mut text = error.to_string();
            if !text.starts_with(MALFORMED) {
                text = format!("{MALFORMED}: {text}");
            }
            tracing::warn!("{}: {text}", self.remote.id());
            text
        };
        loop {
            let packet = match self.link.next_packet() {
                Ok(Some(packet)) => {
                    self.received.packets += 1;
                    packet
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(malformed(&error)),
            };
            let mut reader = self
                .recv
                .reader(packet, limits)
                .map_err(|error| malformed(&error))?;
            node.deliver(&self.remote, &mut reader, &mut self.requests)
                .map_err(|error| malformed(&error))?;
        }
    }

    /// Hands what is queued to the socket, as far as it takes it.
    fn write(&mut self) -> Result<(), String> {
        loop {
            if self.written == self.out.len() && !self.next_output() {
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
    fn next_output(&mut self) -> bool {
        self.tell_written();
        self.take_output();
        if self.out.is_empty() && self.tell_written() {
            self.take_output();
        }
        if self.out.is_empty() {
            return false;
        }
        self.remote.taken.notify_waiters();
        true
    }

    fn take_output(&mut self) {
        self.written = 0;
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        self.out.clear();
        // Asked first: what was queued before the mesh asked is among what is taken now.
        self.asked |= self.remote.tell_written.swap(false, Ordering::AcqRel);
        self.remote.peer().swap_output(self.conn, &mut self.out);
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

    fn timeout(&mut self) -> Result<(), String> {
        match self.link.timeout(self.net.now()) {
            LinkAction::None => {}
            LinkAction::SendKeepalive => {
                // It is written by the next turn of the loop.
                let (Urge::None | Urge::Write | Urge::Connect | Urge::Overflow) =
                    self.remote.peer().keepalive();
            }
            LinkAction::Dead => return Err(TIMED_OUT.into()),
        }
        Ok(())
    }

    /// Writes what is left and says goodbye.
    async fn flush(&mut self) {
        let flush = async {
            loop {
                self.stream.write_all(&self.out[self.written..]).await?;
                self.written = self.out.len();
                if !self.next_output() {
                    return self.stream.shutdown().await;
                }
            }
        };
        // The other end may take no more; then it learns of the end in its own time.
        let _ = tokio::time::timeout(FLUSH, flush).await;
    }
}
