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

/// The reference's text for the ordinary end of a connection.
pub(super) const END_OF_FILE: &str = "Unexpected end-of-file";

/// The origin of a connection, with the socket address of its other end.
pub(super) enum Made {
    Dialed(String),
    Accepted(String),
}

/// The size of a read during a handshake, in bytes. The lines have a few hundred.
const READ: usize = 4096;

pub(super) type Orders = UnboundedReceiver<Order>;

/// Connects, and runs the connection.
pub(super) async fn dial(net: &Net, conn: ConnId, addr: String, mut orders: Orders) {
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
            let text = socket::text(&error);
            net.ask(|mesh, now| mesh.dialed(now, conn, Err(text)));
        }
    }
}

/// Runs a connection to its end.
pub(super) async fn run(net: &Net, conn: ConnId, stream: Stream, mut orders: Orders, made: Made) {
    let mut early = Vec::new();
    let shaken = handshake(net, conn, stream, &mut orders, &mut early).await;
    let Some((mut start, stream)) = shaken else {
        return;
    };
    // Bytes that were read after the mesh had handed the connection over come behind those that it had.
    start.leftover.append(&mut early);
    link::run(net, conn, stream, orders, start, made).await;
}

/// Carries bytes between the socket and the mesh. Returns `None` if the connection ends here.
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
            // Unread bytes wait at the peer's cost.
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

/// Reads available bytes. Returns true if more should be read. The buffer is allocated only when there are bytes,
/// because most strangers that come by the thousand send none.
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

/// Ends the connection. An error of TLS is reported rather than the end that follows from it.
pub(super) fn failed<T>(net: &Net, conn: ConnId, error: &io::Error) -> Option<T> {
    let text = socket::text(error);
    match tls::text(error) {
        Some(text) => net.ask(|mesh, now| mesh.tls_failed(now, conn, &text)),
        None => net.ask(|mesh, now| mesh.closed(now, conn, &text)),
    }
    None
}
