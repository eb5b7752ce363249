//! Messages from other nodes: decoded at once, or in the port's own turn.

use aemp_codec::{DecodeError, KeptPacket, NodeId, PacketReader, PortId};

use super::{Cell, Envelope};
use crate::{
    Reason,
    exec::slice::LARGE,
    guard,
    message::{Decoding, Message, Port, Unread},
    port::{any::AnyPort, queue::Pushed, reply::FarReply},
};

impl<P: Port> Cell<P> {
    /// True if the user's code that reads arguments may run on a task that others depend on: the port has been quick for a while,
    /// reading included.
    pub(super) fn reads_quickly(&self) -> bool {
        self.pace.is_trusted() || self.node.scheduler().is_timeless()
    }

    /// True if to read the message takes so long that the port does so in a turn on another thread than a worker.
    #[inline]
    pub(super) fn is_large(&self, message: &PacketReader<'_>) -> bool {
        message.size() >= LARGE && !self.node.scheduler().is_timeless()
    }

    #[cold]
    pub(super) fn deliver_unread(
        &self,
        origin: &NodeId,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        match message.keep(self.node.limits()) {
            Ok(packet) => Ok(self.enqueue(Envelope::Unread(Box::new((origin.clone(), packet))))),
            Err(error) if error.is_malformed() => Err(error),
            Err(error) => Ok(self.kill(Reason::die(error))),
        }
    }

    fn decoding(&self) -> Decoding<'_> {
        Decoding {
            node: &self.node,
            port: self.pace.number(),
        }
    }

    /// Reads a message, or says what becomes of one that is not understood.
    #[inline]
    pub(super) fn read(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Envelope<P::Msg>, Box<Unread>> {
        let cx = self.decoding();
        // Arguments are read by code of the user, whose panics must hit neither the sender nor the connection.
        match guard::run(|| P::Msg::read(message, &cx)) {
            Ok(Ok(message)) => Ok(match origin {
                Some(node) if P::Msg::USES_ORIGIN => {
                    Envelope::From(Box::new((node.clone(), message)))
                }
                _ => Envelope::User(message),
            }),
            Ok(Err(unread)) => Err(unread),
            Err(reason) => Err(Box::new(Unread::Dies(reason))),
        }
    }

    /// Reads a message that was delivered unread. `None` if it is not understood, which is dealt with.
    ///
    /// # Errors
    ///
    /// The reason that the port dies of.
    pub(crate) fn read_late(
        &self,
        (origin, packet): (NodeId, KeptPacket),
    ) -> Result<Option<Envelope<P::Msg>>, Reason> {
        let _scope = self.node.decoding();
        // A format from elsewhere opens it by its own code.
        let mut message = guard::run(|| packet.reader())?.map_err(Reason::die)?;
        match self.read(Some(&origin), &mut message) {
            Ok(envelope) => Ok(Some(envelope)),
            Err(unread) => match *unread {
                Unread::Dies(reason) => Err(reason),
                Unread::Malformed(error) => Err(Reason::die(error)),
                unread => {
                    // No error is left.
                    let _ = self.not_understood(unread);
                    Ok(None)
                }
            },
        }
    }

    /// Does what becomes of a message that the port does not understand.
    #[cold]
    pub(super) fn not_understood(&self, unread: Unread) -> Result<Pushed, DecodeError> {
        match unread {
            Unread::Malformed(error) => return Err(error),
            Unread::Dies(reason) => return Ok(self.kill(reason)),
            Unread::Dropped(text) => {
                let port = self.port_id();
                let text = format_args!("port {port} does not understand a message: {text}");
                self.node.complain(&port, text);
            }
            // It is no caller's.
            Unread::Refused { to, .. } if to.is_node_port() => {}
            Unread::Refused { to, text } => FarReply::new(&self.decoding(), to).refuse(&text),
        }
        Ok(Pushed::Queued)
    }

    fn port_id(&self) -> PortId {
        let name = self.spawned_name();
        self.node.port_id_of(self.number(), name.as_deref())
    }
}
