//! The requests between the ends of sessions and their relay ([protocol](crate::protocol::relays#requests)).

use aemp_codec::{EncodeError, NodeId, PacketWriter, Value};
use serde::{Serialize, Serializer};

use crate::request::{RELAY, RELAYED};

/// A request of an end to its relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Open a session to a node. The answer repeats the token.
    Open { token: u64, node: NodeId },
    /// Something that the other end of a session is told.
    Act { session: u64, act: Act },
}

/// A request of a relay to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A node has opened a session to this one.
    Open { session: u64, node: NodeId },
    /// The session that this end has asked for is open.
    Opened { token: u64, session: u64 },
    /// There will be no session.
    Refused { token: u64, text: String },
    /// The other end of a session has sent this.
    Act { session: u64, act: Act },
}

/// An act of one end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Octets of the tunnel.
    Data(Vec<u8>),
    /// This number of octets has been read: as many more may be sent.
    Room(usize),
    /// Without a text: this end sends no more octets. With a text: the session is over, for this reason.
    End(String),
}

impl Act {
    /// The number of octets.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Data(octets) => octets.len(),
            Self::Room(_) | Self::End(_) => 0,
        }
    }

    fn read(kind: &str, args: &mut Args) -> Self {
        let act = match kind {
            "data" => args.octets().map(Self::Data),
            "room" => args.number().map(|count| {
                let count = usize::try_from(count);
                Self::Room(count.unwrap_or(usize::MAX))
            }),
            "end" => Some(Self::End(args.text().unwrap_or_default())),
            _ => None,
        };
        // Octets that cannot be read would be a hole.
        act.unwrap_or_else(|| Self::End(format!("a frame of the kind {kind:?} cannot be read")))
    }

    fn write(&self, session: u64, packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
        let kind = match self {
            Self::Data(_) => "data",
            Self::Room(_) => "room",
            Self::End(_) => "end",
        };
        packet.str(kind)?;
        packet.arg(&session)?;
        match self {
            Self::Data(octets) => packet.arg(&Octets(octets)),
            Self::Room(count) => packet.arg(&(*count as u64)),
            Self::End(text) => packet.str(text),
        }
    }
}

struct Octets<'a>(&'a [u8]);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl Ask {
    /// Reads a request. Returns `None` if it cannot be understood.
    pub(crate) fn read(args: Vec<Value>) -> Option<Self> {
        let mut args = Args(args.into_iter());
        let kind = args.text()?;
        let number = args.number()?;
        Some(match kind.as_str() {
            "open" => Self::Open {
                token: number,
                node: args.node()?,
            },
            kind => Self::Act {
                session: number,
                act: Act::read(kind, &mut args),
            },
        })
    }

    /// Writes the request behind a packet's empty port name.
    pub(crate) fn write(&self, packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
        packet.str(RELAY)?;
        match self {
            Self::Open { token, node } => open(packet, *token, node),
            Self::Act { session, act } => act.write(*session, packet),
        }
    }
}

impl Told {
    /// Reads a request. Returns `None` if it cannot be understood.
    pub(crate) fn read(args: Vec<Value>) -> Option<Self> {
        let mut args = Args(args.into_iter());
        let kind = args.text()?;
        let number = args.number()?;
        Some(match kind.as_str() {
            "open" => Self::Open {
                session: number,
                node: args.node()?,
            },
            "opened" => Self::Opened {
                token: number,
                session: args.number()?,
            },
            "refused" => Self::Refused {
                token: number,
                text: args.text().unwrap_or_default(),
            },
            kind => Self::Act {
                session: number,
                act: Act::read(kind, &mut args),
            },
        })
    }

    /// Writes the request behind a packet's empty port name.
    pub(crate) fn write(&self, packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
        packet.str(RELAYED)?;
        match self {
            Self::Open { session, node } => open(packet, *session, node),
            Self::Opened { token, session } => {
                packet.str("opened")?;
                packet.arg(token)?;
                packet.arg(session)
            }
            Self::Refused { token, text } => {
                packet.str("refused")?;
                packet.arg(token)?;
                packet.str(text)
            }
            Self::Act { session, act } => act.write(*session, packet),
        }
    }
}

fn open(packet: &mut PacketWriter<'_>, number: u64, node: &NodeId) -> Result<(), EncodeError> {
    packet.str("open")?;
    packet.arg(&number)?;
    packet.str(node.as_str())
}

struct Args(std::vec::IntoIter<Value>);

impl Args {
    fn text(&mut self) -> Option<String> {
        Some(self.0.next()?.text()?.into_owned())
    }

    fn number(&mut self) -> Option<u64> {
        u64::try_from(self.0.next()?.integer()?).ok()
    }

    fn node(&mut self) -> Option<NodeId> {
        NodeId::new(self.text()?).ok()
    }

    fn octets(&mut self) -> Option<Vec<u8>> {
        match self.0.next()? {
            Value::Bytes(octets) => Some(octets),
            other => Some(other.as_bytes()?.into_owned()),
        }
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use aemp_codec::{Format, Limits};

    use super::*;

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    /// Writes a packet as JSON, and returns it with the arguments behind the request.
    fn written(
        write: impl Fn(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> (String, Vec<Value>) {
        let mut out = Vec::new();
        let mut packet = Format::Json.writer(&mut out, Limits::default());
        packet.str("").unwrap();
        write(&mut packet).unwrap();
        packet.finish().unwrap();
        let mut reader = Format::Json.reader(&out, Limits::default()).unwrap();
        let mut values = reader.rest().unwrap();
        values.drain(..2);
        (String::from_utf8(out).unwrap(), values)
    }

    #[test]
    fn requests_survive_the_round_trip() {
        let act = |act| Ask::Act { session: 7, act };
        let asks = [
            Ask::Open {
                token: 3,
                node: node("b"),
            },
            act(Act::Data((0..=255).collect())),
            act(Act::Room(65_536)),
            act(Act::End("x".into())),
        ];
        for ask in asks {
            let (_, args) = written(|packet| ask.write(packet));
            assert_eq!(Ask::read(args), Some(ask));
        }
        let all = [
            Told::Open {
                session: 7,
                node: node("a"),
            },
            Told::Opened {
                token: 3,
                session: 7,
            },
            Told::Refused {
                token: 3,
                text: "no".into(),
            },
            Told::Act {
                session: 7,
                act: Act::Data(b"aemp;1".to_vec()),
            },
        ];
        for told in all {
            let (_, args) = written(|packet| told.write(packet));
            assert_eq!(Told::read(args), Some(told));
        }
    }

    #[test]
    fn a_script_can_read_and_write_them() {
        let ask = Ask::Act {
            session: 7,
            act: Act::Data(b"aemp;1\n".to_vec()),
        };
        let (text, _) = written(|packet| ask.write(packet));
        assert_eq!(text, r#"["","Aemp::relay","data",7,"aemp;1\n"]"#);
        let loose = vec!["data".into(), "7".into(), "aemp;1\n".into()];
        assert_eq!(Ask::read(loose), Some(ask));
    }

    #[test]
    fn a_frame_that_cannot_be_read_ends_its_session() {
        for args in [
            vec!["data".into(), 7.into(), Value::Null],
            vec!["data".into(), 7.into(), "\u{100}".into()],
            vec!["data".into(), 7.into()],
            vec!["room".into(), 7.into(), "much".into()],
            vec!["else".into(), 7.into()],
        ] {
            let read = Ask::read(args);
            let ends = matches!(&read, Some(Ask::Act { session: 7, act: Act::End(text) }) if !text.is_empty());
            assert!(ends, "{read:?}");
        }
        for args in [
            vec![],
            vec!["open".into(), 1.into(), "#".into()],
            vec![1.into()],
        ] {
            assert_eq!(Ask::read(args), None);
        }
    }
}
