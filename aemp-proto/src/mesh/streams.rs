//! Data connections: streams of bytes between two nodes ([protocol](crate::protocol::services#data-connections)).
//!
//! A data connection begins with the handshake of any other connection, and then leaves the mesh. It never becomes the
//! connection of its node, so it takes no part in the choice between two connections, and a node may have any number of
//! them. The caller knows which streams are expected; the mesh only proves the node at the other end.

use std::sync::Arc;

use aemp_codec::NodeId;

use super::{
    Mesh, Output, Peers, Way,
    connection::{Identity, Purpose},
};
use crate::{
    Time,
    handshake::{Handshake, HandshakeError, Role, StreamStart},
    peer::ConnId,
};

impl<P: Peers> Mesh<P> {
    /// Opens a data connection to a node, for the stream with this ID. It ends in [`Output::Stream`] or
    /// [`Output::StreamFailed`].
    pub fn dial_stream(&mut self, now: Time, way: &Way, node: &NodeId, id: &str) -> ConnId {
        let purpose = Purpose::Stream {
            node: node.clone(),
            id: id.to_owned(),
        };
        let dialed = match way {
            Way::Address(address) => Some(self.dial(now, address, purpose)),
            Way::Relay(relay) => self.dial_through(now, relay, node, purpose),
        };
        let conn = dialed.unwrap_or_else(|| {
            self.stream_failed(node, id, "the relay passes on no connections");
            self.next_conn()
        });
        if self.stopped {
            self.fail_stream(conn, "this node has stopped");
            self.abandon(now, conn);
        }
        self.advance(now);
        conn
    }

    /// Gives up a data connection that is not established yet.
    pub fn abandon_stream(&mut self, now: Time, conn: ConnId) {
        let purpose = self.conns.get(&conn).map(|conn| &conn.purpose);
        if matches!(purpose, Some(Purpose::Stream { .. })) {
            self.abandon(now, conn);
            self.advance(now);
        }
    }

    /// The handshake of a connection that this node has opened.
    pub(super) fn dialed_handshake(&mut self, now: Time, conn: ConnId, addr: &str) -> Handshake {
        let Some(Purpose::Stream { id, .. }) = self.conns.get(&conn).map(|conn| &conn.purpose)
        else {
            return self.new_handshake(now, Role::Dialed, addr);
        };
        let greeting = self.handshake.data_greeting(addr, id);
        let nonce = self.random.nonce();
        Handshake::with_greeting(now, Arc::clone(&self.handshake), greeting, nonce)
    }

    /// Handles the greeting of a data connection.
    pub(super) fn stream_greeted(&mut self, now: Time, id: ConnId, node: &NodeId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some(handshaking) = conn.handshaking() {
            handshaking.identity = Identity::Stream;
        }
        if let Purpose::Stream { node: wanted, .. } = &conn.purpose
            && wanted != node
        {
            let error = HandshakeError::another_node(wanted, node);
            self.refuse(now, id, &error);
        }
    }

    /// Hands an established data connection over to the caller.
    pub(super) fn begin_stream(
        &mut self,
        conn: ConnId,
        node: NodeId,
        start: StreamStart,
        leftover: Vec<u8>,
    ) {
        self.conns.remove(&conn);
        self.strangers.gone(conn);
        self.outputs.push_back(Output::Stream {
            conn,
            node,
            start,
            leftover,
        });
    }

    /// Reports the end of a data connection that this node has opened.
    pub(super) fn fail_stream(&mut self, conn: ConnId, text: &str) {
        let purpose = self.conns.get(&conn).map(|conn| &conn.purpose);
        if let Some(Purpose::Stream { node, id }) = purpose {
            let (node, id) = (node.clone(), id.clone());
            self.stream_failed(&node, &id, text);
        }
    }

    fn stream_failed(&mut self, node: &NodeId, id: &str, text: &str) {
        let (node, id, text) = (node.clone(), id.into(), text.into());
        let failed = Output::StreamFailed { node, id, text };
        self.outputs.push_back(failed);
    }
}
