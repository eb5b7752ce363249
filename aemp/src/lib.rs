//! Typed actors for Rust, and a full member of AnyEvent::MP networks.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod error;
mod macros;
mod message;
mod net;
mod node;
mod port;
pub mod proto;
mod reason;

pub use aemp_codec::{
    self as codec, Codec, DecodeError, EncodeError, Format, IdError, Limits, Map, NodeId, PortId,
    Value,
};
pub use aemp_macros::{port, protocol, rcv, spawnable};

pub use error::{CallError, HandleError, RcvError, SendError, Sent, StartError};
pub use message::{
    Args, Decoding, Encoding, Local, Message, Origin, Outcome, Port, PortRef, Undecoded,
};
pub use net::NodesMonitor;
pub use node::{
    Node, NodeBuilder,
    registry::{InitFn, InitFunction},
    spawn::{InitOutcome, Spawning},
};
pub use port::{Call, Cx, Handle, Monitor, Psub, Reply, Timer, Untyped, UntypedMsg, ValueCall};
pub use reason::Reason;
