//! Listening.

use std::{io, time::Duration};

use tokio::net::{TcpListener, lookup_host};

use super::{Acceptor, Listener, Net, Stream, connection};
use crate::StartError;

/// How long to wait when the system cannot accept more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on every address that `bind`, a `host:port`, stands for. The port that was really bound is kept.
pub(super) async fn bind(bind: &str) -> Result<Vec<Listener>, StartError> {
    let failed = |source| StartError::Bind {
        address: bind.into(),
        source,
    };
    let mut listeners = Vec::new();
    for address in lookup_host(bind).await.map_err(failed)? {
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?.to_string();
        listeners.push(Listener {
            address,
            socket: Some(Acceptor::Tcp(socket)),
        });
    }
    if listeners.is_empty() {
        let none = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        return Err(failed(none));
    }
    Ok(listeners)
}

pub(super) async fn accept(net: Net, listener: Acceptor) {
    loop {
        match listener.accept(&net.0.config).await {
            Ok((stream, address)) => accepted(&net, stream, &address),
            Err(error) => {
                // Out of file descriptors, most likely: others will be closed.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
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
        let net = net.clone();
        net.clone().0.node.scheduler().spawn(async move {
            connection::run(&net, conn, stream, orders).await;
            net.close(conn);
        });
    }
}
