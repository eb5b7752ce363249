//! The port runtime. A port sleeps as data, without a task, and wakes as work for the executor.

pub(crate) mod absent;
pub(crate) mod any;
pub(crate) mod bound;
mod call;
pub(crate) mod cell;
mod context;
pub(crate) mod credit;
pub(crate) mod death;
pub(crate) mod destination;
pub(crate) mod extras;
pub(crate) mod handle;
pub(crate) mod monitor;
mod peval;
pub(crate) mod queue;
pub(crate) mod reply;
mod slot;
pub(crate) mod table;
pub(crate) mod untyped;

pub use bound::{Psub, Timer};
pub use call::{Call, ValueCall};
pub use context::Cx;
pub use handle::Handle;
pub use monitor::Monitor;
pub use peval::Peval;
pub(crate) use reply::LocalReply;
pub use reply::Reply;
pub use untyped::{Handlers, Untyped, UntypedMsg};
