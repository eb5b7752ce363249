//! The messages of the two ports of a stream between nodes
//! ([protocol](aemp_proto::protocol::streamed)).

use aemp_codec::{DecodeError, EncodeError, KeptPacket, PacketReader, PacketWriter, PortId, Value};

use crate::{
    __private::stays_here, Cx, Decoding, Encoding, Message, Origin, Undecoded,
    port::destination::Destination,
};

/// Items, to the consumer.
pub(super) const DATA: &str = "data";
/// The end, to the consumer: without elements, or with those of a reason.
const END: &str = "end";
/// The consumer and the number of items that it takes, to the sender.
const CREDIT: &str = "credit";
/// The consumer has no use for further items, to the sender.
const CANCEL: &str = "cancel";

/// The messages of the port of a consumer.
pub(super) enum ToConsumer {
    /// A packet of items, which the consumer decodes, and their number.
    Data(KeptPacket, u64),
    End(Vec<Value>),
}

/// The messages of the port of a sender.
pub(super) enum ToSender {
    Credit(PortId, u64),
    /// Without a port if the consumer has never asked for items.
    Cancel(Option<PortId>),
}

impl Message for ToConsumer {
    const USES_ORIGIN: bool = true;
    const HANDLERS: &'static [&'static str] = &[DATA, END];

    fn handler(&self) -> u32 {
        match self {
            Self::Data(..) => 0,
            Self::End(_) => 1,
        }
    }

    fn decode(
        tag: &str,
        args: &mut PacketReader<'_>,
        cx: &Decoding<'_>,
    ) -> Result<Self, Undecoded> {
        match tag {
            DATA => {
                let before = args.position();
                let packet = args.keep(cx.node.limits()).map_err(Undecoded::Malformed)?;
                let items = (args.position() - before) as u64;
                Ok(Self::Data(packet, items))
            }
            END => args.rest().map(Self::End).map_err(Undecoded::Malformed),
            _ => Err(Undecoded::Unhandled),
        }
    }

    fn encode(self, _: &mut PacketWriter<'_>, _: &mut Encoding<'_>) -> Result<(), EncodeError> {
        Err(stays_here())
    }
}

impl Message for ToSender {
    const USES_ORIGIN: bool = true;
    const HANDLERS: &'static [&'static str] = &[CREDIT, CANCEL];

    fn handler(&self) -> u32 {
        match self {
            Self::Credit(..) => 0,
            Self::Cancel(_) => 1,
        }
    }

    fn decode(tag: &str, args: &mut PacketReader<'_>, _: &Decoding<'_>) -> Result<Self, Undecoded> {
        let wrong =
            |place, name| move |error: DecodeError| Undecoded::argument(tag, place, name, error);
        match tag {
            CREDIT => {
                let consumer = args.required().map_err(wrong(1, "consumer"))?;
                let items = args.required().map_err(wrong(2, "items"))?;
                Ok(Self::Credit(consumer, items))
            }
            CANCEL => args
                .arg()
                .map(|consumer| Self::Cancel(consumer.flatten()))
                .map_err(wrong(1, "consumer")),
            _ => Err(Undecoded::Unhandled),
        }
    }

    fn encode(self, _: &mut PacketWriter<'_>, _: &mut Encoding<'_>) -> Result<(), EncodeError> {
        Err(stays_here())
    }
}

/// Logs that another node than that of the other half has sent something.
#[cold]
pub(super) fn complain(cx: &Cx<'_>, message: &str) {
    let port = cx.id();
    let from = match cx.origin() {
        Some(Origin::Node(node)) => node.to_string(),
        Some(Origin::Local) | None => "this node".into(),
    };
    let text = format_args!("{message} was ignored: it came from {from}, which has no part in it");
    cx.node().complain(&port, text);
}

/// Tells a consumer the end.
pub(super) fn end(consumer: &Destination, reason: &[Value]) {
    let sent = consumer.send_with(|out| {
        out.str(END)?;
        reason.iter().try_for_each(|value| out.value(value))
    });
    sent.log("the end of a stream", &consumer.id);
}

/// Grants a sender credit.
pub(super) fn credit(sender: &Destination, consumer: &PortId, items: u64) {
    let sent = sender.send_with(|out| {
        out.str(CREDIT)?;
        out.str(consumer.as_str())?;
        out.arg(&items)
    });
    sent.log("credit for a stream", &sender.id);
}

/// Tells a sender that no more items are wanted.
pub(super) fn cancel(sender: &Destination, consumer: Option<&PortId>) {
    let sent = sender.send_with(|out| {
        out.str(CANCEL)?;
        consumer.map_or(Ok(()), |consumer| out.str(consumer.as_str()))
    });
    sent.log("the end of interest in a stream", &sender.id);
}
