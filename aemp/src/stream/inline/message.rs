//! The messages of the two ports of an inline stream ([protocol](aemp_proto::protocol::extensions#small-streams)).

use aemp_codec::{DecodeError, EncodeError, Octets, PacketReader, PacketWriter, PortId};
use serde::{Serialize, Serializer};

use crate::{
    __private::stays_here, Decoding, Encoding, Message, SendError, Undecoded,
    port::destination::Destination,
};

/// The port of the end that was sent for, and the number of bytes that it takes.
const OPEN: &str = "open";
/// The next bytes.
const DATA: &str = "data";
/// This direction is whole.
const END: &str = "end";
/// The further bytes of this direction come over the connection; and the number of those before.
const MOVED: &str = "moved";
/// To the end that was sent for: a connection is expected. To the other one: it is wanted.
const CONNECT: &str = "connect";

/// The messages of the port of an end.
pub(super) enum ToEnd {
    Open(PortId, u64),
    Data(Octets),
    End,
    Moved(u64),
    Connect,
}

impl Message for ToEnd {
    const USES_ORIGIN: bool = true;
    const HANDLERS: &'static [&'static str] = &[OPEN, DATA, END, MOVED, CONNECT];

    fn handler(&self) -> u32 {
        match self {
            Self::Open(..) => 0,
            Self::Data(_) => 1,
            Self::End => 2,
            Self::Moved(_) => 3,
            Self::Connect => 4,
        }
    }

    fn decode(tag: &str, args: &mut PacketReader<'_>, _: &Decoding<'_>) -> Result<Self, Undecoded> {
        let wrong =
            |place, name| move |error: DecodeError| Undecoded::argument(tag, place, name, error);
        match tag {
            OPEN => {
                let port = args.required().map_err(wrong(1, "port"))?;
                let most = args.required().map_err(wrong(2, "bytes"))?;
                Ok(Self::Open(port, most))
            }
            DATA => args.required().map(Self::Data).map_err(wrong(1, "bytes")),
            END => Ok(Self::End),
            MOVED => args.required().map(Self::Moved).map_err(wrong(1, "bytes")),
            CONNECT => Ok(Self::Connect),
            _ => Err(Undecoded::Unhandled),
        }
    }

    fn encode(self, _: &mut PacketWriter<'_>, _: &mut Encoding<'_>) -> Result<(), EncodeError> {
        Err(stays_here())
    }
}

/// Bytes that are written as a byte string.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

pub(super) fn open(to: &Destination, port: &PortId, most: usize) {
    let sent = to.send_with(|out| {
        out.str(OPEN)?;
        out.str(port.as_str())?;
        out.arg(&most)
    });
    sent.log("the port of a stream", &to.id);
}

pub(super) fn data(to: &Destination, bytes: &[u8]) -> Result<(), SendError> {
    let sent = to.send_with(|out| {
        out.str(DATA)?;
        out.arg(&Bytes(bytes))
    });
    sent.check()
}

pub(super) fn end(to: &Destination) {
    to.send_with(|out| out.str(END))
        .log("the end of a stream", &to.id);
}

pub(super) fn moved(to: &Destination, at: u64) {
    let sent = to.send_with(|out| {
        out.str(MOVED)?;
        out.arg(&at)
    });
    sent.log("the move of a stream", &to.id);
}

pub(super) fn connect(to: &Destination) {
    to.send_with(|out| out.str(CONNECT))
        .log("the move of a stream", &to.id);
}
