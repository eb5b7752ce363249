//! Accepting connections.
//!
//! One turn accepts 16 connections. The backlog is long (4096), because a client that finds it full tries again after a
//! second at the earliest. When the system accepts no more connections (descriptors), the older half of the strangers
//! is closed at once: waiting for them to leave would keep nodes out for `handshake_timeout`. The loop pauses and never
//! ends.

use std::{io, time::Duration};

use tokio::time::Instant;

use super::{
    Acceptor, Net, Stream,
    connection::{self, Made},
};
use crate::{exec::slice::give_way, node::log::Line};
use aemp_proto::mesh::Level;

/// How long to wait when the system cannot accept more connections.
const PAUSE: Duration = Duration::from_millis(100);
/// How long if connections have been closed for that reason.
const SHORT_PAUSE: Duration = Duration::from_millis(5);
/// How often that is told of at most.
const TELL: Duration = Duration::from_secs(10);
/// Connections that are accepted before the other tasks of the worker have their turn.
const TURN: u32 = 16;

pub(super) async fn accept(net: Net, listener: Acceptor) {
    let (mut turn, mut trouble) = (0, Trouble::default());
    loop {
        match listener.accept(&net.0.config).await {
            Ok((stream, address)) => {
                trouble.over(&net);
                accepted(&net, stream, &address);
            }
            // The connection's own affair: it is gone already.
            Err(error) if is_over(&error) => {}
            Err(error) => {
                trouble.tell(&net, &error);
                // Out of file descriptors, most likely. Others will be closed; strangers need not be waited for.
                let closed = net.ask(|mesh, now| mesh.make_room(now));
                tokio::time::sleep(if closed > 0 { SHORT_PAUSE } else { PAUSE }).await;
            }
        }
        turn += 1;
        if turn % TURN == 0 {
            // Thousands may come at once, and established connections must not wait for all of them.
            give_way().await;
        }
    }
}

fn is_over(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

/// Connections that could not be accepted, and what has been told of them.
#[derive(Default)]
struct Trouble {
    told: Option<Instant>,
    /// Whether the end of it is to be told as well.
    open: bool,
}

impl Trouble {
    fn tell(&mut self, net: &Net, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            self.open = true;
            let text = format!("cannot accept connections: {error}");
            net.node().say(Line::new(Level::Warn, text));
        }
    }

    fn over(&mut self, net: &Net) {
        if std::mem::take(&mut self.open) {
            let text = "connections are accepted again";
            net.node().say(Line::new(Level::Info, text.into()));
        }
    }
}

fn accepted(net: &Net, stream: Stream, address: &str) {
    let mut orders = None;
    net.ask(|mesh, now| {
        let conn = mesh.accepted(now, address);
        // Before the mesh's orders are handed out, there must be somebody to take them.
        orders = Some((conn, net.open(conn)));
    });
    if let Some((conn, orders)) = orders {
        let (net, made) = (net.clone(), Made::Accepted(address.into()));
        net.clone().spawn_connection(conn, async move {
            connection::run(&net, conn, stream, orders, made).await;
        });
    }
}
