//! The requests between node ports ([protocol](crate::protocol::requests)).

mod error;

use std::borrow::Cow;

use aemp_codec::{DecodeError, EncodeError, PacketReader, PacketWriter, PortId, Value};

pub use self::error::RequestError;
use super::global::LONGEST_NAME;

/// The function that spawns a port on another node.
pub const SPAWN: &str = "AnyEvent::MP::_spawn";

/// The request that inspects a node. It belongs to this project; a reference node takes it for a function's name.
pub const INSPECT: &str = "inspect";

/// The request that asks how many messages a port has room for. It belongs to this project and is sent only to nodes
/// whose greeting has the key `credit`.
pub const ROOM: &str = "Aemp::room";

/// Answers [`ROOM`].
pub const CREDIT: &str = "Aemp::credit";

/// The request that stops a port after its queued messages. It belongs to this project and is sent only to its nodes; others
/// get a kill.
pub const STOP: &str = "Aemp::stop";

/// The request of an end of a relayed connection to its relay. It belongs to this project and is sent only to nodes
/// whose greeting has the key `relay`.
pub const RELAY: &str = "Aemp::relay";

/// The request of a relay to an end.
pub const RELAYED: &str = "Aemp::relayed";

/// The request that carries a message with the context of the span that has sent it. It belongs to this project and is sent
/// only if both greetings have the key `trace`.
pub const TRACED: &str = "Aemp::traced";

/// The requests with a meaning of their own. Any other request is the name of a function, or begins with `g_`.
const FIXED: [&str; 17] = [
    "", "mon0", "mon1", "kil0", "kil1", "snd", "can", "time", "devnull", "eval", INSPECT, ROOM,
    CREDIT, STOP, RELAY, RELAYED, TRACED,
];

/// A request to a node port: everything behind the empty port name of a packet.
///
/// The enum is closed, so that a node that does not handle a request does not compile.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Do nothing: this keeps the connection alive.
    Keepalive,
    /// Do nothing, like [`Keepalive`](Self::Keepalive), and ignore the arguments.
    Devnull,
    /// The sender no longer monitors this port.
    Mon0(String),
    /// The sender monitors this port from now on.
    Mon1(String),
    /// A port of the sender, which this node monitors, has died.
    Kil0 {
        /// The port's name.
        port: String,
        /// The reason of its death.
        reason: Vec<Value>,
    },
    /// Kill a port.
    Kil1 {
        /// The port's name.
        port: String,
        /// The reason to kill it with.
        reason: Vec<Value>,
    },
    /// End a port when it has handled the messages before this request.
    Stop {
        /// The port's name.
        port: String,
        /// The time in milliseconds after which the port is killed. `None` if there is no limit.
        within: Option<u64>,
    },
    /// Pass on a message.
    Snd {
        /// The port that gets the message.
        to: PortId,
        /// The message.
        msg: Vec<Value>,
    },
    /// Answer whether a request is known.
    Can {
        /// The name of the request.
        request: String,
        /// The port that gets the answer.
        to: PortId,
        /// The first elements of the answer.
        msg: Vec<Value>,
    },
    /// Answer with the current time.
    Time {
        /// The port that gets the answer.
        to: PortId,
        /// The first elements of the answer.
        msg: Vec<Value>,
    },
    /// Run code. A node of this project never does that, and answers so.
    Eval {
        /// The code.
        code: String,
        /// The port that gets the answer, if an answer is wanted.
        to: Option<PortId>,
        /// The first elements of the answer.
        msg: Vec<Value>,
    },
    /// Answer with a report about this node (`aemp::inspect`).
    Inspect {
        /// The subject of the report.
        subject: Value,
        /// The port that gets the answer.
        to: PortId,
        /// The first elements of the answer.
        msg: Vec<Value>,
    },
    /// Answer how many messages a port has room for, after all messages that were sent before.
    Room {
        /// The port's name.
        port: String,
        /// A number that the answer repeats.
        token: u64,
        /// The number of messages that the sender may still send without an answer.
        left: u64,
    },
    /// Allows the sender of [`Room`](Self::Room) to send more messages to a port.
    Credit {
        /// The port's name.
        port: String,
        /// The number in the request that this answers.
        token: u64,
        /// The number of messages, counted from the request. `None` if the port has no bound.
        messages: Option<u64>,
    },
    /// Spawn a port.
    Spawn {
        /// The port's name, chosen by the sender.
        port: String,
        /// The init function, which sets up the port.
        function: String,
        /// The function's arguments.
        args: Vec<Value>,
    },
    /// Call a function.
    Call {
        /// The function's name.
        function: String,
        /// The function's arguments.
        args: Vec<Value>,
    },
    /// A request between slaves and global nodes ([protocol](crate::protocol::global)).
    Global {
        /// The name of the request, `g_...`.
        request: String,
        /// The arguments of the request.
        args: Vec<Value>,
    },
    /// A request between an end of a relayed connection and its relay ([protocol](crate::protocol::relays)).
    Relay {
        /// The name of the request, [`RELAY`] or [`RELAYED`].
        request: String,
        /// The arguments of the request.
        args: Vec<Value>,
    },
    /// Deliver a message, whose tag and arguments are the rest of the packet. They are left unread.
    Traced {
        /// The context of the span that has sent the message, as a `traceparent` of W3C. It has not been checked.
        parent: String,
        /// The `tracestate` of W3C; mostly empty. It has not been checked.
        state: String,
        /// True if the message is a call.
        called: bool,
        /// The name of the port that gets the message.
        port: String,
    },
}

impl Request {
    /// Reads a request from a packet whose port name has been read.
    ///
    /// # Errors
    ///
    /// Returns an error if the packet is malformed, or if arguments are missing or of the wrong kind. Superfluous
    /// arguments are ignored.
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

    /// True if a request of this name has a meaning of its own, so that the answer to `can` is yes.
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
            Self::Stop { .. } => STOP,
            Self::Snd { .. } => "snd",
            Self::Can { .. } => "can",
            Self::Time { .. } => "time",
            Self::Eval { .. } => "eval",
            Self::Inspect { .. } => INSPECT,
            Self::Room { .. } => ROOM,
            Self::Credit { .. } => CREDIT,
            Self::Spawn { .. } => SPAWN,
            Self::Call { function, .. } => function,
            Self::Global { request, .. } | Self::Relay { request, .. } => request,
            Self::Traced { .. } => TRACED,
        }
    }

    /// Writes the request behind a packet's empty port name.
    ///
    /// # Errors
    ///
    /// Returns an error if a value cannot be encoded.
    pub fn write(&self, packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
        packet.str(self.name())?;
        match self {
            Self::Keepalive | Self::Devnull => Ok(()),
            Self::Mon0(port) | Self::Mon1(port) => packet.str(port),
            Self::Kil0 { port, reason: rest } | Self::Kil1 { port, reason: rest } => {
                packet.str(port)?;
                write_all(rest, packet)
            }
            Self::Stop { port, within } => {
                packet.str(port)?;
                within.iter().try_for_each(|within| packet.arg(within))
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
            Self::Inspect { subject, to, msg } => {
                packet.value(subject)?;
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
            Self::Call { args, .. } | Self::Global { args, .. } | Self::Relay { args, .. } => {
                write_all(args, packet)
            }
            Self::Traced {
                parent,
                state,
                called,
                port,
            } => {
                packet.str(parent)?;
                packet.str(state)?;
                packet.str(if *called { CALL } else { SEND })?;
                packet.str(port)
            }
        }
    }
}

/// The ways in which a message with a context was sent.
const CALL: &str = "call";
const SEND: &str = "send";

fn write_all(values: &[Value], packet: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
    values.iter().try_for_each(|value| packet.value(value))
}

/// The arguments of a request, which are still to be read.
struct Arguments<'p, 'a> {
    name: Cow<'a, str>,
    packet: &'p mut PacketReader<'a>,
}

impl Arguments<'_, '_> {
    fn request(mut self) -> Result<Request, RequestError> {
        Ok(match &*self.name {
            "" => Request::Keepalive,
            "devnull" => Request::Devnull,
            "mon0" => Request::Mon0(self.text("port")?),
            "mon1" => Request::Mon1(self.text("port")?),
            // No limit on the name: it is not kept, and the monitors of the sender's port must fire.
            "kil0" => Request::Kil0 {
                port: self.text("port")?,
                reason: self.reason()?,
            },
            "kil1" => Request::Kil1 {
                port: self.name("port")?,
                reason: self.reason()?,
            },
            STOP => Request::Stop {
                port: self.name("port")?,
                within: self.optional_number("within")?,
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
                subject: self.value("subject")?,
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
            // No limit on the names: they are not kept, and the monitors of the new port must hear why it does not
            // exist. The code that spawns ports checks the names.
            SPAWN => Request::Spawn {
                port: self.text("port")?,
                function: self.text("function")?,
                args: self.rest()?,
            },
            RELAY | RELAYED => Request::Relay {
                args: self.rest()?,
                request: self.name.into_owned(),
            },
            // The context is checked by the code that uses it; without it, the message is delivered all the same.
            TRACED => Request::Traced {
                parent: self.text("traceparent")?,
                state: self.text("tracestate")?,
                called: self.text("way")? == CALL,
                port: self.text("port")?,
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

    /// Reads a text that may be kept or passed on, so its length is limited.
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
        PortId::parse(&text).map_err(|error| RequestError::PortId {
            request: self.name.to_string(),
            argument,
            error,
        })
    }

    /// Reads a port ID. A missing, null or empty one means that no answer is wanted.
    fn optional_port_id(&mut self, argument: &'static str) -> Result<Option<PortId>, RequestError> {
        let Some(text) = self
            .optional_text(argument)?
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let id = PortId::parse(&text).map_err(|error| RequestError::PortId {
            request: self.name.to_string(),
            argument,
            error,
        })?;
        Ok(Some(id))
    }

    fn value(&mut self, argument: &'static str) -> Result<Value, RequestError> {
        let value = self.packet.value();
        value
            .map_err(|error| self.no_value(error))?
            .ok_or_else(|| self.missing(argument))
    }

    fn number(&mut self, argument: &'static str) -> Result<u64, RequestError> {
        self.optional_number(argument)?
            .ok_or_else(|| self.missing(argument))
    }

    /// Reads a number, or nothing. Anything else is an error.
    fn optional_number(&mut self, argument: &'static str) -> Result<Option<u64>, RequestError> {
        let value = self.packet.value();
        let value = value.map_err(|error| self.no_value(error))?;
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
        rest.map_err(|error| self.no_value(error))
    }

    /// Reads the reason of a death. If no value can hold the reason, another takes its place, because monitors must
    /// fire.
    fn reason(&mut self) -> Result<Vec<Value>, RequestError> {
        match self.packet.rest() {
            Err(error) if !error.is_malformed() => {
                let text = format!("{}: the reason cannot be told: {error}", self.name);
                Ok(vec!["die".into(), text.into()])
            }
            rest => rest.map_err(RequestError::Malformed),
        }
    }

    fn no_value(&self, error: DecodeError) -> RequestError {
        if error.is_malformed() {
            return RequestError::Malformed(error);
        }
        RequestError::Value {
            request: self.name.to_string(),
            error,
        }
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
