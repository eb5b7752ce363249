//! A node's life: it runs, it is *draining* (`drain`), it is *ending*, it is *over*. It may skip phases, and never goes
//! back. `Node::ended` tells how it has ended: stopped, its runtime gone, or failed.
//!
//! - **Tasks.** Every task of a node is `owned` (`node/task.rs`), so its starter hears of its end in any case. The end
//!   of a connection in any way is the mesh's `closed`. The end of a *vital* task (events, clock, flush, sweep,
//!   accepting) in any way but `stop` is an error in the log and stops the node, as failed. A task that a runtime drops
//!   reports its end on the thread that drops it, so none of ours is spawned under a lock.
//! - **`stop` is a task of its own** and depends on no waiter: the first call starts it, all calls wait for the same
//!   end, and a port may stop its own node. It waits for counts (`life::Count`) and never polls. A handler that does
//!   not return in time *perishes*: its port is dead for all others, and the state is dropped when the handler returns.
//! - **A node that is ending makes no ports.** A new port is put into the table, and is dead at once if the node is
//!   ending. The end of all ports is announced before the table is looked through. So a supervisor cannot keep its node
//!   alive. It cannot recur without end either: a callback of a monitor that fires at once (`port/absent.rs`) may set
//!   the next one a limited number of times, and then waits a second.
//! - **The runtime goes away.** An idle task (`Node::watch_runtime`) is dropped with the runtime. `Node::runtime_gone`
//!   then ends everything on that thread: ports perish, monitors of far ports fire, waits end. Any code that notices
//!   may call it, any number of times.
//! - **Ownership.** Handles, ports and tasks hold the node. Everything that the node holds (`net::Shared`, `Peer`,
//!   the mesh's peers, the stall detector of the runtime) knows it by a `WeakNode`. The table is emptied when the node
//!   ends, and so are actions of monitors, watches and queries. So an ended node is freed with its last handle. A node
//!   without a network that has no ports is freed without being stopped.

mod count;
mod drain;
#[cfg(feature = "net")]
mod signal;

use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::sync::Notify;

pub(crate) use self::count::{Count, Counted};
pub use self::drain::Readiness;
use super::{
    Node,
    log::Remark,
    task::{Ending, owned},
};
use crate::{Reason, guard, port::monitor};
use aemp_proto::mesh::Level;

/// The time that a stopping node waits for its ports, and then for its callbacks.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The time that a stopping node waits for `#[stop]` methods, each of which has a limit of its own.
const LONGEST_STOP: Duration = Duration::from_secs(30);
/// The reason of ports and the text of the log, when the runtime has gone.
const RUNTIME_GONE: &str = "the node's runtime is gone";
/// The reason of calls and monitors that are made when their own node has ended or is ending.
pub(crate) const NODE_STOPPED: &str = "node stopped";

/// The way in which a node has ended, as returned by [`Node::ended`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// [`Node::stop`] stopped it.
    Stopped,
    /// The tokio runtime of the node was shut down.
    RuntimeGone,
    /// A task of the node has failed. That is a fault of this crate, or of a codec of another crate.
    Failed(String),
}

/// The phase of a node's life. It never goes back. A running node has no phase (0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Phase {
    /// The node takes no more work from others, and its ports handle their queued messages.
    Draining = 1,
    /// The node is being stopped, and makes no ports.
    Ending,
    Over,
    /// The node has crashed in a simulation. Nothing may happen any more, and no waiter is woken.
    #[cfg(feature = "sim")]
    Vanished,
}

/// The state of a node's life, also for tasks that must not keep the node alive.
#[derive(Debug, Default)]
pub(crate) struct Life {
    phase: AtomicU8,
    /// Set before the phase is [`Phase::Over`].
    how: OnceLock<Ended>,
    /// Notified when the node is over.
    over: Notify,
    /// Counts down with each port that is forgotten while the node is ending.
    pub(super) ports: Count,
    /// The `#[stop]` methods that are running.
    pub(crate) stops: Count,
    /// The tasks that run callbacks.
    pub(super) jobs: Count,
}

impl Life {
    fn is_at_least(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) >= phase as u8
    }

    /// True if the node takes no more work from others.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_at_least(Phase::Draining)
    }

    /// True if no ports are made any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_at_least(Phase::Ending)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_at_least(Phase::Over)
    }

    #[cfg_attr(
        not(feature = "sim"),
        expect(clippy::unused_self, reason = "only simulated nodes vanish")
    )]
    pub(crate) fn has_vanished(&self) -> bool {
        #[cfg(feature = "sim")]
        return self.is_at_least(Phase::Vanished);
        #[cfg(not(feature = "sim"))]
        false
    }

    /// Starts the end: no ports are made from now on. Returns true if this call was the first.
    fn begin_to_end(&self) -> bool {
        self.phase.fetch_max(Phase::Ending as u8, Ordering::AcqRel) < Phase::Ending as u8
    }

    /// Starts to drain the node. Returns true if this call was the first.
    fn begin_to_drain(&self) -> bool {
        self.phase
            .compare_exchange(
                0,
                Phase::Draining as u8,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// Records the way in which the node has ended. The first one counts.
    fn end(&self, how: Ended) {
        if self.how.set(how).is_ok() {
            self.phase.fetch_max(Phase::Over as u8, Ordering::AcqRel);
            guard::shielded(|| self.over.notify_waiters());
        }
    }

    /// Ends the node as a crash would.
    #[cfg(feature = "sim")]
    pub(super) fn vanish(&self) {
        self.phase
            .fetch_max(Phase::Vanished as u8, Ordering::AcqRel);
        let _first = self.how.set(Ended::Failed("crashed".into()));
        self.over.notify_waiters();
    }

    /// Ready when the node is over.
    pub(crate) async fn until_over(&self) -> Ended {
        loop {
            let mut over = pin!(self.over.notified());
            over.as_mut().enable();
            if let Some(how) = self.how.get() {
                return how.clone();
            }
            over.await;
        }
    }

    /// Records that the node has been dropped: neither handles nor ports are left.
    pub(super) fn dropped(&self) {
        self.end(Ended::Stopped);
    }
}

impl Node {
    pub(crate) fn life(&self) -> &Life {
        &self.0.life
    }

    /// The life of the node, for tasks that must not keep the node alive.
    pub(crate) fn share_life(&self) -> Arc<Life> {
        Arc::clone(&self.0.life)
    }

    /// Stops the node at once; [`stop_within`](Self::stop_within) lets its ports finish first. It kills every port
    /// normally and waits until they have ended. Then it deletes the node's entries of the database and closes its
    /// connections. It waits at most some seconds for handlers and callbacks that do not return and for peers that do
    /// not read. The ports of such handlers are dead all the same. It waits for `#[stop]` methods as long as each of
    /// them may take, and at most half a minute.
    ///
    /// Ports that are made meanwhile, or later, are dead from the start. Everything that waits for this node ends:
    /// calls, sends that wait for room, queries, watches, and pools. Messages to other nodes vanish. Monitors of
    /// their ports fire, even if they are set afterwards.
    ///
    /// The node may be stopped any number of times, also by its own ports. All calls wait for the same end, which
    /// does not depend on their futures. When the node has ended and its handles are dropped, all its memory is
    /// freed.
    ///
    /// # Cancel safety
    ///
    /// After the first poll, the node stops even if the future is dropped.
    #[doc(alias = "shutdown")]
    #[doc(alias = "terminate")]
    pub async fn stop(&self) {
        self.begin_to_end(Ended::Stopped, Reason::normal());
        self.ended().await;
    }

    /// Waits until the node has ended, and returns the way in which it ended. Handles of a node that has ended without
    /// [`stop`](Self::stop) are useless, so a program that depends on its node should watch this.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
    /// let node = aemp::Node::local()?;
    /// let watched = node.clone();
    /// let end = tokio::spawn(async move { watched.ended().await });
    /// node.stop().await;
    /// assert_eq!(end.await.ok(), Some(aemp::Ended::Stopped));
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn ended(&self) -> Ended {
        self.life().until_over().await
    }

    /// The way in which the node has ended, if it has.
    #[must_use]
    pub fn has_ended(&self) -> Option<Ended> {
        self.life().how.get().cloned()
    }

    /// Starts a task that notices the end of the runtime: only then is it dropped unfinished.
    pub(super) fn watch_runtime(&self) {
        let (life, node) = (Arc::clone(&self.0.life), self.downgrade());
        let watch = async move {
            life.until_over().await;
        };
        self.scheduler().spawn(owned(watch, move |ending| {
            if ending == Ending::Dropped
                && let Some(node) = node.upgrade()
            {
                node.runtime_gone();
            }
        }));
    }

    /// Starts a vital task, without which the node cannot run.
    pub(crate) fn spawn_vital(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let node = self.clone();
        self.scheduler().spawn(owned(task, move |ending| {
            if node.life().is_ending() {
                return;
            }
            match ending {
                Ending::Dropped => node.runtime_gone(),
                Ending::Returned => node.break_down(format!("its task `{name}` has ended")),
                Ending::Panicked(reason) => {
                    node.break_down(format!("its task `{name}` has failed: {reason}"));
                }
            }
        }))
    }

    /// Handles the unexpected end of a vital task.
    #[cold]
    fn break_down(&self, text: String) {
        self.remark(Remark::new(
            Level::Error,
            format!("node {}: {text}: it is stopped", self.id()),
        ));
        let reason = Reason::die(format_args!("the node has failed: {text}"));
        self.begin_to_end(Ended::Failed(text), reason);
    }

    /// Starts to stop the node, unless that has begun already. The task that stops it does not depend on any waiter.
    fn begin_to_end(&self, how: Ended, reason: Reason) {
        if !self.life().begin_to_end() {
            return;
        }
        // The drain is over.
        self.life().ports.notify();
        let (node, owner) = (self.clone(), self.clone());
        let task = async move { node.shut_down(&reason).await };
        self.scheduler()
            .spawn(owned(task, move |ending| match ending {
                Ending::Returned => owner.life().end(how),
                Ending::Dropped => owner.runtime_gone(),
                Ending::Panicked(reason) => {
                    let text = format!("stopping it has failed: {reason}");
                    owner.collapse(Ended::Failed(text.clone()), &text);
                }
            }));
    }

    async fn shut_down(&self, reason: &Reason) {
        for port in self.0.ports.table.all() {
            monitor::kill(&port, reason.clone());
        }
        let is_empty = || self.0.ports.table.is_empty();
        in_time(STOP_TIMEOUT, self.life().ports.until(is_empty)).await;
        // A handler that never returns must not delay the end of the node, nor leave its callers waiting.
        for port in self.0.ports.table.all() {
            let reason = reason.clone();
            self.aside(move || port.perish(&reason));
        }
        let stops = self.life().stops.until_zero();
        in_time(LONGEST_STOP, stops).await;
        self.ask_database(|machine, now| machine.clear(now));
        #[cfg(feature = "net")]
        self.close_streams();
        if let Some(net) = self.net() {
            net.stop().await;
        }
        self.stop_database();
        self.peers().close(NODE_STOPPED);
        in_time(STOP_TIMEOUT, self.life().jobs.until_zero()).await;
    }

    /// Ends the node after its runtime has gone away. Waits end and monitors fire on this thread. Any code that
    /// notices the end of the runtime may call this, any number of times. The caller must hold no lock.
    pub(crate) fn runtime_gone(&self) {
        self.collapse(Ended::RuntimeGone, RUNTIME_GONE);
    }

    /// Ends the node at once.
    fn collapse(&self, how: Ended, text: &str) {
        if self.life().is_over() || self.0.collapsed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.life().begin_to_end();
        let reason = Reason::die(text);
        self.scheduler().abandon();
        for port in self.0.ports.table.all() {
            guard::shielded(|| port.perish(&reason));
        }
        #[cfg(feature = "net")]
        guard::shielded(|| self.close_streams());
        if let Some(net) = self.net() {
            net.abandon();
        }
        self.stop_database();
        self.peers().close(text);
        let level = match &how {
            Ended::Failed(_) => Level::Error,
            // Most programs end in this way.
            Ended::Stopped | Ended::RuntimeGone => Level::Debug,
        };
        let text = format!("node {}: {text}", self.id());
        self.life().end(how);
        self.remark(Remark::new(level, text));
    }

    /// True if the node has ended without being stopped.
    pub(super) fn has_collapsed(&self) -> bool {
        self.0.collapsed.load(Ordering::Acquire)
    }

    /// Counts a port that was forgotten.
    #[inline]
    pub(super) fn port_is_gone(&self) {
        if self.life().is_draining() {
            self.life().ports.notify();
        }
    }
}

/// Waits for the future, with a time limit.
async fn in_time(limit: Duration, end: impl Future<Output = ()>) {
    let mut end = pin!(end);
    // Polled once without a timer: a runtime without a clock must be able to stop a node that has nothing to wait for.
    let at_once = std::future::poll_fn(|task| Poll::Ready(end.as_mut().poll(task))).await;
    if at_once.is_pending() {
        let _ = tokio::time::timeout(limit, end).await;
    }
}

#[cfg(test)]
mod tests;
