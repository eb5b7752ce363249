//! The names for generated code, and for nothing else. Semantic versioning does not cover them.

#[path = "private/bounds.rs"]
mod bounds;

pub use aemp_codec::{DecodeError, EncodeError, PacketReader, PacketWriter, PortId, Value};
pub use inventory;
pub use serde;
use serde::Serialize;

pub use self::bounds::{
    Answer, Argument, Copied, Failure, Fallible, NoAnswer, Travels, ended, spawned, stays_here,
    tried,
};
use crate::node::names;
pub use crate::{
    Args, Call, Cx, Decoding, Encoding, Handle, InitFn, InitOutcome, Message, Monitor, Node,
    Origin, Outcome, Port, PortRef, Reason, Reply, Sent, Spawning, Undecoded,
    node::spawn::InitFuture,
};
pub use crate::{
    exec::pace::Record,
    message::{Returns, Unread},
    port::{
        Answering, UntypedMsg,
        bound::concurrent::{Beside, Done, concurrent, concurrent_wanted},
        wanted::wanted,
    },
    process::{
        Inbox,
        pattern::{Element, Fields, inbox, receive, receive_within},
    },
};
pub use aemp_macros::receive as receive_arms;

/// Calls a port. `message` puts the reply into the message, and nowhere else.
pub fn ask<M: Message, T: Send + 'static>(
    port: &Handle<M>,
    message: impl FnOnce(Reply<T>) -> M,
) -> Call<M, T> {
    port.call(message).whole()
}

/// The context for a handler that answers by its result, and can see its caller.
pub fn answering<'c, 'a, T: Send>(cx: &'c mut Cx<'a>, reply: &'c Reply<T>) -> Answering<'c, 'a> {
    Answering::new(cx, reply)
}

/// Checks that a message has no arguments besides the `expected` ones, which have been read. Nulls do not count,
/// because they are optional arguments that were not given.
pub fn end<M: Message>(
    tag: &str,
    expected: usize,
    args: &mut PacketReader<'_>,
) -> Result<(), Undecoded> {
    match arity(args)? {
        0 => Ok(()),
        more if M::STRICT || !all_null(&rest(args)?) => {
            Err(Undecoded::too_many(tag, expected, expected + more))
        }
        _ => Ok(()),
    }
}

fn rest(args: &mut PacketReader<'_>) -> Result<Vec<Value>, Undecoded> {
    args.rest().map_err(Undecoded::Malformed)
}

fn all_null(values: &[Value]) -> bool {
    values.iter().all(|value| matches!(value, Value::Null))
}

/// The number of remaining arguments.
fn arity(args: &mut PacketReader<'_>) -> Result<usize, Undecoded> {
    args.remaining().map_err(Undecoded::Malformed)
}

/// The result of [`call`].
#[derive(Debug)]
pub struct Called<'a> {
    /// The arguments to read instead of those of the packet.
    pub filled: Option<PacketReader<'a>>,
    /// The number of elements beyond the arguments. One is the reply port.
    pub more: usize,
}

/// Examines the arguments of a handler that answers: `required` ones, and then `options` optional ones. A caller may
/// have left out the last of those, with the reply port as the last element. The missing ones are then filled up with
/// nulls.
pub fn call<M: Message>(
    tag: &str,
    required: usize,
    options: usize,
    args: &mut PacketReader<'_>,
) -> Result<Called<'static>, Undecoded> {
    let (given, all) = (arity(args)?, required + options);
    if given == 0 || given > all {
        let more = given.saturating_sub(all);
        return Ok(Called { filled: None, more });
    }
    let mut values = rest(args)?;
    let mut more = 0;
    if values.len() > required
        && let Some(port) = values.pop_if(|last| is_port(last))
    {
        values.resize(all, Value::Null);
        values.push(port);
        more = 1;
    } else if !M::STRICT
        && let Some(to) = values.last().and_then(reply_port)
    {
        let s = if required == 1 { "" } else { "s" };
        let text = format!("{tag}: takes {required} argument{s}, got {}", given - 1);
        return Err(Undecoded::Refused { to, text });
    }
    let filled = Some(PacketReader::values(values));
    Ok(Called { filled, more })
}

/// The error of an argument of a handler that answers.
pub fn argument<M: Message>(
    tag: &str,
    position: usize,
    name: &str,
    error: DecodeError,
    args: &mut PacketReader<'_>,
) -> Undecoded {
    let undecoded = Undecoded::argument(tag, position, name, error);
    if M::STRICT {
        return undecoded;
    }
    undecoded.or_refused(args)
}

fn reply<M: Message, T: Serialize>(
    tag: &str,
    expected: usize,
    called: usize,
    cx: &Decoding<'_>,
    args: &mut PacketReader<'_>,
) -> Result<Reply<T>, Undecoded> {
    match called {
        0 => Ok(Reply::none()),
        1 => reply_to(tag, expected, cx, args),
        more => {
            let mut values = rest(args)?;
            let to = values.pop_if(|last| is_port(last));
            let to = to.and_then(|to| PortId::parse(to.as_str()?).ok());
            let is_surplus = M::STRICT || !all_null(&values);
            let too_many = || Undecoded::too_many(tag, expected, expected + more - 1);
            match to {
                Some(to) if !is_surplus => Ok(Reply::to_port(cx, to)),
                Some(to) if !M::STRICT => Err(Undecoded::Refused {
                    to,
                    text: too_many().text(),
                }),
                None if !is_surplus => Ok(Reply::none()),
                _ => Err(Undecoded::too_many(tag, expected + 1, expected + more)),
            }
        }
    }
}

fn reply_to<T: Serialize>(
    tag: &str,
    expected: usize,
    cx: &Decoding<'_>,
    args: &mut PacketReader<'_>,
) -> Result<Reply<T>, Undecoded> {
    let to = args
        .text()
        .map_err(|error| Undecoded::argument(tag, expected + 1, "reply port", error))?;
    // A null is an optional argument of a newer version that was not given.
    let Some(to) = to.filter(|to| !to.is_empty()) else {
        return Ok(Reply::none());
    };
    let to = PortId::parse(&to).map_err(|error| {
        Undecoded::Arguments(format!(
            "{tag}: argument {} (`reply port`): {error}",
            expected + 1
        ))
    })?;
    Ok(Reply::to_port(cx, to))
}

/// The number of a message's optional arguments at the end that are written. Missing ones at the end are left out. In
/// a call, where the reply port follows, they are left out only for a receiver of this project: others find the reply
/// port by its place.
pub fn given<const N: usize>(is_some: [bool; N], call: Option<&Encoding<'_>>) -> usize {
    if call.is_some_and(|cx| !cx.is_ours) {
        return N;
    }
    is_some
        .iter()
        .rposition(|given| *given)
        .map_or(0, |last| last + 1)
}

/// Ends the call of a reply when the port dies, even if the reply has moved elsewhere.
pub fn hold<T: Send + 'static>(cx: &Cx<'_>, reply: &Reply<T>) {
    cx.hold(reply);
}

/// The origin of a message. Its type demands one.
pub fn origin(cx: &Cx<'_>) -> Result<Origin, Reason> {
    cx.origin()
        .ok_or_else(|| Reason::die("the message came without its origin"))
}

/// The reason that `Port::handle` returns for a message of an `async fn`, which only `handle_async` can handle.
pub fn not_async(tag: &str) -> Reason {
    Reason::die(format_args!(
        "{tag}: its handler waits, and was not awaited"
    ))
}

fn is_port(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('#'))
}

/// The reply port of a caller of this project, if the value is one.
fn reply_port(value: &Value) -> Option<PortId> {
    let to = PortId::parse(value.as_str().filter(|_| is_port(value))?).ok()?;
    names::is_reply_port(&to).then_some(to)
}

fn rest_and_reply<T: Serialize>(
    cx: &Decoding<'_>,
    args: &mut PacketReader<'_>,
) -> Result<(Args, Reply<T>), Undecoded> {
    let mut values = rest(args)?;
    let port = values.pop_if(|last| is_port(last));
    let port = port.and_then(|port| PortId::parse(port.as_str()?).ok());
    let reply = port.map_or_else(Reply::none, |port| Reply::to_port(cx, port));
    Ok((values, reply))
}

/// A destination of `snd!` and `cal!`: a port ID or a typed handle.
pub trait ToPortId {
    /// The ID.
    fn to_port_id(&self) -> PortId;
}

impl ToPortId for PortId {
    fn to_port_id(&self) -> PortId {
        self.clone()
    }
}

impl<R: PortRef> ToPortId for R {
    fn to_port_id(&self) -> PortId {
        self.handle().id()
    }
}

/// The list that `msg!` makes. It is a function, so that an empty list has a type.
pub fn values<const N: usize>(values: [Value; N]) -> Vec<Value> {
    values.into()
}

/// The node of the first argument of `snd!` and `cal!`.
pub fn node(node: &impl AsRef<Node>) -> &Node {
    node.as_ref()
}
