//! The task of a connection, from dialling or accepting to its end.
//!
//! A connection passes through stages. Each stage returns the data for the next one and knows no other stage:
//! `handshake` (once in clear, and once more in TLS), `encrypt`, and then `link`, or a stream that leaves the task. The task is guarded: the mesh hears of its end
//! in any case.

#[cfg(feature = "tls")]
mod encrypt;
#[cfg(not(feature = "tls"))]
#[path = "connection/absent.rs"]
mod encrypt;
pub(super) mod error;
mod handshake;
mod large;
mod link;
pub(super) mod order;

use std::sync::Arc;

use tokio::sync::mpsc;

use self::{
    handshake::Next,
    order::{Made, Order, Orders},
};
use super::{
    Net,
    stream::{Stream, stir::Stir, tunnel::Tunnel, wire::Wire},
};
use crate::node::{
    life::Counted,
    log::Remark,
    task::{Ending, owned},
};
use aemp_proto::{mesh::Level, peer::ConnId};

/// The task of a connection, as the node reaches it.
pub(super) struct ConnectionTask {
    pub(super) orders: mpsc::UnboundedSender<Order>,
    /// True if the mesh has released the connection, for good or until TLS is up. Its data does not go to the mesh then.
    pub(super) detached: bool,
    _open: Counted,
}

/// Connects, and runs the connection.
async fn dialed(net: &Net, conn: ConnId, addr: String, mut orders: Orders) {
    let connected = tokio::select! {
        biased;
        // The mesh does not know yet that we are connected, so the only possible order is to close.
        _ = orders.recv() => return,
        connected = net.node().place().connect(&addr, &net.0.config) => connected,
    };
    match connected {
        Ok((stream, peer)) => {
            net.ask(|mesh, now| mesh.dialed(now, conn, Ok(peer.clone())));
            run(net, conn, stream, orders, Made::Dialed(peer)).await;
        }
        Err(error) => {
            let text = error::text(&error);
            net.ask(|mesh, now| mesh.dialed(now, conn, Err(text)));
        }
    }
}

/// Runs the stages of a connection to its end.
async fn run(net: &Net, conn: ConnId, mut stream: Stream, mut orders: Orders, made: Made) {
    let mut early = Vec::new();
    loop {
        match handshake::run(net, conn, &mut stream, &mut orders, &mut early).await {
            Next::Tls(start) => match encrypt::run(net, conn, stream, &mut orders, *start).await {
                Some(encrypted) => stream = encrypted,
                None => return,
            },
            Next::Link(start) => return link::run(net, conn, stream, orders, start, made).await,
            #[cfg(feature = "net")]
            Next::Stream(ready) => return net.node().stream_ready(*ready, stream).await,
            Next::End => return undelivered(net, orders),
        }
    }
}

/// Reports a stream that the mesh has handed over to a connection that had broken by then.
fn undelivered(net: &Net, mut orders: Orders) {
    #[cfg(feature = "net")]
    while let Ok(order) = orders.try_recv() {
        if let Order::Stream(ready) = order
            && ready.start.dialed
        {
            let text = error::END_OF_FILE.into();
            net.node().stream_failed(&ready.node, &ready.start.id, text);
        }
    }
    #[cfg(not(feature = "net"))]
    let _ = (net, orders.close());
}

impl Net {
    /// Dials an address for the mesh, and runs the connection.
    pub(super) fn dial(&self, conn: ConnId, addr: String, orders: Orders) {
        let net = self.clone();
        self.spawn_connection(conn, async move { dialed(&net, conn, addr, orders).await });
    }

    /// Runs a connection that another node has opened.
    pub(super) fn accepted(&self, stream: Stream, address: &str) {
        let mut orders = None;
        self.ask(|mesh, now| {
            let conn = mesh.accepted(now, address);
            // The receiver must exist before the mesh's orders are sent.
            orders = Some((conn, self.open(conn)));
        });
        if let Some((conn, orders)) = orders {
            let (net, made) = (self.clone(), Made::Accepted(address.into()));
            self.spawn_connection(conn, async move {
                run(&net, conn, stream, orders, made).await;
            });
        }
    }

    /// Runs a connection through a relay.
    pub(super) fn run_tunnel(&self, conn: ConnId, stir: Arc<Stir>, made: Made, orders: Orders) {
        let tunnel = Tunnel::new(self.clone(), conn, stir);
        let (net, stream) = (self.clone(), Stream::Plain(Wire::Tunnel(Box::new(tunnel))));
        self.spawn_connection(conn, async move {
            run(&net, conn, stream, orders, made).await;
        });
    }

    /// Forgets a tunnel, and ends it.
    pub(super) fn end_tunnel(&self, conn: ConnId) {
        let stir = self.0.tunnels.lock().remove(&conn);
        drop(stir);
        self.ask(|mesh, now| mesh.drop_tunnel(now, conn));
    }

    /// Starts the task of a connection. The mesh hears of its end in any case.
    fn spawn_connection(&self, conn: ConnId, task: impl Future<Output = ()> + Send + 'static) {
        let net = self.clone();
        let task = owned(task, move |ending| {
            if ending != Ending::Returned && !net.node().life().is_over() {
                net.broken(conn, &ending);
            }
            let task = net.0.connections.lock().remove(&conn);
            drop(task);
        });
        self.node().scheduler().spawn(task);
    }

    /// Handles the task of a connection that has ended by a panic, or was dropped.
    #[cold]
    fn broken(&self, conn: ConnId, ending: &Ending) {
        let text = match ending {
            Ending::Panicked(reason) => format!("the connection has failed here: {reason}"),
            Ending::Returned | Ending::Dropped => "the connection's task is gone".into(),
        };
        if let Ending::Panicked(_) = ending {
            let text = format!("connection {}: {text}", conn.0);
            self.node().remark(Remark::new(Level::Error, text));
        }
        // The task's own clean-up, which comes before the mesh hears of the end.
        for peer in self.node().peers().all() {
            peer.forget_monitored(conn);
            peer.end_connection(conn);
        }
        self.ask(|mesh, now| mesh.closed(now, conn, &text));
    }

    /// Registers a connection, and returns the receiver of its task's orders.
    pub(super) fn open(&self, conn: ConnId) -> Orders {
        let (sender, orders) = mpsc::unbounded_channel();
        let task = ConnectionTask {
            orders: sender,
            detached: false,
            _open: self.0.open.count(),
        };
        self.0.connections.lock().insert(conn, task);
        orders
    }
}
