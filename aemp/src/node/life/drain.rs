//! The end of a node in phases, and its readiness for work.
//!
//! 1. *Leave*: the node is not ready any more. It deletes its entries of the database, so that families and pools of
//!    other nodes leave it out, and refuses spawns of other nodes.
//! 2. *Drain*: every port is stopped (`port/stop.rs`). Ports that are made meanwhile are stopped soon. The phase ends
//!    when there are no ports, or with the time.
//! 3. *Close*: as `Node::stop`.
//!
//! Dangers: a message that another node has sent before it heard of the first phase may come to a port that
//! has ended; it is lost as every message to a dead port, and a call fails. A supervisor that starts its children again
//! is itself stopped in the same pass. Left out: an order among ports. A supervisor stops its children in its `#[stop]`
//! method.

use std::{collections::HashSet, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{Ended, Node};
use crate::{
    Reason,
    node::task::{Ending, owned},
    port::stop,
};
use aemp_proto::mesh::Joining;

/// The first pause after which new ports are looked for. It doubles up to the second.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Thirty years, which can be added to any instant without overflow.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The readiness of a node for work, as returned by [`Node::readiness`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Readiness {
    /// The node takes work, and is part of its network, if it has one.
    Ready,
    /// The node has seeds, and none of them is connected. Its ports work.
    Joining,
    /// The node is stopping: its ports handle their queued messages.
    Stopping,
    /// The node has [ended](Node::ended).
    Ended,
}

impl Node {
    /// Stops the node in phases. It leaves the database and takes no more work from others. Then it
    /// [stops](crate::Handle::stop) every port, which handles what is queued, for at most `limit` in all. Then it ends
    /// as by [`stop`](Self::stop). Ports that have not ended by then are killed as by
    /// [`Handle::stop_within`](crate::Handle::stop_within).
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Node, port};
    ///
    /// struct Printer;
    ///
    /// #[port]
    /// impl Printer {
    ///     #[rcv]
    ///     async fn print(&mut self, page: u32) {
    ///         tokio::time::sleep(Duration::from_millis(5)).await;
    ///         println!("{page}");
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let printer = node.port(Printer);
    /// (1..=3).for_each(|page| drop(printer.print(page)));
    /// node.stop_within(Duration::from_secs(10)).await; // prints all three
    /// # Ok(()) }
    /// ```
    ///
    /// A port that is made meanwhile is stopped within a second. [`stop`](Self::stop) ends the drain at once. Only the
    /// first call sets the limit. The handbook has a [table](crate::handbook::lifecycle#ends) of the fate of
    /// messages, handlers and calls.
    ///
    /// # Cancel safety
    ///
    /// After the first poll, the node stops even if the future is dropped.
    #[doc(alias = "shutdown")]
    #[doc(alias = "CoordinatedShutdown")]
    #[doc(alias = "drain")]
    pub async fn stop_within(&self, limit: Duration) {
        self.begin_to_drain(limit);
        self.ended().await;
    }

    /// The node's readiness for work: for readiness probes, and for load balancers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
    /// use aemp::{Node, Readiness};
    ///
    /// let node = Node::local()?;
    /// assert_eq!(node.readiness(), Readiness::Ready);
    /// node.stop().await;
    /// assert_eq!(node.readiness(), Readiness::Ended);
    /// # Ok(()) }
    /// ```
    ///
    /// A probe of liveness asks [`has_ended`](Self::has_ended).
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let life = self.life();
        if life.is_over() {
            return Readiness::Ended;
        }
        if life.is_draining() {
            return Readiness::Stopping;
        }
        match self.net().map(|net| net.joining()) {
            None | Some(Joining::Joined) => Readiness::Ready,
            Some(Joining::Trying | Joining::Failed { .. }) => Readiness::Joining,
        }
    }

    fn begin_to_drain(&self, limit: Duration) {
        if !self.life().begin_to_drain() {
            return;
        }
        let (node, owner) = (self.clone(), self.clone());
        let task = async move { node.drain(limit.min(LONGEST)).await };
        self.scheduler()
            .spawn(owned(task, move |ending| match ending {
                Ending::Dropped => owner.runtime_gone(),
                Ending::Returned | Ending::Panicked(_) => {
                    owner.begin_to_end(Ended::Stopped, Reason::normal());
                }
            }));
    }

    async fn drain(&self, limit: Duration) {
        self.ask_database(|machine, now| machine.clear(now));
        let (mut stopped, mut pause) = (HashSet::new(), PAUSE);
        let end = Instant::now() + limit;
        let is_over = || self.life().is_ending() || self.0.ports.table.is_empty();
        while !is_over() && Instant::now() < end {
            for port in self.0.ports.table.all() {
                // A reply port ends with its call.
                if !port.takes_answers() && stopped.insert(port.number()) {
                    stop::stop(&port, None);
                }
            }
            let next = end.min(Instant::now() + pause);
            let _ = timeout_at(next, self.life().ports.until(is_over)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        if !is_over() {
            let late = self.0.ports.table.all().into_iter();
            late.filter(|port| !port.takes_answers())
                .for_each(|port| stop::cut(port, limit));
        }
    }
}
