//! The requests between node ports (PROTOCOL.md sections 5 and 6).

mod error;

use std::borrow::Cow;

use aemp_codec::{DecodeError, EncodeError, PacketReader, PacketWriter, PortId, Value};

pub use self::error::RequestError;
use super::global::LONGEST_NAME;

/// The function that makes a port on another node.
pub const SPAWN: &str = "AnyEvent::MP::_spawn";

/// The request that looks into a node: one of this project, which a reference node takes for the name of a function.
pub const INSPECT: &str = "inspect";

/// Asks how many messages a port has room for: a request of this project, for nodes whose greeting has the key `credit`.
pub const ROOM: &str = "Aemp::room";

/// Answers [`ROOM`].
pub const CREDIT: &str = "Aemp::credit";

/// The requests with a meaning of their own; any other is the name of a function, or begins with `g_`.
const FIXED: [&str; 13] = [
    "", "mon0", "mon1", "kil0", "kil1", "snd", "can", "time", "devnull", "eval", INSPECT, ROOM,
    CREDIT,
];

/// A request to a node port: what follows the empty port name in a packet. The list is closed: a node that leaves one out does not compile.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Nothing is wanted.
    Keepalive,
    /// As [`Keepalive`](Self::Keepalive), with arguments to be ignored.
    Devnull,
    /// The sender no longer monitors that port.
    Mon0(String),
    /// The sender monitors that port from now on.
    Mon1(String),
    /// A port of the sender that this node monitors has died.
    Kil0 {
        /// The port's name.
        port: String,
        /// Why.
        reason: Vec<Value>,
    },
    /// Kill a port.
    Kil1 {
        /// The port's name.
        port: String,
        /// Why.
        reason: Vec<Value>,
    },
    /// Pass a message on.
    Snd {
        /// To whom.
        to: PortId,
        /// The message.
        msg: Vec<Value>,
    },
    /// Answer whether a request is known.
    Can {
        /// Which request.
        request: String,
        /// To whom.
        to: PortId,
        /// What the answer begins with.
        msg: Vec<Value>,
    },
    /// Answer what time it is.
    Time {
        /// To whom.
        to: PortId,
        /// What the answer begins with.
        msg: Vec<Value>,
    },
    /// Run code, which a node of this project never does: it answers so.
    Eval {
        /// The code.
        code: String,
        /// To whom, if anybody wants to know.
        to: Option<PortId>,
        /// What the answer begins with.
        msg: Vec<Value>,
    },
    /// Answer what is going on here (`aemp::inspect`).
    Inspect {
        /// What is asked for.
        what: Value,
        /// To whom.
        to: PortId,
        /// What the answer begins with.
        msg: Vec<Value>,
    },
    /// Answer how many messages a port has room for, behind all that was sent before.
    Room {
        /// The port's name.
        port: String,
        /// The values that the answer repeats.
        token: u64,
        /// How many messages may still be sent without an answer.
        left: u64,
    },
    /// So many messages may be sent to a port, counted from what was asked; without a number, any.
    Credit {
        /// The port's name.
        port: String,
        /// That of the question.
        token: u64,
        /// How many. `None` if the port has no bound.
        messages: Option<u64>,
    },
    /// Make a port.
    Spawn {
        /// The port's name, which the sender has made up.
        port: String,
        /// The init function that makes the port what it is.
        function: String,
        /// The function's arguments.
        args: Vec<Value>,
    },
    /// Call a function.
    Call {
        /// Its name.
        function: String,
        /// Its arguments.
        args: Vec<Value>,
    },
    /// A request between slaves and global nodes (sections 9 and 10).
    Global {
        /// `g_...`
        request: String,
        /// Its arguments.
        args: Vec<Value>,
    },
}

impl Request {
    /// Reads a request; the port name has been read.
    ///
    /// # Errors
    ///
    /// When the packet is malformed, or arguments are missing or of the wrong kind; superfluous ones do not matter.
    pub fn read(packet: &mut PacketReader<'_>) -> Result<Self, RequestError> {
        let name = match packet.text() {
            Ok(name) => name.unwrap_or_default(),
            Err(error) if error.is_malformed() => return Err(RequestError::Malformed(error)),
            Err(_) => return Err(RequestError::Name),
        };
        if name.len() > LONGEST_NAME {
            return Err(RequestError::TooLong {
                request: "node port".into(),
                argument: "request",
                length: name.len(),
            });
        }
        Arguments { name, packet }.request()
    }

    /// Whether a request of that name has a meaning of its own, so that `can` answers yes.
    #[must_use]
    pub fn is_fixed(name: &str) -> bool {
        FIXED.contains(&name)
    }

    /// The request's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Keepalive => "",
            Self::Devnull => "devnull",
            Self::Mon0(_) => "mon0",
            Self::Mon1(_) => "mon1",
            Self::Kil0 { .. } => "kil0",
            Self::Kil1 { .. } => "kil1",
            Self::Snd { .. } => "snd",
            Self::Can { .. } => "can",
            Self::Time { .. } => "time",
            Self::Eval { .. } => "eval",
            Self::Inspect { .. } => INSPECT,
            Self::Room { .. } => ROOM,
            Self::Credit { .. } => CREDIT,
            Self::Spawn { .. } => SPAWN,
            Self::Call { function, .. } => function,
            Self::Global { request, .. } => request,
        }
    }

    /// Writes the request behind a packet's empty port name.
    ///
    /// # Errors
    ///
    /// When a value cannot be encoded.
    pub fn write(&self, packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
        packet.str(self.name())?;
        match self {
            Self::Keepalive | Self::Devnull => Ok(()),
            Self::Mon0(port) | Self::Mon1(port) => packet.str(port),
            Self::Kil0 { port, reason: rest } | Self::Kil1 { port, reason: rest } => {
                packet.str(port)?;
                write_all(rest, packet)
            }
            Self::Snd { to, msg } | Self::Time { to, msg } => {
                packet.str(to.as_str())?;
                write_all(msg, packet)
            }
            Self::Can { request, to, msg } => {
                packet.str(request)?;
                packet.str(to.as_str())?;
                write_all(msg, packet)
            }
            Self::Eval { code, to, msg } => {
                packet.str(code)?;
                to.iter().try_for_each(|to| packet.str(to.as_str()))?;
                write_all(msg, packet)
            }
            Self::Inspect { what, to, msg } => {
                packet.value(what)?;
                packet.str(to.as_str())?;
                write_all(msg, packet)
            }
            Self::Room { port, token, left } => {
                packet.str(port)?;
                packet.arg(token)?;
                packet.arg(left)
            }
            Self::Credit {
                port,
                token,
                messages,
            } => {
                packet.str(port)?;
                packet.arg(token)?;
                messages
                    .iter()
                    .try_for_each(|messages| packet.arg(messages))
            }
            Self::Spawn {
                port,
                function,
                args,
            } => {
                packet.str(port)?;
                packet.str(function)?;
                write_all(args, packet)
            }
            Self::Call { args, .. } | Self::Global { args, .. } => write_all(args, packet),
        }
    }
}

fn write_all(values: &[Value], packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
    values.iter().try_for_each(|value| packet.value(value))
}

/// The arguments of the request of that name.
struct Arguments<'p, 'a> {
    name: Cow<'a, str>,
    packet: &'p mut PacketReader<'a>,
}

impl Arguments<'_, '_> {
    fn request(mut self) -> Result<Request, RequestError> {
        Ok(match &*self.name {
            "" => Request::Keepalive,
            "devnull" => Request::Devnull,
            "mon0" => Request::Mon0(self.name("port")?),
            "mon1" => Request::Mon1(self.text("port")?),
            // Neither is kept, and monitors have to be told: here that a port of the sender has died, and there that there is none of that name.
            "kil0" => Request::Kil0 {
                port: self.text("port")?,
                reason: self.reason()?,
            },
            "kil1" => Request::Kil1 {
                port: self.name("port")?,
                reason: self.reason()?,
            },
            "snd" => Request::Snd {
                to: self.port_id("receiver")?,
                msg: self.rest()?,
            },
            "can" => Request::Can {
                request: self.name("request")?,
                to: self.port_id("receiver")?,
                msg: self.rest()?,
            },
            "time" => Request::Time {
                to: self.port_id("receiver")?,
                msg: self.rest()?,
            },
            "eval" => Request::Eval {
                code: self.text("code")?,
                to: self.optional_port_id("receiver")?,
                msg: self.rest()?,
            },
            INSPECT => Request::Inspect {
                what: self.value("subject")?,
                to: self.port_id("receiver")?,
                msg: self.rest()?,
            },
            ROOM => Request::Room {
                port: self.name("port")?,
                token: self.number("token")?,
                left: self.number("left")?,
            },
            CREDIT => Request::Credit {
                port: self.name("port")?,
                token: self.number("token")?,
                messages: self.optional_number("messages")?,
            },
            // Monitors of the port have to be told why there is none: who makes ports looks at the names.
            SPAWN => Request::Spawn {
                port: self.text("port")?,
                function: self.text("function")?,
                args: self.rest()?,
            },
            name if name.starts_with("g_") => Request::Global {
                args: self.rest()?,
                request: self.name.into_owned(),
            },
            _ => Request::Call {
                args: self.rest()?,
                function: self.name.into_owned(),
            },
        })
    }

    fn optional_text(&mut self, argument: &'static str) -> Result<Option<String>, RequestError> {
        match self.packet.text() {
            Ok(text) => Ok(text.map(Cow::into_owned)),
            Err(error) if error.is_malformed() => Err(RequestError::Malformed(error)),
            Err(_) => Err(RequestError::NotText {
                request: self.name.to_string(),
                argument,
            }),
        }
    }

    fn text(&mut self, argument: &'static str) -> Result<String, RequestError> {
        self.optional_text(argument)?
            .ok_or_else(|| self.missing(argument))
    }

    /// A text that may be kept, or told to others.
    fn name(&mut self, argument: &'static str) -> Result<String, RequestError> {
        let name = self.text(argument)?;
        if name.len() > LONGEST_NAME {
            return Err(RequestError::TooLong {
                request: self.name.to_string(),
                argument,
                length: name.len(),
            });
        }
        Ok(name)
    }

    fn port_id(&mut self, argument: &'static str) -> Result<PortId, RequestError> {
        let text = self.text(argument)?;
        PortId::parse(&text).map_err(|source| RequestError::PortId {
            request: self.name.to_string(),
            argument,
            source,
        })
    }

    /// No port ID, or null, or nothing: no answer is wanted.
    fn optional_port_id(&mut self, argument: &'static str) -> Result<Option<PortId>, RequestError> {
        let Some(text) = self
            .optional_text(argument)?
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let id = PortId::parse(&text).map_err(|source| RequestError::PortId {
            request: self.name.to_string(),
            argument,
            source,
        })?;
        Ok(Some(id))
    }

    fn value(&mut self, argument: &'static str) -> Result<Value, RequestError> {
        let value = self.packet.value();
        value
            .map_err(|source| self.no_value(source))?
            .ok_or_else(|| self.missing(argument))
    }

    fn number(&mut self, argument: &'static str) -> Result<u64, RequestError> {
        self.optional_number(argument)?
            .ok_or_else(|| self.missing(argument))
    }

    /// A number, or nothing. Something else is an error.
    fn optional_number(&mut self, argument: &'static str) -> Result<Option<u64>, RequestError> {
        let value = self.packet.value();
        let value = value.map_err(|source| self.no_value(source))?;
        let number = value.map(|value| value.as_u64().ok_or_else(|| self.missing(argument)));
        number.transpose()
    }

    fn missing(&self, argument: &'static str) -> RequestError {
        RequestError::Missing {
            request: self.name.to_string(),
            argument,
        }
    }

    fn rest(&mut self) -> Result<Vec<Value>, RequestError> {
        let rest = self.packet.rest();
        rest.map_err(|source| self.no_value(source))
    }

    /// Why a port dies. Of a reason that nothing here can hold it dies all the same: monitors must fire.
    fn reason(&mut self) -> Result<Vec<Value>, RequestError> {
        match self.packet.rest() {
            Err(error) if !error.is_malformed() => {
                let text = format!("{}: the reason cannot be told: {error}", self.name);
                Ok(vec!["die".into(), text.into()])
            }
            rest => rest.map_err(RequestError::Malformed),
        }
    }

    fn no_value(&self, source: DecodeError) -> RequestError {
        if source.is_malformed() {
            return RequestError::Malformed(source);
        }
        RequestError::Value {
            request: self.name.to_string(),
            source,
        }
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
