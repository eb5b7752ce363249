//! `aemp run --restart`: a process that starts the node again when its process ends or hangs.
//!
//! The watchdog is the same program with the same arguments. It runs itself a second time, with `AEMP_WATCHDOG` in
//! the environment, and that process is the node. So a program that calls [`main`](crate::main) needs nothing for it,
//! and each start runs the file that is there at that time: a new version is installed by replacing it.
//!
//! - `plan` decides after each end, without I/O: start again and when, or end.
//! - `keeper` is the watchdog's process: it starts the node, passes signals on, waits for heartbeats, and ends a process
//!   that hangs. `process` is one process of the node, and `ear` the socket on which it is heard.
//! - `under` is the node's side: the watchdog's presence, its end, and requests for a restart (`aemp restart`).
//! - Heartbeats are those of systemd ([`notify`](crate::notify)), so a node of `aemp run` has them under both.
//!
//! # Semantics
//!
//! As under the reference's AnyEvent::Watchdog, the node is killed after 300 seconds without a heartbeat, and a node
//! that is ended by SIGTERM or SIGINT is not started again. Unlike it, there is a pause between restarts, which doubles
//! and is reset, and a node that has never started because of its command line or configuration ends the watchdog.
//!
//! # Dangers
//!
//! *Two signals for one Control-C.* A second signal ends a node at once. A terminal sends Control-C to the whole process
//! group, and the watchdog passes signals on. So the node has a process group of its own.
//!
//! *A node without its watchdog.* SIGKILL ends the watchdog only. The node then stops in order, because a new watchdog
//! would start a second node with the same addresses. It looks for its parent each second; the death signal of Linux
//! would end it without order.
//!
//! *The answer to a request.* A node that restarts at once would close the connection before the asker has monitored the
//! port whose end is the answer. So `Aemp::restart` waits for an answer of the asker, which sends its monitor before it.
//!
//! *A signal at a start.* SIGUSR1 ends a process that does not catch it yet, so it waits for the process to be ready.
//!
//! *A service manager above.* The watchdog gives it heartbeats of its own, because it may allow less time than the
//! watchdog allows the node.
//!
//! *A secret at standard input.* The watchdog has read it, so it gives it to each process that it starts.
//!
//! Left out: Windows, which has neither the signals nor the socket; a limit of restarts, because an operator expects a
//! service to come back after a long outage as well.

#[cfg(unix)]
mod ear;
#[cfg(unix)]
mod keeper;
mod plan;
#[cfg(unix)]
mod process;
mod under;

#[cfg(unix)]
pub(crate) use self::keeper::keep;
pub(crate) use self::{
    plan::When,
    under::{Watched, ask, check},
};

/// The environment variable of a node's process with the process ID of its watchdog. The value `service` stands for a
/// service manager that starts the node again after status 75.
const VARIABLE: &str = "AEMP_WATCHDOG";
