//! The command as a node of the network. Commands reach other nodes through it.

mod join;
mod kept;
mod limit;
mod once;
mod seeds;

use std::{future::Future, time::Duration};

use aemp::{DbError, Handle, Node, NodeId, PortId, Reason, UntypedMsg, Value};
use tokio::{sync::oneshot, time::Instant};

use self::limit::Limit;
pub(crate) use self::{kept::Kept, once::once};
use crate::{failure::Failure, output::Output, words::Target};

/// A node of this command that has joined the network.
pub(crate) struct Client<'a> {
    pub(crate) node: Node,
    pub(crate) output: &'a Output,
    /// True if the node stays in the network after the command.
    pub(crate) stays: bool,
    limit: Limit,
}

impl Client<'_> {
    /// Waits for a future until the command's deadline. After it, the error is `missing` with the time limit.
    pub(crate) async fn within<F: Future>(
        &self,
        missing: &str,
        future: F,
    ) -> Result<F::Output, Failure> {
        let done = tokio::time::timeout_at(self.limit.deadline, future).await;
        done.map_err(|_| Failure::failed(format_args!("{missing} within {}", self.limit)))
    }

    /// The deadline of the command.
    pub(crate) fn deadline(&self) -> Instant {
        self.limit.deadline
    }

    /// The time until the deadline.
    pub(crate) fn left(&self) -> Duration {
        self.limit
            .deadline
            .saturating_duration_since(Instant::now())
    }

    /// The time limit of the command, for display.
    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    /// The port that a word of the command line names. If no port of the network has the name, it waits for one until
    /// the deadline.
    pub(crate) async fn port(&self, target: &Target<PortId>) -> Result<PortId, Failure> {
        match target {
            Target::Id(port) => Ok(port.clone()),
            Target::Name(name) => {
                let found = self.node.wait_for::<Handle<UntypedMsg>>(name);
                let missing = format!("no port has the name {name:?}");
                let port = self.within(&missing, found).await?;
                let port = port.map_err(|error| match error {
                    DbError::Name(error) => Failure::usage(format_args!("@{name}: {error}")),
                    error => Failure::failed(error),
                })?;
                Ok(port.id())
            }
        }
    }

    /// As [`port`](Self::port), for the node of the port.
    pub(crate) async fn node_of(&self, target: &Target<NodeId>) -> Result<NodeId, Failure> {
        match target {
            Target::Id(node) => Ok(node.clone()),
            Target::Name(name) => Ok(self.port(&Target::Name(name.clone())).await?.node_id()),
        }
    }

    /// Spawns one of our init functions on a node. Its port ends after its work.
    pub(crate) async fn run_on(
        &self,
        node: &NodeId,
        function: &str,
        args: Vec<Value>,
    ) -> Result<(), Failure> {
        let port = self.node.spawn(node.as_str(), function, args);
        let death = self.death(&port);
        let reason = self.within(&format!("no answer of {node}"), death).await?;
        if !reason.is_normal() {
            return Err(Failure::failed(format_args!("{node}: {reason}")));
        }
        Ok(())
    }

    /// Sets a monitor on a port at once. The future returns the reason of the port's death.
    pub(crate) fn death(&self, port: &PortId) -> impl Future<Output = Reason> + use<> {
        let (tell, told) = oneshot::channel();
        let callback = move |reason: &Reason| drop(tell.send(reason.clone()));
        self.node.mon(port, callback).detach();
        // The sender is dropped unused only if the node is dropped.
        async move { told.await.unwrap_or_default() }
    }
}
