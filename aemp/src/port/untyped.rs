//! Ports made of closures, whose handlers may be added and removed while they run.

use std::{borrow::Cow, collections::HashMap, fmt};

use aemp_codec::{EncodeError, PacketReader, PacketWriter, Value};

use super::handle::Handle;
use crate::{
    Cx, Reason,
    exec::pace::Record,
    message::{Args, Decoding, Encoding, Message, Outcome, Port, Undecoded, Unread},
    node::short,
};

/// A handler of untyped messages. It gets the arguments after the tag; a default handler gets the whole message.
pub(crate) type Handler = Box<dyn FnMut(&mut Cx<'_>, Args) -> Result<(), Reason> + Send>;

/// Makes a handler of a closure that returns `()` or a `Result`.
pub(crate) fn handler<O: Outcome>(
    mut handler: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
) -> Handler {
    Box::new(move |cx, args| handler(cx, args).outcome())
}

/// A port made of closures. Its messages are lists of values, tag first.
#[derive(Default)]
pub struct Untyped {
    /// The handler of all tags without a handler.
    default: Option<Handler>,
    tags: HashMap<String, Handler>,
    /// True if messages without a handler are ignored, as spawned ports do ([protocol](aemp_proto::protocol::packets#delivery-to-a-port)).
    lenient: bool,
}

/// A message of an untyped port. It is made from a list of values, tag first, for [`Handle::send`] and
/// [`Handle::try_send`].
pub struct UntypedMsg(pub(crate) Kind);

pub(crate) enum Kind {
    Message(Vec<Value>),
    Change(Vec<Change>),
}

/// A change of a port's handlers. `None` removes a handler.
pub(crate) struct Change {
    pub(crate) tag: Option<String>,
    pub(crate) handler: Option<Handler>,
}

/// Handlers of an untyped port by tag, for [`Node::rcv_all`](crate::Node::rcv_all), which sets them together.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use aemp::{Args, Cx, Handlers, Node};
///
/// let node = Node::local()?;
/// let door = node.empty_port();
/// let handlers = Handlers::new()
///     .rcv("open", |_: &mut Cx<'_>, _: Args| println!("squeak"))
///     .rcv("close", |_: &mut Cx<'_>, _: Args| println!("bang"))
///     .rcv_default(|_: &mut Cx<'_>, message: Args| println!("unknown: {message:?}"));
/// node.rcv_all(&door.id(), handlers)?;
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct Handlers(pub(crate) Vec<Change>);

impl Handlers {
    /// An empty set of handlers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of a tag. It gets the arguments after the tag.
    #[must_use]
    pub fn rcv<O: Outcome>(
        self,
        tag: impl Into<String>,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) -> Self {
        self.with(Some(tag.into()), handler(run))
    }

    /// Adds the default handler. It gets whole messages, tag first.
    #[must_use]
    pub fn rcv_default<O: Outcome>(
        self,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) -> Self {
        self.with(None, handler(run))
    }

    fn with(mut self, tag: Option<String>, handler: Handler) -> Self {
        let handler = Some(handler);
        self.0.push(Change { tag, handler });
        self
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|change| &change.tag))
            .finish()
    }
}

impl Untyped {
    pub(crate) fn new(default: Option<Handler>) -> Self {
        Self {
            default,
            ..Self::default()
        }
    }

    /// The port of handlers that an init function has set.
    pub(crate) fn spawned(changes: Vec<Change>) -> Self {
        let mut port = Self {
            lenient: true,
            ..Self::default()
        };
        for change in changes {
            port.change(change);
        }
        port
    }

    fn change(&mut self, Change { tag, handler }: Change) {
        match (tag, handler) {
            (None, default) => self.default = default,
            (Some(tag), Some(handler)) => {
                self.tags.insert(tag, handler);
            }
            (Some(tag), None) => {
                self.tags.remove(&tag);
            }
        }
    }

    fn take_changes(&mut self, cx: &mut Cx<'_>) {
        for change in cx.take_changes() {
            self.change(change);
        }
    }

    fn message(&mut self, cx: &mut Cx<'_>, mut message: Vec<Value>) -> Result<(), Reason> {
        let tag = message.first().and_then(Value::text).unwrap_or_default();
        let done = if let Some(handler) = self.tags.get_mut(&*tag) {
            drop(tag);
            message.remove(0);
            handler(cx, message)
        } else if let Some(handler) = &mut self.default {
            drop(tag);
            handler(cx, message)
        } else if self.lenient {
            Ok(())
        } else {
            Err(Reason::unhandled(&tag))
        };
        self.take_changes(cx);
        done
    }
}

impl Port for Untyped {
    type Msg = UntypedMsg;
    type Ref = Handle<UntypedMsg>;

    fn record() -> &'static Record {
        static RECORD: Record = Record::new();
        &RECORD
    }

    fn handle(&mut self, cx: &mut Cx<'_>, message: UntypedMsg) -> Result<(), Reason> {
        match message.0 {
            Kind::Message(message) => self.message(cx, message),
            Kind::Change(changes) => {
                changes.into_iter().for_each(|change| self.change(change));
                Ok(())
            }
        }
    }

    fn changed(&mut self, cx: &mut Cx<'_>) {
        self.take_changes(cx);
    }
}

impl From<Vec<Value>> for UntypedMsg {
    fn from(message: Vec<Value>) -> Self {
        Self(Kind::Message(message))
    }
}

impl Message for UntypedMsg {
    const USES_ORIGIN: bool = true;
    const HANDLERS: &'static [&'static str] = &["(untyped)"];

    fn shown_tag(&self) -> Option<Cow<'_, str>> {
        let Kind::Message(message) = &self.0 else {
            return None;
        };
        let tag = message.first().and_then(Value::text).unwrap_or_default();
        // The tag is a text of the sender, of any length.
        Some(match short(&tag).len() {
            length if length < tag.len() => tag[..length].to_owned().into(),
            _ => tag,
        })
    }

    fn decode(
        tag: &str,
        args: &mut PacketReader<'_>,
        _cx: &Decoding<'_>,
    ) -> Result<Self, Undecoded> {
        let mut message = args.rest().map_err(Undecoded::Malformed)?;
        message.insert(0, tag.into());
        Ok(Self(Kind::Message(message)))
    }

    fn read(message: &mut PacketReader<'_>, _cx: &Decoding<'_>) -> Result<Self, Box<Unread>> {
        // A tag that is a number stays a number, because the message may be an answer.
        match message.rest() {
            Ok(message) => Ok(Self(Kind::Message(message))),
            Err(error) => Err(Box::new(
                match Undecoded::Malformed(error).into_reason("message") {
                    Ok(reason) => Unread::Dies(reason),
                    Err(error) => Unread::Malformed(error),
                },
            )),
        }
    }

    fn encode(self, out: &mut PacketWriter<'_>, _cx: &mut Encoding<'_>) -> Result<(), EncodeError> {
        if let Kind::Message(message) = self.0 {
            for value in &message {
                out.value(value)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Untyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Untyped")
            .field("default", &self.default.is_some())
            .field("tags", &self.tags.keys())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UntypedMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Message(message) => f.debug_tuple("UntypedMsg").field(message).finish(),
            Kind::Change(changes) => {
                let tags = changes.iter().map(|change| &change.tag);
                f.write_str("UntypedMsg(rcv ")?;
                f.debug_list().entries(tags).finish()?;
                f.write_str(")")
            }
        }
    }
}
