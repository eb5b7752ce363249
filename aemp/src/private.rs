//! What generated code names, and nothing else does. No part of this is covered by semantic versioning.

use std::fmt;

pub use aemp_codec::{EncodeError, PacketReader, PacketWriter, PortId, Value};
pub use inventory;
pub use serde;

pub use crate::exec::pace::Record;
pub use crate::{
    Args, Call, Cx, Decoding, Encoding, Handle, InitFn, InitOutcome, Message, Monitor, Node,
    Origin, Outcome, Port, PortRef, Reason, Reply, Sent, Spawning, Undecoded,
    node::spawn::InitFuture,
};

/// The reason of a handler that has returned an error.
pub fn die(error: impl fmt::Display) -> Reason {
    Reason::die(error)
}

/// What a fallible handler returns, seen through aliases such as `std::io::Result`.
#[diagnostic::on_unimplemented(
    message = "a handler's `Result` must be the standard one",
    label = "this is another type of that name",
    note = "an error kills the port, so it must be a `core::result::Result` whose error implements `Display`"
)]
pub trait Fallible {
    /// The answer.
    type Ok;
    /// What the port dies of.
    type Err: fmt::Display;

    /// The result itself.
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E: fmt::Display> Fallible for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Self {
        self
    }
}

/// Checks that a message has no more arguments than the `expected` that have been read.
pub fn end(tag: &str, expected: usize, args: &PacketReader<'_>) -> Result<(), Undecoded> {
    match args.remaining() {
        Ok(0) => Ok(()),
        Ok(more) => Err(Undecoded::too_many(tag, expected, expected + more)),
        Err(error) => Err(Undecoded::Malformed(error)),
    }
}

/// How many arguments are left.
pub fn arity(args: &PacketReader<'_>) -> Result<usize, Undecoded> {
    args.remaining().map_err(Undecoded::Malformed)
}

/// Reads the reply port behind the `expected` arguments that have been read, if there is one.
pub fn reply<T>(
    tag: &str,
    expected: usize,
    cx: &Decoding<'_>,
    args: &mut PacketReader<'_>,
) -> Result<Reply<T>, Undecoded> {
    let to = args
        .text()
        .map_err(|error| Undecoded::argument(tag, expected + 1, "reply port", error))?;
    let Some(to) = to else {
        return Ok(Reply::nobody());
    };
    let to = PortId::parse(&to).map_err(|error| {
        Undecoded::Arguments(format!(
            "{tag}: argument {} (`reply port`): {error}",
            expected + 1
        ))
    })?;
    end(tag, expected + 1, args)?;
    Ok(Reply::to_port(cx, to))
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

/// For a handler that answers and whose last `options` parameters are `Option`s: if some were left out, the reply port is
/// the last argument all the same. What is left is then filled up with nulls.
pub fn fill_options(
    options: usize,
    args: &mut PacketReader<'_>,
) -> Result<Option<PacketReader<'static>>, Undecoded> {
    let left = arity(args)?;
    if left == 0 || left > options {
        return Ok(None);
    }
    let mut values = args.rest().map_err(Undecoded::Malformed)?;
    if let Some(port) = values.pop_if(|last| is_port(last)) {
        values.resize(options, Value::Null);
        values.push(port);
    }
    Ok(Some(PacketReader::values(values)))
}

fn is_port(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('#'))
}

/// All further arguments of a handler that answers, and the reply port if the last of them is one.
pub fn rest_and_reply<T>(
    cx: &Decoding<'_>,
    args: &mut PacketReader<'_>,
) -> Result<(Args, Reply<T>), Undecoded> {
    let mut values = args.rest().map_err(Undecoded::Malformed)?;
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
