//! Accepting connections.
//!
//! One turn accepts 16 connections. The backlog is long (4096), because a client that finds it full tries again after a
//! second at the earliest. When the system accepts no more connections (descriptors), the older half of the strangers
//! is closed at once: waiting for them to leave would keep nodes out for `handshake_timeout`. The loop pauses and never
//! ends.

use std::{io, time::Duration};

use tokio::time::Instant;

use super::{Acceptor, Net};
use crate::{exec::slice::give_way, node::log::Remark};
use aemp_proto::mesh::Level;

/// The pause when the system cannot accept more connections.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause if connections have been closed to make room.
const SHORT_PAUSE: Duration = Duration::from_millis(5);
/// The shortest time between two log lines about that.
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// The number of connections that are accepted before other tasks of the worker run.
const TURN: u32 = 16;

pub(super) async fn accept(net: Net, listener: Acceptor) {
    let (mut turn, mut trouble) = (0, Trouble::default());
    loop {
        match listener.accept(&net.0.config).await {
            Ok((stream, address)) => {
                trouble.over(&net);
                net.accepted(stream, &address);
            }
            // Only this connection has failed.
            Err(error) if is_over(&error) => {}
            Err(error) => {
                trouble.log(&net, &error);
                // Most likely the file descriptors are used up. Closing old strangers frees some at once.
                let closed = net.ask(|mesh, now| mesh.make_room(now));
                tokio::time::sleep(if closed > 0 { SHORT_PAUSE } else { PAUSE }).await;
            }
        }
        turn += 1;
        if turn % TURN == 0 {
            // Thousands of connections may come at once, and established ones must not wait for all of them.
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

/// The state of log lines about connections that could not be accepted.
#[derive(Default)]
struct Trouble {
    logged: Option<Instant>,
    /// True if the end of the trouble must be logged as well.
    open: bool,
}

impl Trouble {
    fn log(&mut self, net: &Net, error: &io::Error) {
        if self
            .logged
            .is_none_or(|logged| logged.elapsed() >= LOG_PAUSE)
        {
            self.logged = Some(Instant::now());
            self.open = true;
            let text = format!("cannot accept connections: {error}");
            net.node().remark(Remark::new(Level::Warn, text));
        }
    }

    fn over(&mut self, net: &Net) {
        if std::mem::take(&mut self.open) {
            let text = "connections are accepted again";
            net.node().remark(Remark::new(Level::Info, text.into()));
        }
    }
}
