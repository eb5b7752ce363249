//! One connection from its beginning to the end of its handshake.

use std::io;

use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Net, Order, Stream,
    link::{self, Start},
    socket, tls,
};
use crate::proto::peer::ConnId;

/// The reference's word for the ordinary end of a connection.
pub(super) const END_OF_FILE: &str = "Unexpected end-of-file";

/// How a connection came about, with the socket address of its other end.
pub(super) enum Made {
    Dialed(String),
    Accepted(String),
}

pub(super) type Orders = UnboundedReceiver<Order>;

/// Connects, then runs the connection.
pub(super) async fn dial(net: &Net, conn: ConnId, addr: String, mut orders: Orders) {
    let connected = tokio::select! {
        biased;
        // Nothing but an order to close comes before the mesh knows that we are connected.
        _ = orders.recv() => return,
        connected = net.node().place().connect(&addr, &net.0.config) => connected,
    };
    match connected {
        Ok((stream, peer)) => {
            net.ask(|mesh, now| mesh.dialed(now, conn, Ok(peer.clone())));
            run(net, conn, stream, orders, Made::Dialed(peer)).await;
        }
        Err(error) => {
            let text = socket::text(&error);
            net.ask(|mesh, now| mesh.dialed(now, conn, Err(text)));
        }
    }
}

/// Runs a connected connection to its end.
pub(super) async fn run(net: &Net, conn: ConnId, stream: Stream, mut orders: Orders, made: Made) {
    let mut early = Vec::new();
    let shaken = handshake(net, conn, stream, &mut orders, &mut early).await;
    let Some((mut start, stream)) = shaken else {
        return;
    };
    // What was read after the mesh had let go of the connection follows what it had seen.
    start.leftover.extend_from_slice(&early);
    link::run(net, conn, stream, orders, start, made).await;
}

/// Carries bytes between socket and mesh. `None` if the connection ends here.
async fn handshake(
    net: &Net,
    conn: ConnId,
    mut stream: Stream,
    orders: &mut Orders,
    early: &mut Vec<u8>,
) -> Option<(Start, Stream)> {
    let mut buffer = Vec::with_capacity(8192);
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order? {
                Order::Transmit(bytes) => {
                    if let Err(error) = stream.write_all(&bytes).await {
                        return failed(net, conn, &error);
                    }
                }
                Order::StartTls(mut start) => {
                    start.leftover.append(early);
                    stream = tls::start(net, conn, stream, orders, start).await?;
                }
                Order::Established { node, recv, leftover, peer_keepalive, trusted, provider } => {
                    let start = Start { node, recv, leftover, peer_keepalive, trusted, provider };
                    return Some((start, stream));
                }
                Order::Close => {
                    let _ = stream.shutdown().await;
                    return None;
                }
            },
            read = stream.read_buf(&mut buffer) => match read {
                Ok(0) => {
                    net.ask(|mesh, now| mesh.closed(now, conn, END_OF_FILE));
                    return None;
                }
                Ok(_) => {
                    if !net.received(conn, &buffer) {
                        early.extend_from_slice(&buffer);
                    }
                    buffer.clear();
                }
                Err(error) => return failed(net, conn, &error),
            },
        }
    }
}

/// The connection ends here. What goes wrong with TLS is worth more than a word that it has ended.
pub(super) fn failed<T>(net: &Net, conn: ConnId, error: &io::Error) -> Option<T> {
    let text = socket::text(error);
    match tls::text(error) {
        Some(text) => net.ask(|mesh, now| mesh.tls_failed(now, conn, &text)),
        None => net.ask(|mesh, now| mesh.closed(now, conn, &text)),
    }
    None
}
