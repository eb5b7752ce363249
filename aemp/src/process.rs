//! Processes: ports whose body is one async function with a mailbox, which receives selectively.
//!
//! # Design
//!
//! A process is a port with two things attached to it: a *mailbox*, which a default handler of the port fills, and the
//! *future* of the body, which the port keeps as it keeps timers and bound closures (`port/bound.rs`). The future is
//! polled in the port's own turns, as a job of its queue, and it has no task:
//!
//! - A kill, a failure and the end of the node need nothing new. The port is either polling the future or handling a
//!   message, so a kill comes between two polls, and drops the future, through `guard`, before the monitors fire.
//! - A message that the process waits for is received in the turn in which it arrives, without a wake-up of a task.
//! - `Cx`-like operations (to kill oneself, to note the running port) find the port running, as in a handler.
//! - The cost of a process is that of a port with extras, its mailbox and its future.
//!
//! A wake-up from elsewhere (a timer, a socket, another task) queues one job, however often it comes. The wakers hold
//! the port weakly, because the future, and so the port, holds timers that hold wakers.
//!
//! Dangers:
//!
//! - *tokio's budget of a task.* The future is polled in the task of a drainer. When the budget of this task is spent,
//!   everything of tokio is pending, and wakes at once. So the future is not polled then; a task that does nothing else
//!   queues the poll again (`Ticket::call_later`).
//! - *A process that always finds a message* would never yield. It receives a limited number of messages in one poll.
//! - *User code under a lock.* Predicates and wakers are called outside of the mailbox's lock (`mailbox`).
//! - *A body that blocks* costs a worker, as a handler does, and the executor's watch names it.
//! - *Messages that are not received* fill the mailbox: with `max_port_queue` messages in it, the next one kills the
//!   process, also if it is local. They count for `Handle::bound`, `queue_len` and `inspect`.
//! - *An `Inbox` that leaves its process* works, but its receives are pending for ever when the port has died.
//!
//! Left out: a task for each process (a kill would be done before the body was dropped, and each message would wake a
//! task); a reference number in `DOWN` messages, because the monitored port is named in them; restarts, which are the
//! business of a port that monitors.

mod body;
mod inbox;
mod mailbox;
mod parked;
pub(crate) mod pattern;
mod port;
mod verdict;

pub use self::{inbox::Inbox, port::Feed, verdict::Verdict};
pub(crate) use self::{mailbox::Mailbox, port::Process};
