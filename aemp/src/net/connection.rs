//! One connection from its beginning to the end of its handshake.

use std::io;

use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Net, Order, Stream,
    link::{self, Start},
    perform::Received,
    socket,
};
use crate::proto::peer::ConnId;

/// The reference's word for the ordinary end of a connection.
pub(super) const END_OF_FILE: &str = "Unexpected end-of-file";

/// How a connection came about, with the socket address of its other end.
pub(super) enum Made {
    Dialed(String),
    Accepted(String),
}

/// What is read at once during a handshake, in bytes; its lines have some hundred.
const READ: usize = 4096;

type Orders = UnboundedReceiver<Order>;

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
pub(super) async fn run(
    net: &Net,
    conn: ConnId,
    mut stream: Stream,
    mut orders: Orders,
    made: Made,
) {
    let mut early = Vec::new();
    let Some(mut start) = handshake(net, conn, &mut stream, &mut orders, &mut early).await else {
        return;
    };
    // What was read after the mesh had let go of the connection follows what it had seen.
    start.leftover.append(&mut early);
    link::run(net, conn, stream, orders, start, made).await;
}

/// Carries bytes between socket and mesh. `None` if the connection ends here.
async fn handshake(
    net: &Net,
    conn: ConnId,
    stream: &mut Stream,
    orders: &mut Orders,
    early: &mut Vec<u8>,
) -> Option<Box<Start>> {
    let mut enough = false;
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order? {
                Order::Transmit(bytes) => {
                    if let Err(error) = stream.write_all(&bytes).await {
                        return lost(net, conn, &socket::text(&error));
                    }
                }
                Order::Established(start) => return Some(start),
                Order::Close => {
                    let _ = stream.shutdown().await;
                    return None;
                }
            },
            // What waits to be read costs the peer, not us.
            ready = stream.readable(), if !enough => match ready.and_then(|()| read(net, conn, stream, early)) {
                Ok(more) => enough = !more,
                Err(error) => return lost(net, conn, &socket::text(&error)),
            },
        }
    }
}

/// Reads what there is; whether to read more. There is no buffer while there is nothing: most strangers that come in thousands
/// say nothing.
fn read(net: &Net, conn: ConnId, stream: &Stream, early: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = Vec::with_capacity(READ);
    match stream.try_read_buf(&mut buffer) {
        Ok(0) => return Err(io::Error::other(END_OF_FILE)),
        Ok(_) => match net.received(conn, &buffer) {
            Received::Taken => {}
            Received::Enough => return Ok(false),
            Received::Late => early.append(&mut buffer),
        },
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(true)
}

fn lost(net: &Net, conn: ConnId, text: &str) -> Option<Box<Start>> {
    net.ask(|mesh, now| mesh.closed(now, conn, text));
    None
}
