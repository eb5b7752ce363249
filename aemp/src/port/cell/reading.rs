//! Decoding of messages from other nodes: at once, or when the port runs.

use aemp_codec::{DecodeError, KeptPacket, NodeId, PacketReader, PortId};

use super::{Cell, Envelope, UnreadMessage};
use crate::{
    Reason,
    exec::{slice::LARGE, spans::Noting},
    guard,
    message::{Decoding, Message, Port, Unread},
    node::delivery::{Heard, heard},
    port::{any::AnyPort, queue::Pushed, reply::FarReply, urgent::Class},
};

impl<P: Port> Cell<P> {
    /// True if messages may be decoded on the task of a connection. They may if the port, including its decoding, has
    /// been quick for a while.
    pub(super) fn reads_quickly(&self) -> bool {
        self.pace.is_trusted() || self.node.scheduler().is_timeless()
    }

    /// True if decoding the message takes so long that the port does so on another thread than a worker's.
    #[inline]
    pub(super) fn is_large(&self, message: &PacketReader<'_>) -> bool {
        message.size() >= LARGE && !self.node.scheduler().is_timeless()
    }

    #[cold]
    pub(super) fn deliver_unread(
        &self,
        origin: &NodeId,
        message: &mut PacketReader<'_>,
        noting: Noting,
    ) -> Result<Pushed, DecodeError> {
        match message.keep(self.node.limits()) {
            Ok(packet) => {
                let class = Self::class_of(&packet);
                let unread = Envelope::Unread(Box::new(UnreadMessage {
                    from: origin.clone(),
                    packet,
                    heard: heard(),
                    noting,
                }));
                Ok(match class {
                    Class::Urgent => self.enqueue_as(class, unread),
                    Class::Ordinary => self.enqueue(unread),
                })
            }
            Err(error) if error.is_malformed() => Err(error),
            Err(error) => Ok(self.kill(Reason::die(error))),
        }
    }

    /// The class of a message that has not been decoded. A format of another crate reads the tag by code of its own.
    fn class_of(packet: &KeptPacket) -> Class {
        let is_urgent = || {
            let mut message = packet.reader().ok()?;
            let tag = message.text().ok()?;
            Some(P::is_urgent_tag(&tag.unwrap_or_default()))
        };
        match P::URGENT && guard::run(is_urgent).is_ok_and(|urgent| urgent == Some(true)) {
            true => Class::Urgent,
            false => Class::Ordinary,
        }
    }

    fn decoding(&self) -> Decoding<'_> {
        Decoding {
            node: &self.node,
            port: self.pace.number(),
        }
    }

    /// Decodes a message, or returns the treatment of one that is not understood.
    #[inline]
    pub(super) fn read(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Envelope<P::Msg>, Box<Unread>> {
        let cx = self.decoding();
        // Decoding runs user code, whose panics must not reach the sender or the connection.
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

    /// Decodes a message that was queued undecoded. `None` if it is not understood, which is handled here.
    ///
    /// # Errors
    ///
    /// The reason that the port dies with.
    pub(crate) fn read_late(
        &self,
        unread: UnreadMessage,
    ) -> Result<Option<Envelope<P::Msg>>, Reason> {
        let _scope = self.node.decoding();
        let UnreadMessage {
            from,
            packet,
            heard,
            noting,
        } = unread;
        let _heard = Heard::at(heard);
        // A format of another crate opens the packet by code of its own.
        let mut message = guard::run(|| packet.reader())?.map_err(Reason::die)?;
        match self.read(Some(&from), &mut message) {
            Ok(envelope) => Ok(Some(envelope.noted(noting))),
            Err(unread) => match *unread {
                Unread::Dies(reason) => Err(reason),
                Unread::Malformed(error) => Err(Reason::die(error)),
                unread => {
                    // The syntax was checked when the message arrived, so this returns no error.
                    let _ = self.not_understood(unread);
                    Ok(None)
                }
            },
        }
    }

    /// Handles a message that the port does not understand: refuses the call, or kills the port.
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
            // The answer's port is a node port, so no caller is waiting.
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
