//! The place of `encrypt` in a program without the feature `tls`.

use super::order::Orders;
use crate::net::{Net, stream::Stream};
use aemp_proto::{handshake::StartTls, peer::ConnId};

/// Fails the connection. This is never needed, because greetings do not offer TLS without the feature.
pub(super) async fn run(
    net: &Net,
    conn: ConnId,
    _: Stream,
    _: &mut Orders,
    _: StartTls,
) -> Option<Stream> {
    net.ask(|mesh, now| mesh.tls_failed(now, conn, "this program is built without it"));
    None
}
