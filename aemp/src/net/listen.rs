//! Accepting connections.

use std::time::Duration;

use super::{
    Acceptor, Net, Stream,
    connection::{self, Made},
};

/// How long to wait when the system cannot accept more connections.
const PAUSE: Duration = Duration::from_millis(100);

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
        let (net, made) = (net.clone(), Made::Accepted(address.into()));
        net.clone().0.node.scheduler().spawn(async move {
            connection::run(&net, conn, stream, orders, made).await;
            net.close(conn);
        });
    }
}
