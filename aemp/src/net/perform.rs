//! Reporting events to the mesh, and performing its outputs.

use std::sync::{Arc, atomic::Ordering};

#[cfg(feature = "net")]
use aemp_codec::NodeId;
#[cfg(feature = "tls")]
use aemp_proto::handshake::Binding;

#[cfg(feature = "net")]
use super::connection::order::StreamReady;
use super::{
    LockedPeers, Net,
    connection::order::{Established, Made, Order, Orders, Received},
    events::Event,
    stream::stir::Stir,
};
use crate::{exec::spans, node::log::Remark};
use aemp_proto::{
    Time,
    mesh::{LookUpId, Mesh, Output},
    peer::{ConnId, Loss},
};

/// Outputs of the mesh that are performed when its lock is free.
#[derive(Default)]
struct Later {
    /// Log lines: a subscriber may wait for a disk, or for this node.
    lines: Vec<Remark>,
    /// Connections to dial. A task that is started on a runtime that is gone ends at once, and reports that to the
    /// mesh.
    dials: Vec<(ConnId, String, Orders)>,
    look_ups: Vec<(LookUpId, String)>,
    /// Tunnels that begin: their connections, the addresses that stand for the other ends, and the ends that have
    /// opened them.
    tunnels: Vec<(ConnId, Arc<Stir>, Made, Orders)>,
    /// Tunnels whose readers and writers are to be woken, which may be foreign code.
    stirred: Vec<Arc<Stir>>,
    /// Data connections that have failed.
    #[cfg(feature = "net")]
    failed: Vec<(NodeId, String, String)>,
    /// True if tasks that wait until the node has joined must be woken.
    seeds_changed: bool,
}

impl Net {
    /// Calls `tell` with the mesh, and performs the mesh's outputs.
    ///
    /// Orders are sent under the mesh's lock, so that they keep their order. Nothing under the lock waits or runs
    /// foreign code.
    pub(crate) fn ask<R>(&self, tell: impl FnOnce(&mut Mesh<LockedPeers>, Time) -> R) -> R {
        let mut later = Later::default();
        let mut mesh = self.0.mesh.lock();
        let result = tell(&mut mesh, self.now());
        while let Some(output) = mesh.poll() {
            self.perform(output, &mut later);
        }
        let shrunk = std::mem::take(&mut mesh.peers().shrunk);
        let deadline = alarm(mesh.deadline());
        // The clock is woken only for an earlier deadline, because most calls, such as sets of keys, do not change it.
        let sooner = deadline < self.0.alarm.load(Ordering::Relaxed);
        if sooner {
            self.0.alarm.store(deadline, Ordering::Relaxed);
        }
        drop(mesh);
        if sooner {
            self.0.deadline.notify_one();
        }
        for (conn, addr, orders) in later.dials {
            self.dial(conn, addr, orders);
        }
        for (look_up, seed) in later.look_ups {
            self.look_up(look_up, seed);
        }
        for (conn, stir, made, orders) in later.tunnels {
            self.run_tunnel(conn, stir, made, orders);
        }
        for stir in later.stirred {
            stir.wake();
        }
        if later.seeds_changed {
            self.0.seeds_changed.notify_waiters();
        }
        for peer in shrunk {
            peer.queue_shrunk();
        }
        #[cfg(feature = "net")]
        for (node, stream, text) in later.failed {
            self.node().stream_failed(&node, &stream, text);
        }
        for line in later.lines {
            self.node().remark(line);
        }
        result
    }

    /// Calls `look` with the mesh, which it does not change.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&Mesh<LockedPeers>) -> R) -> R {
        look(&self.0.mesh.lock())
    }

    /// Calls `tell` with the mesh to stage changes of the database. They are sent soon, many at a time.
    pub(crate) fn stage(&self, tell: impl FnOnce(&mut Mesh<LockedPeers>)) {
        tell(&mut self.0.mesh.lock());
        self.0.staged.notify_one();
    }

    /// Sets the alarm to the mesh's next deadline, and returns it. The caller sleeps until then.
    pub(super) fn set_alarm(&self) -> Option<Time> {
        let mesh = self.0.mesh.lock();
        let deadline = mesh.deadline();
        self.0.alarm.store(alarm(deadline), Ordering::Relaxed);
        deadline
    }

    fn perform(&self, output: Output, later: &mut Later) {
        match output {
            Output::Dial { conn, addr } => later.dials.push((conn, addr, self.open(conn))),
            Output::LookUp { look_up, seed } => later.look_ups.push((look_up, seed)),
            Output::Tunnel { conn, addr, dialed } => {
                let made = if dialed { Made::Dialed } else { Made::Accepted };
                let stir = Arc::<Stir>::default();
                self.0.tunnels.lock().insert(conn, Arc::clone(&stir));
                let tunnel = (conn, stir, made(addr), self.open(conn));
                later.tunnels.push(tunnel);
            }
            Output::TunnelStirred { conn } => {
                later
                    .stirred
                    .extend(self.0.tunnels.lock().get(&conn).cloned());
            }
            Output::SeedsChanged => later.seeds_changed = true,
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
                ours,
                credit,
                deadlines,
                traces,
            } => {
                // Before the report that the node is up.
                if let Some(peer) = self.node().peers().get(node.as_str()) {
                    peer.set_traces(traces.then_some(conn), spans::has_tracer(self.node()));
                }
                let start = Established {
                    node,
                    recv,
                    leftover,
                    peer_keepalive,
                    trusted,
                    provider,
                    ours,
                    credit,
                    deadlines,
                };
                self.order(conn, Order::Established(Box::new(start)));
            }
            #[cfg(feature = "net")]
            Output::Stream {
                conn,
                node,
                start,
                leftover,
            } => {
                let ready = StreamReady {
                    node,
                    start,
                    leftover,
                };
                self.order(conn, Order::Stream(Box::new(ready)));
            }
            #[cfg(feature = "net")]
            Output::StreamFailed { node, id, text } => later.failed.push((node, id, text)),
            // Nothing is expected of data connections.
            #[cfg(not(feature = "net"))]
            Output::Stream { conn, .. } => self.order(conn, Order::Close),
            #[cfg(not(feature = "net"))]
            Output::StreamFailed { .. } => {}
            Output::WakeWriter { node } => {
                if let Some(peer) = self.node().peers().get(node.as_str()) {
                    peer.writer.wake();
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
                let peer = self.node().peers().of(self.node(), node.as_str());
                peer.tell_written.store(true, Ordering::Release);
                peer.writer.wake();
            }
            Output::Answer { query, answer } => self.event(Event::Answer(query, answer)),
            Output::Watched { watch, told } => {
                if let Some(sink) = self.node().database().deliver(watch, told) {
                    self.event(Event::Told(sink));
                }
            }
            Output::NodeUp(node) => self.event(Event::Up(node)),
            Output::NodeDown(node, text) => self.event(Event::Down(node, text)),
            Output::Log { level, text } => later.lines.push(Remark::new(level, text)),
        }
    }

    pub(super) fn event(&self, event: Event) {
        // Sending fails only when the node has stopped.
        let _ = self.0.events.send(event);
    }

    fn order(&self, conn: ConnId, order: Order) {
        if let Some(task) = self.0.connections.lock().get_mut(&conn) {
            task.detached |= order.detaches();
            let _ = task.orders.send(order);
        }
    }

    /// Passes bytes that have arrived during a handshake to the mesh.
    pub(super) fn received(&self, conn: ConnId, bytes: &[u8]) -> Received {
        self.ask(|mesh, now| {
            let connections = self.0.connections.lock();
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

    /// Reports that TLS is up on a connection. The mesh gets plaintext from now on.
    #[cfg(feature = "tls")]
    pub(super) fn secured(&self, conn: ConnId, binding: Option<Binding>) {
        self.ask(|mesh, now| {
            if let Some(task) = self.0.connections.lock().get_mut(&conn) {
                task.detached = false;
            }
            match binding {
                Some(binding) => mesh.bound(now, conn, binding),
                None => mesh.secured(now, conn),
            }
        });
    }
}

fn alarm(deadline: Option<Time>) -> u64 {
    let nanoseconds = deadline.map(|time| time.since_origin().as_nanos());
    nanoseconds.map_or(u64::MAX, |nanoseconds| {
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    })
}
