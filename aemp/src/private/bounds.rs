//! The bounds that generated code puts on the types of an interface.
//!
//! Each trait stands for bounds of other traits, and the compiler does not suggest its implementation
//! (`do_not_recommend`). So an error names the type and its remedy, once for each place with the same bound.

use std::fmt;

use aemp_codec::{DecodeError, EncodeError, PacketReader, PacketWriter, PortId};
use serde::{Serialize, de::DeserializeOwned};

use super::{reply, rest_and_reply};
use crate::{
    Args, Decoding, Encoding, Message, Node, Port, PortRef, Reason, Reply, Spawning, Undecoded,
    message,
};

/// An argument of a message.
///
/// Generated code demands this trait instead of its parts, so that an error names a remedy.
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

    /// Writes the argument.
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

/// An answer of a call; see [`Argument`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer of a call",
    label = "the returned value travels to the caller, so its type needs `serde::Serialize` and `serde::Deserialize`",
    note = "if an error is to kill the port instead of being the answer, write `#[rcv(try)]`, \
            and `#[rcv(try, send)]` if there is no answer either",
    note = "if the type is yours, derive them: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Answer: Sized {
    /// Reads the reply port behind the `expected` arguments, which have been read. It is the last element, if there
    /// is one.
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

    /// The reply port for a message that leaves the node, if the caller wants an answer.
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

/// A state with a concurrent handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has a concurrent handler, and is not `Clone`",
    label = "a concurrent handler runs on a copy of the state",
    note = "derive `Clone` for `{Self}`, and keep large or shared parts in an `Arc`; a handler that needs no state takes no `self`"
)]
pub trait Copied: Sized {
    /// A copy of the state.
    fn copied(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Port + Clone> Copied for T {
    fn copied(&self) -> Self {
        self.clone()
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

/// The error of a message of a `#[port(local)]` on its way to another node.
#[cold]
pub fn stays_here() -> EncodeError {
    serde::ser::Error::custom("a message of a `#[port(local)]` cannot leave its process")
}

/// The return type of a handler with `#[rcv(try)]`, seen through aliases such as `std::io::Result`.
#[diagnostic::on_unimplemented(
    message = "a handler under `#[rcv(try)]` returns a `Result`",
    label = "this is not a `Result`",
    note = "its `Err` kills the port and its `Ok` is the answer; without `try` the returned value is the answer"
)]
pub trait Fallible {
    /// The answer.
    type Ok;
    /// The error that kills the port.
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
    /// The reason of the death.
    fn into_reason(self) -> Reason;
}

#[diagnostic::do_not_recommend]
impl<E: fmt::Display + 'static> Failure for E {
    fn into_reason(self) -> Reason {
        message::failure(self)
    }
}

/// The `Ok` type of a handler whose return value is not the answer.
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

/// As [`tried`], for a handler whose return value is not the answer.
#[inline]
pub fn ended<R: Fallible>(returned: R) -> Result<(), Reason>
where
    R::Ok: NoAnswer,
    R::Err: Failure,
{
    tried(returned).map(drop)
}
