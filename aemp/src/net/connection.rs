//! One connection from its beginning to the end of its handshake.

use std::io;

use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Net, Order, Stream,
    link::{self, Start},
    perform::Received,
    socket, tls,
};
use aemp_proto::peer::ConnId;

/// The reference's word for the ordinary end of a connection.
pub(super) const END_OF_FILE: &str = "Unexpected end-of-file";

/// How a connection came about, with the socket address of its other end.
pub(super) enum Made {
    Dialed(String),
    Accepted(String),
}

/// What is read at once during a handshake, in bytes; its lines have some hundred.
const READ: usize = 4096;

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
    start.leftover.append(&mut early);
    link::run(net, conn, stream, orders, start, made).await;
}

/// Carries bytes between socket and mesh. `None` if the connection ends here.
async fn handshake(
    net: &Net,
    conn: ConnId,
    mut stream: Stream,
    orders: &mut Orders,
    early: &mut Vec<u8>,
) -> Option<(Box<Start>, Stream)> {
    let mut enough = false;
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
                    stream = tls::start(net, conn, stream, orders, *start).await?;
                }
                Order::Established(start) => return Some((start, stream)),
                Order::Close => {
                    let _ = stream.shutdown().await;
                    return None;
                }
            },
            // What waits to be read costs the peer, not us.
            ready = stream.readable(), if !enough => {
                let more = ready.and_then(|()| read(net, conn, &mut stream, early));
                match more {
                    Ok(more) => enough = !more,
                    Err(error) => return failed(net, conn, &error),
                }
            },
        }
    }
}

/// Reads what there is; whether to read more. There is no buffer while there is nothing: most strangers that come in thousands
/// say nothing.
fn read(net: &Net, conn: ConnId, stream: &mut Stream, early: &mut Vec<u8>) -> io::Result<bool> {
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

/// The connection ends here. What goes wrong with TLS is worth more than a word that it has ended.
pub(super) fn failed<T>(net: &Net, conn: ConnId, error: &io::Error) -> Option<T> {
    let text = socket::text(error);
    match tls::text(error) {
        Some(text) => net.ask(|mesh, now| mesh.tls_failed(now, conn, &text)),
        None => net.ask(|mesh, now| mesh.closed(now, conn, &text)),
    }
    None
}
