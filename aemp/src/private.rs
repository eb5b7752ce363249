//! What generated code names, and nothing else does. No part of this is covered by semantic versioning.

use std::fmt;

pub use aemp_codec::{DecodeError, EncodeError, PacketReader, PacketWriter, PortId, Value};
pub use inventory;
pub use serde;
use serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    Args, Call, Cx, Decoding, Encoding, Handle, InitFn, InitOutcome, Message, Monitor, Node,
    Origin, Outcome, Port, PortRef, Reason, Reply, Sent, Spawning, Undecoded,
    node::spawn::InitFuture,
};
pub use crate::{exec::pace::Record, message::Unread};
use crate::{message, node::names};

/// An argument of a message.
///
/// Generated code asks for this, and not for what it consists of, so that an error says what to do about it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a message",
    label = "an argument travels, so its type needs `serde::Serialize` and `serde::Deserialize`",
    note = "if the type is yours, derive them: `#[derive(serde::Serialize, serde::Deserialize)]`",
    note = "a channel, a guard or the handle of a local port stays in this process: wrap it in `aemp::Local<..>`, \
            or make the port one of this process with `#[port(local)]`"
)]
pub trait Argument: Sized {
    /// Reads the next argument of a message.
    fn read(args: &mut PacketReader<'_>) -> Result<Self, DecodeError>;

    /// Writes it.
    fn write(&self, out: &mut PacketWriter<'_>) -> Result<(), EncodeError>;

    /// Reads an argument of an init function.
    fn spawned(spawning: &mut Spawning<'_>, place: usize, name: &str) -> Result<Self, Undecoded>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument for T {
    #[inline]
    fn read(args: &mut PacketReader<'_>) -> Result<Self, DecodeError> {
        args.required()
    }

    #[inline]
    fn write(&self, out: &mut PacketWriter<'_>) -> Result<(), EncodeError> {
        out.arg(self)
    }

    #[inline]
    fn spawned(spawning: &mut Spawning<'_>, place: usize, name: &str) -> Result<Self, Undecoded> {
        spawning.arg(place, name)
    }
}

/// An answer of a call, as [`Argument`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer of a call",
    label = "what is returned travels to the caller, so its type needs `serde::Serialize` and `serde::Deserialize`",
    note = "if an error is to kill the port instead of being the answer, write `#[rcv(try)]`, \
            and `#[rcv(try, send)]` if there is no answer either",
    note = "if the type is yours, derive them: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Answer: Sized {
    /// Reads the reply port behind the `expected` arguments that have been read, if there is one. It is what comes last.
    fn read_reply<M: Message>(
        tag: &str,
        expected: usize,
        called: usize,
        cx: &Decoding<'_>,
        args: &mut PacketReader<'_>,
    ) -> Result<Reply<Self>, Undecoded>;

    /// All further arguments of a handler that answers, and the reply port if the last of them is one.
    fn read_rest(
        cx: &Decoding<'_>,
        args: &mut PacketReader<'_>,
    ) -> Result<(Args, Reply<Self>), Undecoded>;

    /// For a message that leaves the node: the port that the answer will come to, if one is wanted.
    fn reply_port(reply: Reply<Self>, cx: &mut Encoding<'_>) -> Option<PortId>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Answer for T {
    #[inline]
    fn read_reply<M: Message>(
        tag: &str,
        expected: usize,
        called: usize,
        cx: &Decoding<'_>,
        args: &mut PacketReader<'_>,
    ) -> Result<Reply<Self>, Undecoded> {
        reply::<M, Self>(tag, expected, called, cx, args)
    }

    #[inline]
    fn read_rest(
        cx: &Decoding<'_>,
        args: &mut PacketReader<'_>,
    ) -> Result<(Args, Reply<Self>), Undecoded> {
        rest_and_reply(cx, args)
    }

    #[inline]
    fn reply_port(reply: Reply<Self>, cx: &mut Encoding<'_>) -> Option<PortId> {
        reply.into_port(cx)
    }
}

/// A handle of a port that other nodes can spawn.
#[diagnostic::on_unimplemented(
    message = "a port that is `#[port(local)]` cannot be spawned by name",
    label = "other nodes could spawn this port, but not have its handle, `{Self}`",
    note = "remove `local`, or make the port with `Node::port`"
)]
pub trait Travels {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Travels for T {}

/// The handle of a port that has been spawned by name.
pub fn spawned<R: PortRef + Travels>(node: &Node, id: &PortId) -> R {
    node.handle(id)
}

/// What becomes of a message of a `#[port(local)]` on its way to another node.
#[cold]
pub fn stays_here() -> EncodeError {
    serde::ser::Error::custom("a message of a `#[port(local)]` cannot leave its process")
}

/// What a handler under `#[rcv(try)]` returns, seen through aliases such as `std::io::Result`.
#[diagnostic::on_unimplemented(
    message = "a handler under `#[rcv(try)]` returns a `Result`",
    label = "this is none",
    note = "its `Err` kills the port and its `Ok` is the answer; without `try` whatever is returned is the answer"
)]
pub trait Fallible {
    /// The answer.
    type Ok;
    /// What the port dies of.
    type Err;

    /// The result itself.
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> Fallible for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Self {
        self
    }
}

/// An error that a port dies of.
#[diagnostic::on_unimplemented(
    message = "a port cannot die of `{Self}`, which has no text",
    label = "the error kills the port with its text, so it needs `std::fmt::Display`",
    note = "without `#[rcv(try)]` a `Result` is the answer, whose error travels to the caller"
)]
pub trait Failure {
    /// What the port dies with.
    fn into_reason(self) -> Reason;
}

#[diagnostic::do_not_recommend]
impl<E: fmt::Display + 'static> Failure for E {
    fn into_reason(self) -> Reason {
        message::failure(self)
    }
}

/// What is `Ok` in the `Result` of a handler that answers nothing by returning.
#[diagnostic::on_unimplemented(
    message = "this handler answers nothing, so its `Ok` is `()`, not `{Self}`",
    label = "a `Result<(), E>` belongs here",
    note = "to answer with the `Ok`, remove `send`, or the parameter that is a `Reply`; a default handler never answers"
)]
pub trait NoAnswer {}

impl NoAnswer for () {}

/// The answer of a handler that can fail, or the reason to die with.
#[inline]
pub fn tried<R: Fallible>(returned: R) -> Result<R::Ok, Reason>
where
    R::Err: Failure,
{
    returned.into_result().map_err(Failure::into_reason)
}

/// As [`tried`], of a handler that answers nothing by returning.
#[inline]
pub fn ended<R: Fallible>(returned: R) -> Result<(), Reason>
where
    R::Ok: NoAnswer,
    R::Err: Failure,
{
    tried(returned).map(drop)
}

/// Checks that a message has no more arguments than the `expected` that have been read. Nulls are none: an optional argument
/// that was not given.
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

/// How many arguments are left.
fn arity(args: &PacketReader<'_>) -> Result<usize, Undecoded> {
    args.remaining().map_err(Undecoded::Malformed)
}

/// What [`call`] has found.
#[derive(Debug)]
pub struct Called<'a> {
    /// The arguments to read instead of those of the packet.
    pub filled: Option<PacketReader<'a>>,
    /// How many elements there are beyond the arguments: one is the reply port.
    pub more: usize,
}

/// Looks at the arguments of a handler that answers: `required` ones, and then `options` of which the last may have been left out.
/// The reply port is the last element all the same; what is left out is then filled up with nulls.
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

/// An argument of a handler that answers could not be read.
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
        0 => Ok(Reply::nobody()),
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
                None if !is_surplus => Ok(Reply::nobody()),
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
    // A null is an optional argument of a newer version, which was not given.
    let Some(to) = to.filter(|to| !to.is_empty()) else {
        return Ok(Reply::nobody());
    };
    let to = PortId::parse(&to).map_err(|error| {
        Undecoded::Arguments(format!(
            "{tag}: argument {} (`reply port`): {error}",
            expected + 1
        ))
    })?;
    Ok(Reply::to_port(cx, to))
}

/// How many of a message's last arguments, which are options, are to be written: what is not given at the end is left out. In a
/// call, whose reply port comes behind them, only for a receiver that looks for it there: to others places are what counts.
pub fn given<const N: usize>(is_some: [bool; N], call: Option<&Encoding<'_>>) -> usize {
    if call.is_some_and(|cx| !cx.is_ours) {
        return N;
    }
    is_some
        .iter()
        .rposition(|given| *given)
        .map_or(0, |last| last + 1)
}

/// Ends the call behind a reply when the port dies, whoever has the reply then.
pub fn hold<T: Send + 'static>(cx: &Cx<'_>, reply: &Reply<T>) {
    cx.hold(reply);
}

/// What `Port::handle` answers for a message of an `async fn`, which only `handle_async` can handle.
pub fn not_async(tag: &str) -> Reason {
    Reason::die(format_args!(
        "{tag}: its handler waits, and was not awaited"
    ))
}

fn is_port(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('#'))
}

/// The port at which a caller of this project waits.
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
    let reply = port.map_or_else(Reply::nobody, |port| Reply::to_port(cx, port));
    Ok((values, reply))
}

/// What `snd!` and `cal!` send to: a port ID or a typed handle.
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

/// What `msg!` makes: a function, so that an empty list has a type.
pub fn values<const N: usize>(values: [Value; N]) -> Vec<Value> {
    values.into()
}

/// The node behind what is given to `snd!` and `cal!`.
pub fn node(node: &impl AsRef<Node>) -> &Node {
    node.as_ref()
}
