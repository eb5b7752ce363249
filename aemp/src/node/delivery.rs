//! Delivering the packets of other nodes to ports and to the node port.

use std::{cell::Cell, sync::Arc};

use aemp_codec::{DecodeError, PacketReader};
use tokio::time::Instant;

use super::{Node, names, peer::Peer};
use crate::{
    exec::scheduler,
    port::{any::AnyPort, queue::Pushed},
};
use aemp_proto::{mesh::RawRequest, peer::ConnId};

/// The messages that wait in the queue of a port, as far as their sender should be slowed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Crowd {
    #[default]
    None,
    Small,
    /// In the queue of the port with this number.
    Large(u64),
}

impl Crowd {
    /// A port with this number of messages in its queue lags behind its senders. They are slowed down a little, because
    /// the messages of others wait behind these.
    const SMALL: usize = 8192;
    /// A port with this number of messages in its queue does not keep up with its senders. They are slowed down.
    const LARGE: usize = 32_768;

    /// The messages in the queue of a port, which dies with `most` of them.
    pub(super) fn of(port: u64, waiting: usize, most: usize) -> Self {
        match waiting {
            _ if waiting >= Self::large(most) => Self::Large(port),
            _ if waiting >= Self::SMALL.min(most / 16) => Self::Small,
            _ => Self::None,
        }
    }

    /// The number of messages from which a crowd is large.
    pub(crate) fn large(most: usize) -> usize {
        Self::LARGE.min(most / 8)
    }
}

/// The results of delivering a connection's packets, other than messages to ports.
pub(crate) struct Brought {
    /// The connection.
    pub(super) conn: ConnId,
    /// Requests for the mesh.
    pub(crate) for_mesh: Vec<RawRequest>,
    /// The cost of the requests, for `max_requests_per_second`.
    pub(crate) cost: u64,
    /// The largest crowd of messages in the queue of one of the ports.
    pub(crate) crowd: Crowd,
    /// The port of the last message, if its name is a number. The next message is often for the same port. If that
    /// has died meanwhile, the message vanishes whether the port is found or not.
    receiver: Receiver,
}

#[derive(Default)]
struct Receiver {
    name: String,
    port: Option<Arc<dyn AnyPort>>,
}

impl Brought {
    /// The port of the last message, if it has this name.
    #[inline]
    fn last_receiver(&self, name: &str) -> Option<&Arc<dyn AnyPort>> {
        let port = self.receiver.port.as_ref();
        port.filter(|_| self.receiver.name == name)
    }

    fn note_receiver(&mut self, name: &str, port: Arc<dyn AnyPort>) {
        self.receiver.name.clear();
        self.receiver.name.push_str(name);
        self.receiver.port = Some(port);
    }

    /// Forgets the port of the last message.
    pub(crate) fn forget_receiver(&mut self) {
        self.receiver.port = None;
    }

    /// The empty result for a connection.
    pub(crate) fn over(conn: ConnId) -> Self {
        Self {
            conn,
            for_mesh: Vec::new(),
            cost: 0,
            crowd: Crowd::None,
            receiver: Receiver::default(),
        }
    }
}

thread_local! {
    static HEARD: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// While this value lives, the thread delivers or decodes packets that have arrived at this time.
pub(crate) struct Heard(Option<Instant>);

impl Heard {
    pub(crate) fn at(time: Instant) -> Self {
        Self(HEARD.replace(Some(time)))
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        HEARD.set(self.0);
    }
}

/// The time at which the packet that this thread delivers or decodes has arrived.
pub(crate) fn heard() -> Instant {
    HEARD.get().unwrap_or_else(Instant::now)
}

impl Node {
    /// Delivers one packet from another node, to a port or to the node port. Requests for the mesh are added to
    /// `brought`.
    ///
    /// # Errors
    ///
    /// A syntax error, which ends the connection. All other errors concern the port, or are logged.
    pub(crate) fn deliver(
        &self,
        from: &Arc<Peer>,
        packet: &mut PacketReader<'_>,
        brought: &mut Brought,
    ) -> Result<(), DecodeError> {
        let name = match packet.text() {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(()),
            Err(error) if error.is_malformed() => return Err(error),
            // The destination is a list or a map and names no port. The packet is dropped, as by the reference.
            Err(_) => return validate(packet),
        };
        if name.is_empty() {
            return self.deliver_request(from, packet, brought);
        }
        self.deliver_message(from, &name, packet, brought)
    }

    /// Delivers a message to the port of this name.
    #[inline]
    pub(super) fn deliver_message(
        &self,
        from: &Arc<Peer>,
        name: &str,
        packet: &mut PacketReader<'_>,
        brought: &mut Brought,
    ) -> Result<(), DecodeError> {
        if let Some(port) = brought.last_receiver(name) {
            let crowd = self.deliver_to(port, from, packet, name)?;
            brought.crowd = brought.crowd.max(crowd);
            return Ok(());
        }
        let Some(port) = self.receiver(name, packet) else {
            return validate(packet);
        };
        let crowd = self.deliver_to(&port, from, packet, name)?;
        brought.crowd = brought.crowd.max(crowd);
        if self.names().is_ours(name) && names::of_list(name).is_none() {
            brought.note_receiver(name, port);
        }
        Ok(())
    }

    /// Looks for a crowd in the queue of the last port, unless one has been found. A message reports it only if it is one
    /// of 1024, and hundreds of connections can fill a queue before each of them has sent that one.
    pub(crate) fn look_for_crowd(&self, brought: &mut Brought) {
        if let (Crowd::None, Some(port)) = (brought.crowd, &brought.receiver.port) {
            let most = self.costs().max_port_queue;
            brought.crowd = Crowd::of(port.number(), port.behind().waiting, most);
        }
    }

    /// Delivers a message to a port of this node. Returns the crowd of messages in its queue.
    #[inline]
    fn deliver_to(
        &self,
        port: &Arc<dyn AnyPort>,
        from: &Arc<Peer>,
        packet: &mut PacketReader<'_>,
        name: &str,
    ) -> Result<Crowd, DecodeError> {
        match port.deliver(Some(from.id()), packet)? {
            Pushed::Wake => scheduler::schedule(Arc::clone(port)),
            Pushed::Backlog => return Ok(self.end_if_full(from, port, name)),
            Pushed::Queued | Pushed::Dead => {}
        }
        Ok(Crowd::None)
    }
}

/// Checks the syntax of the rest of a packet.
pub(super) fn validate(packet: &mut PacketReader<'_>) -> Result<(), DecodeError> {
    while packet.skip()? {}
    Ok(())
}
