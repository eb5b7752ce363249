//! The port runtime: data, queue, life and death of a port. The module `exec` runs ports.
//!
//! A framework that gives each actor a task and a channel pays one to eight kilobytes for an idle actor. Here a port is
//! one allocation, `Arc<Cell<P>>`, and an idle port costs no task:
//!
//! ```text
//! Cell { node, pace (with its number), Mutex<{ queue: Queue<Envelope>, state: Option<P>, extras: Option<Box<Extras>> }> }
//! ```
//!
//! - An *envelope* is an element of the queue: a message, a kill, or a *job*, which is a closure that runs in the context
//!   of the port. The *class* of a message, urgent or ordinary, is its place in the queue, and comes from its handler.
//! - Sending locks the cell and pushes an envelope. If the queue was `Idle`, the cell goes to the scheduler as work.
//! - Running work takes the state and the queue out of the cell, handles the batch without the lock, and puts the state
//!   back when the queue is empty. Ownership of the state is the mutual exclusion, so no `unsafe` is needed.
//! - `Extras` (monitors, guards, timers, name, bound) is allocated by the first feature that needs it.
//! - The table keeps every live port alive. A port lives until it is killed or its node stops, as in AEMP, however many
//!   handles there are. The handles of a `#[port(owned)]` are counted, and stop it (`owned`).
//!
//! A kill is an envelope in the queue, so it is in order with its sender's messages. Once a kill is queued, a waiting
//! handler is cancelled at its next await. The messages before the kill still reach their handlers; async handlers run
//! to their first wait. A port that kills itself ends when the running handler returns, and drops its queue.

pub(crate) mod absent;
pub(crate) mod any;
mod blocking;
pub(crate) mod bound;
mod call;
pub(crate) mod cell;
mod context;
pub(crate) mod credit;
pub(crate) mod death;
pub(crate) mod destination;
pub(crate) mod extras;
pub(crate) mod handle;
pub(crate) mod idle;
pub(crate) mod line;
pub(crate) mod monitor;
pub(crate) mod owned;
mod peval;
pub(crate) mod queue;
pub(crate) mod reply;
mod room;
pub(crate) mod slot;
pub(crate) mod stop;
pub(crate) mod table;
pub(crate) mod untyped;
pub(crate) mod urgent;
pub(crate) mod wanted;
mod watched;

pub use bound::{Blocking, Psub, Timer};
pub use call::{Call, ValueCall};
pub use context::{Answering, Cx};
pub use handle::Handle;
pub use monitor::Monitor;
pub use owned::{Owned, WeakHandle};
pub use peval::Peval;
pub(crate) use reply::LocalReply;
pub use reply::Reply;
pub use stop::Closed;
pub use untyped::{Handlers, Untyped, UntypedMsg};
pub(crate) use watched::Watched;
