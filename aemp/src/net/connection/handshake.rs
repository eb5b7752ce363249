//! The first stage of a connection: greetings and proof, which the mesh reads and writes.

use std::io;

#[cfg(feature = "net")]
use super::order::StreamReady;
use super::{
    error::{END_OF_FILE, failed},
    order::{Established, Order, Orders, Received},
};
use crate::net::{Net, stream::Stream};
use aemp_proto::{handshake::StartTls, peer::ConnId};

/// The size of a read during a handshake, in bytes. The lines have a few hundred.
const READ: usize = 4096;

/// The stage that follows.
pub(super) enum Next {
    /// TLS begins. The handshake goes on in it.
    Tls(Box<StartTls>),
    Link(Box<Established>),
    #[cfg(feature = "net")]
    Stream(Box<StreamReady>),
    End,
}

/// Carries bytes between the socket and the mesh. `early` gets the bytes that the mesh does not take.
pub(super) async fn run(
    net: &Net,
    conn: ConnId,
    stream: &mut Stream,
    orders: &mut Orders,
    early: &mut Vec<u8>,
) -> Next {
    let mut enough = false;
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Transmit(bytes)) => {
                    if let Err(error) = stream.write_all(&bytes).await {
                        failed(net, conn, &error);
                        return Next::End;
                    }
                }
                Some(Order::StartTls(mut start)) => {
                    start.leftover.append(early);
                    return Next::Tls(start);
                }
                Some(Order::Established(mut start)) => {
                    // Bytes that were read after the mesh had handed the connection over come behind those that it had.
                    start.leftover.append(early);
                    return Next::Link(start);
                }
                #[cfg(feature = "net")]
                Some(Order::Stream(mut ready)) => {
                    ready.leftover.append(early);
                    return Next::Stream(ready);
                }
                Some(Order::Close) => {
                    let _ = stream.shutdown().await;
                    return Next::End;
                }
                None => return Next::End,
            },
            // Unread bytes wait at the peer's cost.
            ready = stream.readable(), if !enough => {
                let more = ready.and_then(|()| read(net, conn, stream, early));
                match more {
                    Ok(more) => enough = !more,
                    Err(error) => {
                        failed(net, conn, &error);
                        return Next::End;
                    }
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
