//! A node's life: it runs, it is *ending*, it is *over*. It never goes back. `Node::ended` tells how it has ended:
//! stopped, its runtime gone, or failed.
//!
//! - **Tasks.** Every task of a node is `owned` (`node/task.rs`), so its starter hears of its end in any case. The end
//!   of a connection in any way is the mesh's `closed`. The end of a *vital* task (events, clock, flush, sweep,
//!   accepting) in any way but `stop` is an error in the log and stops the node, as failed. A task that a runtime drops
//!   reports its end on the thread that drops it, so none of ours is spawned under a lock.
//! - **`stop` is a task of its own** and depends on no waiter: the first call starts it, all calls wait for the same
//!   end, and a port may stop its own node. It waits for counts (`life::Count`) and never polls. A handler that does
//!   not return in time *perishes*: its port is dead for everybody, and the state is dropped when the handler returns.
//! - **A node that is ending makes no ports.** A new port is put into the table, and is dead at once if the node is
//!   ending. The end of all ports is announced before the table is looked through. So a supervisor cannot keep its node
//!   alive. It cannot recur without end either: a callback of a monitor that fires at once (`port/absent.rs`) may set
//!   the next one a limited number of times, and then waits a second.
//! - **The runtime goes away.** An idle task (`Node::watch_runtime`) is dropped with the runtime. `Node::runtime_gone`
//!   then ends everything on that thread: ports perish, monitors of far ports fire, waits end. Any code that notices
//!   may call it, any number of times.
//! - **Ownership.** Handles, ports and tasks hold the node. Everything that the node holds (`net::Shared`, `Remote`,
//!   the mesh's peers, the watch over the runtime) knows it by a `WeakNode`. The table is emptied when the node ends,
//!   and so are actions of monitors, watches and queries. So an ended node is freed with its last handle. A node
//!   without a network that has no ports is freed without being stopped.

mod count;

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
use super::{
    Node,
    log::Line,
    task::{Ending, owned},
};
use crate::{Reason, guard, port::monitor};
use aemp_proto::mesh::Level;

/// How long a stopping node waits for its ports to end, and for what its callbacks are about to do.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// What is said of a node, and to its ports, when its runtime has gone.
const RUNTIME_GONE: &str = "the node's runtime is gone";
/// What calls and monitors are told that are made when their own node has ended, or is about to.
pub(crate) const NODE_STOPPED: &str = "node stopped";

/// How a node has ended. [`Node::ended`] tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// By [`Node::stop`].
    Stopped,
    /// The tokio runtime that it was started on has been shut down under it.
    RuntimeGone,
    /// One of the tasks that it consists of has failed: a fault of this crate, or of a codec that it was given.
    Failed(String),
}

/// Where a node is in its life. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Phase {
    /// It is being stopped: there are no new ports any more. Before that it runs, which is 0.
    Ending = 1,
    Over,
    /// It has crashed in a simulation: nothing may happen any more, and nobody is told.
    #[cfg(feature = "sim")]
    Vanished,
}

/// What is known of a node's life, also by tasks that must not keep the node.
#[derive(Debug, Default)]
pub(crate) struct Life {
    phase: AtomicU8,
    /// Set before the phase is [`Phase::Over`].
    how: OnceLock<Ended>,
    /// Told when the node is over.
    over: Notify,
    /// Told of each port that is forgotten while the node is ending.
    pub(super) ports: Count,
    /// Tasks that run callbacks.
    pub(super) jobs: Count,
}

impl Life {
    fn is_at_least(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) >= phase as u8
    }

    /// Whether there are new ports no more.
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

    /// From now on there are no new ports. Whether it was the caller who has brought that about.
    fn begin_to_end(&self) -> bool {
        self.phase.fetch_max(Phase::Ending as u8, Ordering::AcqRel) < Phase::Ending as u8
    }

    /// The first way in which it has ended counts.
    fn end(&self, how: Ended) {
        if self.how.set(how).is_ok() {
            self.phase.fetch_max(Phase::Over as u8, Ordering::AcqRel);
            guard::shielded(|| self.over.notify_waiters());
        }
    }

    /// Nothing happens any more.
    #[cfg(feature = "sim")]
    pub(super) fn vanish(&self) {
        self.phase
            .fetch_max(Phase::Vanished as u8, Ordering::AcqRel);
        let _first = self.how.set(Ended::Failed("crashed".into()));
        self.over.notify_waiters();
    }

    /// Ready when the node is over, at once if it is.
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

    /// The node is dropped: there are neither handles nor ports left.
    pub(super) fn dropped(&self) {
        self.end(Ended::Stopped);
    }
}

impl Node {
    pub(crate) fn life(&self) -> &Life {
        &self.0.life
    }

    /// For tasks that must not keep the node.
    pub(crate) fn share_life(&self) -> Arc<Life> {
        Arc::clone(&self.0.life)
    }

    /// Kills every port of this node normally and waits until they have ended, then deletes what it has set in the database and
    /// closes its connections. Waits at most some seconds for handlers that do not return, callbacks that do not, and peers that do not
    /// read; what handlers of that kind belong to is dead all the same.
    ///
    /// Ports that are made meanwhile, or later, are dead from the beginning. What waits for something that only this node could bring
    /// ends: calls, sends that wait for room, queries, watches, and pools. Sends to other nodes vanish, and monitors of their ports
    /// fire, also those that are set afterwards.
    ///
    /// Everybody may stop a node, any number of times, also its own ports: what it does goes on if the future is dropped, and all wait for
    /// the same end. When it has ended and its handles are dropped, everything that it held is freed.
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled, the node stops, whether the future is kept or not.
    pub async fn stop(&self) {
        self.begin_to_end(Ended::Stopped, Reason::normal());
        self.ended().await;
    }

    /// Ready when the node has ended; how it has. What is kept of a node that has ended without [`stop`](Self::stop) is of no use any
    /// more, and a program that lives by it should watch this.
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

    /// How the node has ended, if it has.
    #[must_use]
    pub fn has_ended(&self) -> Option<Ended> {
        self.life().how.get().cloned()
    }

    /// Has a task watch over the runtime: it is dropped unfinished only when that goes away.
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

    /// Starts one of the tasks without which the node is none.
    pub(crate) fn spawn_vital(
        &self,
        what: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let node = self.clone();
        self.scheduler().spawn(owned(task, move |ending| {
            if node.life().is_ending() {
                return;
            }
            match ending {
                Ending::Dropped => node.runtime_gone(),
                Ending::Returned => node.break_down(format!("its task `{what}` has ended")),
                Ending::Panicked(reason) => {
                    node.break_down(format!("its task `{what}` has failed: {reason}"));
                }
            }
        }))
    }

    /// One of the tasks that the node consists of is no more.
    #[cold]
    fn break_down(&self, text: String) {
        self.say(Line::new(
            Level::Error,
            format!("node {}: {text}: it is stopped", self.id()),
        ));
        let reason = Reason::die(format_args!("the node has failed: {text}"));
        self.begin_to_end(Ended::Failed(text), reason);
    }

    /// Has the node stop, unless it does so already. The task that does it depends on nobody who waits for it.
    fn begin_to_end(&self, how: Ended, reason: Reason) {
        if !self.life().begin_to_end() {
            return;
        }
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
        for port in self.0.table.all() {
            monitor::kill(&port, reason.clone());
        }
        let is_empty = || self.0.table.is_empty();
        in_time(self.life().ports.until(is_empty)).await;
        // A handler that never returns should keep neither the node from stopping nor its callers waiting.
        for port in self.0.table.all() {
            let reason = reason.clone();
            self.aside(move || port.perish(&reason));
        }
        self.ask_database(|machine, now| machine.clear(now));
        if let Some(net) = self.net() {
            net.stop().await;
        }
        self.stop_database();
        self.remotes().close(NODE_STOPPED);
        in_time(self.life().jobs.until_zero()).await;
    }

    /// The runtime has gone away under the node: nothing of it will ever run again. Whoever notices that calls this, as often as
    /// it likes: what waits for the node ends on this thread, and monitors fire. No lock may be held.
    pub(crate) fn runtime_gone(&self) {
        self.collapse(Ended::RuntimeGone, RUNTIME_GONE);
    }

    /// Ends the node where it is.
    fn collapse(&self, how: Ended, text: &str) {
        if self.life().is_over() || self.0.collapsed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.life().begin_to_end();
        let reason = Reason::die(text);
        self.scheduler().abandon();
        for port in self.0.table.all() {
            guard::shielded(|| port.perish(&reason));
        }
        if let Some(net) = self.net() {
            net.abandon();
        }
        self.stop_database();
        self.remotes().close(text);
        let level = match &how {
            Ended::Failed(_) => Level::Error,
            // Most programs end like that.
            Ended::Stopped | Ended::RuntimeGone => Level::Debug,
        };
        let text = format!("node {}: {text}", self.id());
        self.life().end(how);
        self.say(Line::new(level, text));
    }

    /// Whether the node has ended where it was.
    pub(super) fn has_collapsed(&self) -> bool {
        self.0.collapsed.load(Ordering::Acquire)
    }

    /// A port has been forgotten.
    #[inline]
    pub(super) fn port_is_gone(&self) {
        if self.life().is_ending() {
            self.life().ports.tell();
        }
    }
}

/// Waits for it, but not for ever.
async fn in_time(end: impl Future<Output = ()>) {
    let mut end = pin!(end);
    // A runtime without a clock should be able to stop a node that has nothing to wait for.
    let at_once = std::future::poll_fn(|task| Poll::Ready(end.as_mut().poll(task))).await;
    if at_once.is_pending() {
        let _ = tokio::time::timeout(STOP_TIMEOUT, end).await;
    }
}

#[cfg(test)]
mod tests;
