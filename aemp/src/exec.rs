//! The executor: it runs ports. `aemp/src/docs/execution.md` is its contract, and a page of the handbook.
//!
//! - *Drainers* (`drainer`) are tasks of the runtime, at most one for each worker. They run ready ports.
//! - *Seats* (`seat`) belong to threads. A handler puts the ports that it makes ready into the deque of its thread's
//!   seat. The thread runs them in order, and an idle drainer steals them. All other ready ports go to the node's
//!   injector (`ready`), where each connection has a *lane* of its own. A connection's task hands over all ports that
//!   one read has woken in one step, and runs no handler.
//! - A *turn* is the messages that a port may handle before the next port runs (`slice`).
//! - The *plan* (`plan`) decides how many drainers there are, and when another one starts.
//! - The *pace* of a port is its measured speed. *Trust* follows from it (`pace`), and decides where the port may run: in
//!   place, in a caller's `poll`, or in a drainer only.
//! - A *run* (`waiting`) is a task for a port whose async handlers wait. It lasts until the port's queue is empty, and
//!   then it *rests* (`waiting/rest`).
//! - A *circle* (`circle`) of handlers that wait for each other's answers is found, and broken.
//! - The *stall detector* (`stall`) is a thread that notices handlers that do not return.
//! - The *tallies* (`tally`) count messages and calls for the metrics.
//! - *Spans* (`spans`) are the calls of a node's tracer for the handlers of messages.
//!
//! Three designs were considered and left out:
//!
//! - Threads of our own for ports: each message would cross threads, and a paused clock would not see handlers.
//! - `block_in_place` around slow handlers: it hands over a thread for each run. Replacing a drainer costs that once.
//! - A time limit that moves a running handler elsewhere: a running function cannot be moved.
//!
//! Known limits: a handler that was quick sixteen times and then blocks keeps its caller once (a call with a time limit
//! never runs in place). A handler that runs in place sees the task-locals of its caller, because tokio cannot hide
//! them. A plain task of the program that blocks keeps the task that it has woken last. In a simulation nothing here
//! depends on real time: every port is trusted, and there is no stall detector.

pub(crate) mod circle;
pub(crate) mod current;
pub(crate) mod drainer;
mod ending;
pub(crate) mod held;
#[cfg(feature = "sim")]
mod mortal;
pub(crate) mod occupancy;
pub(crate) mod pace;
mod plan;
pub(crate) mod ready;
pub(crate) mod scheduler;
pub(crate) mod seat;
pub(crate) mod slice;
pub(crate) mod spans;
mod stall;
pub(crate) mod tally;
pub(crate) mod waiting;
pub(crate) mod work;
pub(crate) mod writer;
