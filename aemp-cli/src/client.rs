//! The command as a node of the network. Commands reach other nodes through it.

mod join;
mod kept;
mod seeds;

use std::{future::Future, time::Duration};

use aemp::{Node, PortId, Reason};
use tokio::{sync::oneshot, time::Instant};

pub(crate) use self::kept::Kept;
use crate::{
    failure::{Failure, Outcome},
    logs,
    output::Output,
    session::Session,
};

/// A node of this command that has joined the network.
pub(crate) struct Client<'a> {
    pub(crate) node: Node,
    pub(crate) output: &'a Output,
    /// True if the node stays in the network after the command.
    pub(crate) stays: bool,
    timeout: Duration,
    deadline: Instant,
}

/// Joins the network, runs the command's work, and leaves the network.
pub(crate) fn with(
    session: &mut Session,
    job: impl AsyncFnOnce(&Client<'_>) -> Outcome,
) -> Outcome {
    session.save()?;
    if let Some(kept) = session.kept.take() {
        let outcome = kept.with(session, job);
        session.kept = Some(kept);
        return outcome;
    }
    let _logs = logs::for_client(session);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    runtime.block_on(async {
        let timeout = session.options.timeout();
        let deadline = Instant::now() + timeout;
        let node = join::join(session, deadline).await?;
        let client = Client {
            node,
            output: &session.output,
            stays: false,
            timeout,
            deadline,
        };
        let outcome = job(&client).await;
        client.node.stop().await;
        outcome
    })
}

impl Client<'_> {
    /// Waits for a future until the command's deadline. After it, the error says that `what` has not arrived.
    pub(crate) async fn within<F: Future>(
        &self,
        what: &str,
        future: F,
    ) -> Result<F::Output, Failure> {
        let done = tokio::time::timeout_at(self.deadline, future).await;
        done.map_err(|_| Failure::failed(format_args!("{what} within {}", self.seconds())))
    }

    /// The deadline of the command.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time until the deadline.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The time limit of the command, for display.
    pub(crate) fn seconds(&self) -> String {
        seconds(self.timeout)
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

/// A duration in seconds, for display.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
