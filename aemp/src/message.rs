//! The trait `Message`: the generated message enum of a port, and its conversion to and from packets.
//!
//! `#[port]` makes a message enum (one variant for each handler), a handle, and the `Port` impl that dispatches the
//! enum to the methods. Messages of all origins become this enum:
//!
//! - typed and local: the enum value moves into the queue;
//! - from the wire: the reader finds port name and tag, and `Message::decode` reads the arguments straight from the
//!   packet's bytes;
//! - typed and remote: `Message::encode` writes the arguments into a buffer of the thread, whose bytes are appended to
//!   the peer's;
//! - untyped (`snd!`, relays): `Message::decode` reads a `Vec<Value>`.

use std::{any::Any, borrow::Cow, fmt};

use aemp_codec::{DecodeError, EncodeError, NodeId, PacketReader, PacketWriter, PortId, Value};

use crate::{Cx, Node, Reason, exec::pace::Record, node::names, port::LocalReply};

/// The messages of a port: an enum with one variant a handler, made by `#[port]` or `#[protocol]`.
///
/// Implementing this by hand is possible, but there is no need to.
pub trait Message: Sized + Send + 'static {
    /// True if any handler asks which node a message came from.
    const USES_ORIGIN: bool = false;

    /// True if the port dies of messages that it does not know, and of calls that it does not understand
    /// (`#[port(strict)]`).
    const STRICT: bool = false;

    /// The names of the handlers, for people.
    const HANDLERS: &'static [&'static str] = &[];

    /// Which handler takes the message: a place in [`HANDLERS`](Self::HANDLERS).
    fn handler(&self) -> u32 {
        0
    }

    /// Reads a message whose tag is `tag` and whose arguments come next in `args`.
    ///
    /// # Errors
    ///
    /// When no handler takes the tag, or the arguments are not what it takes.
    fn decode(tag: &str, args: &mut PacketReader<'_>, cx: &Decoding<'_>)
    -> Result<Self, Undecoded>;

    /// Reads a whole message, tag first.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode): what becomes of the message, or the connection's error.
    #[doc(hidden)]
    fn read(message: &mut PacketReader<'_>, cx: &Decoding<'_>) -> Result<Self, Box<Unread>> {
        let tag = match message.text() {
            Ok(tag) => tag.unwrap_or_default(),
            Err(error) => bad_tag(error)?,
        };
        match Self::decode(&tag, message, cx) {
            Ok(message) => Ok(message),
            Err(undecoded) => Err(undecoded.into_unread(&tag, Self::STRICT, message)),
        }
    }

    /// Writes tag and arguments.
    ///
    /// # Errors
    ///
    /// When an argument cannot be put on the wire, such as a float that is not a number.
    fn encode(self, out: &mut PacketWriter<'_>, cx: &mut Encoding<'_>) -> Result<(), EncodeError>;
}

/// Why a message could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Undecoded {
    /// No handler takes this tag.
    Unhandled,
    /// A handler takes the tag, but not these arguments; the text says which one and why.
    Arguments(String),
    /// A handler takes the tag, but not so many arguments: a newer sender has more to say.
    Surplus(String),
    /// A call that is not understood, in words for the caller.
    Refused {
        /// Where the caller waits.
        to: PortId,
        /// The text for the caller.
        text: String,
    },
    /// The packet itself cannot be read: the connection's fault if it is malformed, and the message's if it only says what nothing
    /// can hold.
    Malformed(DecodeError),
}

impl Undecoded {
    /// An error that argument number `position` (from 1) of the handler for `tag` has caused.
    #[must_use]
    pub fn argument(tag: &str, position: usize, name: &str, error: DecodeError) -> Self {
        if error.is_malformed() {
            return Self::Malformed(error);
        }
        let error = error.to_string();
        // The codec's count is that of the packet; this one is that of the handler.
        let problem = match error.split_once(": ") {
            Some((place, problem)) if place.starts_with("argument ") => problem,
            _ => &error,
        };
        Self::Arguments(format!("{tag}: argument {position} (`{name}`): {problem}"))
    }

    /// More arguments than the handler takes.
    #[must_use]
    pub fn too_many(tag: &str, expected: usize, got: usize) -> Self {
        let s = if expected == 1 { "" } else { "s" };
        Self::Surplus(format!("{tag}: takes {expected} argument{s}, got {got}"))
    }

    /// The text for the log.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Arguments(text) | Self::Surplus(text) | Self::Refused { text, .. } => text,
            Self::Unhandled => String::new(),
            Self::Malformed(error) => error.to_string(),
        }
    }

    /// Either the reason that the port dies with, or the connection's error.
    pub(crate) fn into_reason(self, tag: &str) -> Result<Reason, DecodeError> {
        match self {
            Self::Unhandled => Ok(Reason::unhandled(tag)),
            Self::Arguments(text) | Self::Surplus(text) | Self::Refused { text, .. } => {
                Ok(Reason::die(text))
            }
            Self::Malformed(error) if error.is_malformed() => Err(error),
            Self::Malformed(error) => Ok(Reason::die(format_args!("{tag}: {error}"))),
        }
    }

    /// The fate of the message. `rest` contains its unread elements.
    #[cold]
    fn into_unread(self, tag: &str, strict: bool, rest: &mut PacketReader<'_>) -> Box<Unread> {
        let unread = self.unread(tag, strict, rest);
        Box::new(unread.unwrap_or_else(Unread::Malformed))
    }

    fn unread(
        self,
        tag: &str,
        strict: bool,
        rest: &mut PacketReader<'_>,
    ) -> Result<Unread, DecodeError> {
        match self {
            undecoded if strict => undecoded.into_reason(tag).map(Unread::Dies),
            Self::Refused { to, text } => Ok(Unread::Refused { to, text }),
            Self::Surplus(text) => Ok(Unread::Dropped(text)),
            Self::Unhandled => {
                let text = Reason::unhandled(tag)
                    .get(1)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let caller = last_port(rest)?.filter(names::is_reply_port);
                Ok(match caller {
                    Some(to) => Unread::Refused { to, text },
                    None => Unread::Dropped(text),
                })
            }
            undecoded => undecoded.into_reason(tag).map(Unread::Dies),
        }
    }

    /// As it is, or refused if there is a caller, whose port is what comes last.
    pub(crate) fn or_refused(self, rest: &mut PacketReader<'_>) -> Self {
        let text = match self {
            Self::Arguments(text) | Self::Surplus(text) => text,
            other => return other,
        };
        match last_port(rest) {
            Ok(Some(to)) => Self::Refused { to, text },
            Ok(None) => Self::Arguments(text),
            Err(error) => Self::Malformed(error),
        }
    }
}

/// The last of the elements that are left, if it is a port.
fn last_port(rest: &mut PacketReader<'_>) -> Result<Option<PortId>, DecodeError> {
    let mut last = None;
    loop {
        match rest.value() {
            Ok(Some(value)) => last = Some(value),
            Ok(None) => break,
            Err(error) if error.is_malformed() => return Err(error),
            Err(_) => last = None,
        }
    }
    let port = last.as_ref().and_then(Value::as_str);
    let port = port.filter(|text| text.contains('#'));
    Ok(port.and_then(|text| PortId::parse(text).ok()))
}

/// The tag of a message whose tag cannot be read.
#[cold]
fn bad_tag(error: DecodeError) -> Result<Cow<'static, str>, Box<Unread>> {
    if error.is_malformed() {
        return Err(Box::new(Unread::Malformed(error)));
    }
    if error.is_not_unicode() {
        let reason = Reason::die(format_args!("tag: {error}"));
        return Err(Box::new(Unread::Dies(reason)));
    }
    // Perl would look for a handler of `ARRAY(0x...)`: there is none either.
    Ok("(a structure)".into())
}

/// The fate of a message that could not be read.
#[doc(hidden)]
#[derive(Debug)]
pub enum Unread {
    /// The packet breaks the rules of its format, which is the connection's fault.
    Malformed(DecodeError),
    /// The port dies of it.
    Dies(Reason),
    /// It is logged.
    Dropped(String),
    /// Its caller is told.
    Refused {
        /// Where the caller waits.
        to: PortId,
        /// The text for the caller.
        text: String,
    },
}

/// The context of decoding a message.
#[derive(Debug)]
pub struct Decoding<'a> {
    pub(crate) node: &'a Node,
    /// The number of the port that the message is for.
    pub(crate) port: u64,
}

impl Decoding<'_> {
    /// The node that receives the message.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.node
    }
}

/// The context of encoding a message, and its result: the reply port of a call.
#[derive(Debug)]
pub struct Encoding<'a> {
    pub(crate) node: &'a Node,
    pub(crate) reply: Option<LocalReply>,
    /// True if the receiver is of this project, and so knows where a reply port is if arguments were left out.
    pub(crate) is_ours: bool,
}

impl<'a> Encoding<'a> {
    pub(crate) fn new(node: &'a Node, is_ours: bool) -> Self {
        Self {
            node,
            reply: None,
            is_ours,
        }
    }
}

/// The rest of a message's arguments, or all of an untyped message behind its tag.
pub type Args = Vec<Value>;

/// How a handler ends: nothing, or an error, which kills the port with `die, TEXT`, or with itself if it is a [`Reason`].
///
/// Untyped handlers and closures may return `()` or a `Result`.
pub trait Outcome {
    /// The reason to die with, if any.
    ///
    /// # Errors
    ///
    /// The reason, if the handler failed.
    fn outcome(self) -> Result<(), Reason>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), Reason> {
        Ok(())
    }
}

/// The way to name the type of code that never returns: `panic!()`, `loop {}`.
#[doc(hidden)]
pub trait Returns {
    #[doc(hidden)]
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

type Never = <fn() -> ! as Returns>::Output;

impl Outcome for Never {
    fn outcome(self) -> Result<(), Reason> {
        self
    }
}

impl<E: fmt::Display + 'static> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), Reason> {
        self.map_err(failure)
    }
}

/// The reason of what has failed with this error: itself, if it is one.
pub(crate) fn failure<E: fmt::Display + 'static>(error: E) -> Reason {
    let mut error = Some(error);
    // The type decides, so the compiler does.
    let reason = (&mut error as &mut dyn Any).downcast_mut::<Option<Reason>>();
    match reason.and_then(Option::take) {
        Some(reason) => reason,
        None => error.map_or_else(Reason::normal, Reason::die),
    }
}

/// A state that can be a port: made by `#[port]` on its `impl` block.
///
/// A port lives until it is killed, it fails, or its node stops.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a port",
    label = "no handlers are known for this type",
    note = "put `#[aemp::port]` on an `impl` block of it"
)]
pub trait Port: Sized + Send + 'static {
    /// The messages of its handlers.
    type Msg: Message;
    /// The typed handle that others talk to it through.
    type Ref: PortRef<Msg = Self::Msg>;
    /// True if its handlers block their thread, so that it runs on threads that are made for that: `#[port(blocking)]`.
    const BLOCKING: bool = false;

    /// The measurements of its handlers.
    #[doc(hidden)]
    fn record() -> &'static Record {
        // Those that are written by hand have one together.
        static RECORD: Record = Record::new();
        &RECORD
    }

    /// Handles one message.
    ///
    /// # Errors
    ///
    /// The reason to die with.
    fn handle(&mut self, cx: &mut Cx<'_>, message: Self::Msg) -> Result<(), Reason>;

    /// Takes over the handlers that code in the port's context, which is no handler itself, has set.
    #[doc(hidden)]
    fn changed(&mut self, _cx: &mut Cx<'_>) {}

    /// True if the message's handler is an `async fn`.
    fn waits(_message: &Self::Msg) -> bool {
        false
    }

    /// Handles one message whose handler may wait.
    fn handle_async<'a>(
        &'a mut self,
        cx: &'a mut Cx<'_>,
        message: Self::Msg,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a {
        async move { self.handle(cx, message) }
    }
}

/// A typed handle, generated beside the message enum: a [`Handle`](crate::Handle) with a method for each handler.
pub trait PortRef: Clone + From<crate::Handle<Self::Msg>> + Send + Sync + 'static {
    /// The messages of the port.
    type Msg: Message;

    /// The handle below.
    fn handle(&self) -> &crate::Handle<Self::Msg>;
}

/// An argument that never leaves the process: a channel's sender, a guard, anything that cannot be written down.
///
/// Sent to a port of another node, it is an error of that send; a message that comes from one cannot contain it.
///
/// ```
/// use aemp::{Local, Node, port};
/// use tokio::sync::oneshot;
///
/// struct Clerk;
///
/// #[port]
/// impl Clerk {
///     #[rcv]
///     fn ring(&mut self, done: Local<oneshot::Sender<String>>) {
///         let _ = done.0.send("at your service".into());
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clerk = Node::local()?.port(Clerk);
/// let (done, answer) = oneshot::channel();
/// clerk.ring(Local(done));
/// assert_eq!(answer.await?, "at your service");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Local<T>(pub T);

impl<T> serde::Serialize for Local<T> {
    /// Always an error.
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(
            "a `Local` value cannot leave its process",
        ))
    }
}

impl<'de, T> serde::Deserialize<'de> for Local<T> {
    /// Always an error.
    fn deserialize<D: serde::Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "a `Local` value cannot come from outside",
        ))
    }
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A port or program of this node.
    Local,
    /// The node at the other end of a connection.
    Node(NodeId),
}
