//! The stage that puts a connection into TLS.

use std::io;

use super::{
    error::{END_OF_FILE, failed},
    order::Orders,
};
use crate::{
    net::{Net, stream::Stream},
    node::log::Remark,
};
use aemp_proto::{handshake::StartTls, mesh::Level, peer::ConnId};

/// Runs the TLS handshake. The mesh gets plaintext from then on. Returns `None` if the connection ends here.
pub(super) async fn run(
    net: &Net,
    conn: ConnId,
    stream: Stream,
    orders: &mut Orders,
    start: StartTls,
) -> Option<Stream> {
    let session = match net.0.tls.session(&start) {
        Ok(session) => session,
        Err(error) => {
            failed(net, conn, &io::Error::other(error));
            return None;
        }
    };
    let mut secured = match stream.into_tls(session, &start.leftover) {
        Ok(secured) => secured,
        // The mesh starts TLS only once.
        Err(stream) => return Some(stream),
    };
    let shaken = tokio::select! {
        biased;
        // The mesh does not know yet that TLS is up, so the only possible order is to close.
        _ = orders.recv() => return None,
        shaken = secured.handshake() => shaken,
    };
    let binding = shaken.and_then(|()| secured.binding());
    match binding {
        Ok(binding) => {
            let (node, role) = (
                start.node.as_str(),
                if start.client { "client" } else { "server" },
            );
            let text = secured.describe().unwrap_or_default();
            let text = format!("{text} as {role} with {node}");
            net.node().remark(Remark::new(Level::Debug, text));
            net.secured(conn, binding);
            Some(Stream::Tls(secured))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            // Some implementations do not send an alert.
            let text =
                format!("{END_OF_FILE} in the TLS handshake: it may not trust our certificate");
            net.ask(|mesh, now| mesh.closed(now, conn, &text));
            None
        }
        Err(error) => {
            failed(net, conn, &error);
            None
        }
    }
}
