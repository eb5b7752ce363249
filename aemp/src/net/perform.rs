//! Telling the mesh what has happened, and doing what it wants done.

use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::{LockedPeers, Net, Order, Task, connection, events::Event, link::Start, lock};
use crate::proto::{
    Time,
    mesh::{Level, Mesh, Output},
    peer::{ConnId, Loss},
};

/// What has become of bytes that have arrived in a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Taken,
    /// They are taken, and nothing more should be read before the connection is established.
    Enough,
    /// The handshake has ended meanwhile: they belong to what follows it.
    Late,
}

impl Net {
    /// Tells the mesh something and does what it wants done. Orders go out under its lock, so that they keep their order;
    /// none of that waits or runs foreign code.
    pub(crate) fn ask<R>(&self, tell: impl FnOnce(&mut Mesh<LockedPeers>, Time) -> R) -> R {
        let mut logs = Vec::new();
        let mut mesh = lock(&self.0.mesh);
        let result = tell(&mut mesh, self.now());
        while let Some(output) = mesh.poll() {
            match output {
                // Whoever takes logs may wait for a disk, or for this node.
                Output::Log { level, text } => logs.push((level, text)),
                output => self.perform(output),
            }
        }
        let deadline = alarm(mesh.deadline());
        // Whoever keeps the time is woken only for what comes sooner: sets of keys, for example, change nothing.
        let sooner = deadline < self.0.alarm.load(Ordering::Relaxed);
        if sooner {
            self.0.alarm.store(deadline, Ordering::Relaxed);
        }
        drop(mesh);
        if sooner {
            self.0.deadline.notify_one();
        }
        for (level, text) in logs {
            log(level, &text);
        }
        result
    }

    /// Tells the mesh of changes of the database that everybody is told of soon, many at a time.
    pub(crate) fn stage(&self, tell: impl FnOnce(&mut Mesh<LockedPeers>)) {
        tell(&mut lock(&self.0.mesh));
        self.0.staged.notify_one();
    }

    /// When the mesh wants to be woken next, which it will be.
    pub(super) fn set_alarm(&self) -> Option<Time> {
        let mesh = lock(&self.0.mesh);
        let deadline = mesh.deadline();
        self.0.alarm.store(alarm(deadline), Ordering::Relaxed);
        deadline
    }

    fn perform(&self, output: Output) {
        match output {
            Output::Dial { conn, addr } => self.dial(conn, addr),
            Output::Transmit { conn, bytes } => self.order(conn, Order::Transmit(bytes)),
            Output::StartTls { conn, start } => self.order(conn, Order::StartTls(Box::new(start))),
            Output::Close { conn } => self.order(conn, Order::Close),
            Output::Established {
                conn,
                node,
                recv,
                leftover,
                peer_keepalive,
                trusted,
                provider,
            } => {
                let start = Start {
                    node,
                    recv,
                    leftover,
                    peer_keepalive,
                    trusted,
                    provider,
                };
                self.order(conn, Order::Established(Box::new(start)));
            }
            Output::WakeWriter { node } => {
                if let Some(remote) = self.node().remotes().get(node.as_str()) {
                    remote.wake.notify_one();
                }
            }
            Output::Fire {
                node,
                loss,
                monitors,
                text,
            } => {
                let loss = Loss { id: loss, monitors };
                self.event(Event::Fire(node, loss, text));
            }
            Output::TellWritten { node } => {
                let remote = self.node().remotes().of(self.node(), node.as_str());
                remote.tell_written.store(true, Ordering::Release);
                remote.wake.notify_one();
            }
            Output::Answer { query, answer } => self.event(Event::Answer(query, answer)),
            Output::Watched { watch, told } => {
                if let Some(sink) = self.node().database().told(watch, told) {
                    self.event(Event::Told(sink));
                }
            }
            Output::NodeUp(node) => self.event(Event::Up(node)),
            Output::NodeDown(node, text) => self.event(Event::Down(node, text)),
            Output::Log { level, text } => log(level, &text),
        }
    }

    pub(super) fn event(&self, event: Event) {
        // The receiver is gone only when the node has stopped.
        let _ = self.0.events.send(event);
    }

    fn order(&self, conn: ConnId, order: Order) {
        if let Some(task) = lock(&self.0.connections).get_mut(&conn) {
            task.detached |= matches!(order, Order::Established(_) | Order::StartTls(_));
            let _ = task.orders.send(order);
        }
    }

    /// Gives the mesh what has arrived on a connection in its handshake.
    pub(super) fn received(&self, conn: ConnId, bytes: &[u8]) -> Received {
        self.ask(|mesh, now| {
            let connections = lock(&self.0.connections);
            let detached = connections.get(&conn).is_some_and(|task| task.detached);
            drop(connections);
            if detached {
                return Received::Late;
            }
            mesh.received(now, conn, bytes);
            if mesh.wants_more(conn) {
                Received::Taken
            } else {
                Received::Enough
            }
        })
    }

    /// TLS is up on a connection: the mesh gets what is within.
    #[cfg(feature = "tls")]
    pub(super) fn secured(&self, conn: ConnId) {
        self.ask(|mesh, now| {
            if let Some(task) = lock(&self.0.connections).get_mut(&conn) {
                task.detached = false;
            }
            mesh.secured(now, conn);
        });
    }

    fn dial(&self, conn: ConnId, addr: String) {
        let (net, orders) = (self.clone(), self.open(conn));
        self.0.node.scheduler().spawn(async move {
            connection::dial(&net, conn, addr, orders).await;
            net.close(conn);
        });
    }

    /// A connection's task begins: the receiver of its orders.
    pub(super) fn open(&self, conn: ConnId) -> mpsc::UnboundedReceiver<Order> {
        let (sender, orders) = mpsc::unbounded_channel();
        let task = Task {
            orders: sender,
            detached: false,
        };
        lock(&self.0.connections).insert(conn, task);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        orders
    }

    pub(super) fn close(&self, conn: ConnId) {
        lock(&self.0.connections).remove(&conn);
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.closed.notify_waiters();
        }
    }
}

fn alarm(deadline: Option<Time>) -> u64 {
    let nanoseconds = deadline.map(|time| time.since_origin().as_nanos());
    nanoseconds.map_or(u64::MAX, |nanoseconds| {
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    })
}

fn log(level: Level, text: &str) {
    match level {
        Level::Error => tracing::error!("{text}"),
        Level::Warn => tracing::warn!("{text}"),
        Level::Info => tracing::info!("{text}"),
        Level::Debug => tracing::debug!("{text}"),
    }
}
