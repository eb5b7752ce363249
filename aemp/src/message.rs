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

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    future::{Future, ready},
    time::Duration,
};

use aemp_codec::{DecodeError, EncodeError, NodeId, PacketReader, PacketWriter, PortId, Value};

use crate::{Cx, Node, Reason, exec::pace::Record, node::names, port::LocalReply};

/// The messages of a port: an enum with one variant for each handler, made by `#[port]` or `#[protocol]`.
///
/// A hand-written implementation is possible. Items that are added later have defaults.
pub trait Message: Sized + Send + 'static {
    /// True if a handler asks for the origin of its message.
    const USES_ORIGIN: bool = false;

    /// True if the port dies of messages that it does not know, and of calls that it does not understand
    /// (`#[port(strict)]`).
    const STRICT: bool = false;

    /// The names of the handlers, for people.
    const HANDLERS: &'static [&'static str] = &[];

    /// The number of the message's handler: its place in [`HANDLERS`](Self::HANDLERS).
    fn handler(&self) -> u32 {
        0
    }

    /// The tag for a trace: mostly the name of the handler. `None` if it is no message of a program.
    #[doc(hidden)]
    fn shown_tag(&self) -> Option<Cow<'_, str>> {
        let name = Self::HANDLERS.get(self.handler() as usize);
        Some(name.copied().unwrap_or("(message)").into())
    }

    /// Reads the arguments of a message with the tag `tag`.
    ///
    /// # Errors
    ///
    /// If no handler has the tag, or the arguments do not fit.
    fn decode(tag: &str, args: &mut PacketReader<'_>, cx: &Decoding<'_>)
    -> Result<Self, Undecoded>;

    /// Reads a whole message, tag first.
    ///
    /// # Errors
    ///
    /// The fate of a message that cannot be read, as [`decode`](Self::decode) decides it.
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
    /// If an argument cannot be put on the wire, such as a float that is not a number.
    fn encode(self, out: &mut PacketWriter<'_>, cx: &mut Encoding<'_>) -> Result<(), EncodeError>;
}

/// The reason why a message could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Undecoded {
    /// No handler has this tag.
    Unhandled,
    /// A handler has the tag, but does not accept these arguments. The text names the argument and the problem.
    Arguments(String),
    /// A handler has the tag, but takes fewer arguments. The sender may be of a newer version.
    Surplus(String),
    /// The port does not understand a call.
    Refused {
        /// The caller's reply port.
        to: PortId,
        /// The text for the caller.
        text: String,
    },
    /// The packet cannot be read. A malformed packet is the fault of the connection. A value that no type can hold is
    /// the fault of the message.
    Malformed(DecodeError),
}

impl Undecoded {
    /// The error of argument number `position` (counted from 1) of the handler for `tag`.
    #[must_use]
    pub fn argument(tag: &str, position: usize, name: &str, error: DecodeError) -> Self {
        if error.is_malformed() {
            return Self::Malformed(error);
        }
        let error = error.to_string();
        // The codec counts the arguments of the packet, and `position` those of the handler.
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

    /// The reason of the port's death, or the connection's error.
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

    /// Refused if there is a caller, whose reply port is the last element. Otherwise the error itself.
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

/// The last of the remaining elements, if it is a port.
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
    // Perl would look for a handler of `ARRAY(0x...)`, and find none either.
    Ok("(a structure)".into())
}

/// The fate of a message that could not be read.
#[doc(hidden)]
#[derive(Debug)]
pub enum Unread {
    /// The packet breaks the rules of its format, which is the connection's fault.
    Malformed(DecodeError),
    /// The port dies with this reason.
    Dies(Reason),
    /// The message is dropped and logged with this text.
    Dropped(String),
    /// The caller gets an error.
    Refused {
        /// The caller's reply port.
        to: PortId,
        /// The text for the caller.
        text: String,
    },
}

/// The context of decoding a message.
#[derive(Debug)]
pub struct Decoding<'a> {
    pub(crate) node: &'a Node,
    /// The number of the receiving port.
    pub(crate) port: u64,
}

impl Decoding<'_> {
    /// The node that receives the message.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.node
    }
}

/// The context of encoding a message. Encoding a call stores its reply port here.
#[derive(Debug)]
pub struct Encoding<'a> {
    pub(crate) node: &'a Node,
    pub(crate) reply: Option<LocalReply>,
    /// True if the receiver is a node of this project, which finds the reply port even if arguments were left out.
    pub(crate) is_ours: bool,
    /// True if the receiver reads the time limits of calls.
    pub(crate) deadlines: bool,
}

impl<'a> Encoding<'a> {
    pub(crate) fn new(node: &'a Node, is_ours: bool, deadlines: bool) -> Self {
        Self {
            node,
            reply: None,
            is_ours,
            deadlines,
        }
    }
}

/// The rest of a message's arguments, or all elements of an untyped message behind its tag.
pub type Args = Vec<Value>;

/// The return type of untyped handlers and closures: `()`, or a `Result` whose error kills the port.
///
/// The reason is `die, TEXT`, or the error itself if it is a [`Reason`].
///
/// The trait is sealed: other crates cannot implement it.
pub trait Outcome: sealed::Outcome {
    /// The reason to die with, if any.
    ///
    /// # Errors
    ///
    /// The reason, if the handler failed.
    fn outcome(self) -> Result<(), Reason>;
}

mod sealed {
    /// The types that implement [`Outcome`](super::Outcome).
    #[expect(unnameable_types, reason = "seals the trait")]
    pub trait Outcome {}

    impl Outcome for () {}
    impl Outcome for super::Never {}
    impl<E: std::fmt::Display + 'static> Outcome for Result<(), E> {}
}

impl Outcome for () {
    fn outcome(self) -> Result<(), Reason> {
        Ok(())
    }
}

/// Names the type of code that never returns: `panic!()`, `loop {}`.
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

/// The reason of a failure with this error. A [`Reason`] is kept.
pub(crate) fn failure<E: fmt::Display + 'static>(error: E) -> Reason {
    let mut error = Some(error);
    // The type decides, so the compiler removes the other branch.
    let reason = (&mut error as &mut dyn Any).downcast_mut::<Option<Reason>>();
    match reason.and_then(Option::take) {
        Some(reason) => reason,
        None => error.map_or_else(Reason::normal, Reason::die),
    }
}

/// A state that can be a port: made by `#[port]` on its `impl` block.
///
/// A port lives until it is killed, it fails, or its node stops.
///
/// A hand-written implementation is possible, such as one that wraps another port. Items that are added later have
/// defaults.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a port",
    label = "no handlers are known for this type",
    note = "put `#[aemp::port]` on an `impl` block of it"
)]
pub trait Port: Sized + Send + 'static {
    /// The messages of its handlers.
    type Msg: Message;
    /// The typed handle of the port.
    type Ref: PortRef<Msg = Self::Msg>;
    /// True if its handlers block their thread, so it runs on threads for blocking code: `#[port(blocking)]`.
    const BLOCKING: bool = false;
    /// True if it ends when there is no handle of it in this process: `#[port(owned)]`.
    #[doc(hidden)]
    const OWNED: bool = false;
    /// True if it has a `#[start]` method.
    #[doc(hidden)]
    const STARTS: bool = false;
    /// True if it has urgent messages: `#[rcv(urgent)]`.
    #[doc(hidden)]
    const URGENT: bool = false;
    /// The time limit of its `#[stop]` method, if it has one.
    #[doc(hidden)]
    const STOPS: Option<Duration> = None;

    /// The measurements of its handlers.
    #[doc(hidden)]
    fn record() -> &'static Record {
        // Ports that are written by hand share one.
        static RECORD: Record = Record::shared();
        &RECORD
    }

    /// Handles one message.
    ///
    /// # Errors
    ///
    /// The reason of the port's death.
    fn handle(&mut self, cx: &mut Cx<'_>, message: Self::Msg) -> Result<(), Reason>;

    /// Runs before the first message, if [`STARTS`](Self::STARTS).
    #[doc(hidden)]
    fn starting<'a>(
        &'a mut self,
        _cx: &'a mut Cx<'_>,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a {
        ready(Ok(()))
    }

    /// Runs when the port ends, if [`STOPS`](Self::STOPS).
    #[doc(hidden)]
    fn stopping<'a>(
        &'a mut self,
        _cx: &'a mut Cx<'_>,
        _reason: &'a Reason,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a {
        ready(Ok(()))
    }

    /// Takes over handlers that a closure in the port's context has set.
    #[doc(hidden)]
    fn changed(&mut self, _cx: &mut Cx<'_>) {}

    /// True if the message's handler is an `async fn`.
    fn waits(_message: &Self::Msg) -> bool {
        false
    }

    /// True if a call of this handler is answered by the handler's result, and by nothing else. No other message is
    /// handled before it returns.
    #[doc(hidden)]
    fn returns(_handler: u32) -> bool {
        false
    }

    /// True if the messages of this handler are urgent.
    #[doc(hidden)]
    fn is_urgent(_handler: u32) -> bool {
        false
    }

    /// True if messages with this tag are urgent.
    #[doc(hidden)]
    fn is_urgent_tag(_tag: &str) -> bool {
        false
    }

    /// Handles one message with an async handler.
    fn handle_async<'a>(
        &'a mut self,
        cx: &'a mut Cx<'_>,
        message: Self::Msg,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a {
        async move { self.handle(cx, message) }
    }
}

/// A typed handle, generated beside the message enum: a [`Handle`](crate::Handle) with a method for each handler.
/// [`Handle`](crate::Handle) itself is one as well.
pub trait PortRef: Clone + From<crate::Handle<Self::Msg>> + Send + Sync + 'static {
    /// The messages of the port.
    type Msg: Message;

    /// The handle inside.
    fn handle(&self) -> &crate::Handle<Self::Msg>;
}

/// An argument that never leaves the process: the sender of a channel, a guard, anything that cannot be serialised.
///
/// Sending it to a port of another node is an error of that send, and a message of another node cannot contain it.
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

/// The origin of a message. The enum is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A port or program of this node.
    Local,
    /// The node at the other end of a connection.
    Node(NodeId),
}
