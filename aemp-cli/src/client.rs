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

/// A node that has joined the network.
pub(crate) struct Client<'a> {
    pub(crate) node: Node,
    pub(crate) output: &'a Output,
    /// Whether the node stays in the network when the command is done.
    pub(crate) stays: bool,
    timeout: Duration,
    deadline: Instant,
}

/// Joins the network, does what there is to do, and leaves it in order.
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
    /// What comes of a future in the time that the command has; an error that says `what` has not come otherwise.
    pub(crate) async fn within<F: Future>(
        &self,
        what: &str,
        future: F,
    ) -> Result<F::Output, Failure> {
        let done = tokio::time::timeout_at(self.deadline, future).await;
        done.map_err(|_| Failure::failed(format_args!("{what} within {}", self.seconds())))
    }

    /// When the command has to be done.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How long there is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The time that the command has, for people.
    pub(crate) fn seconds(&self) -> String {
        seconds(self.timeout)
    }

    /// Monitors a port at once; the reason that it dies with.
    pub(crate) fn death(&self, port: &PortId) -> impl Future<Output = Reason> + use<> {
        let (tell, told) = oneshot::channel();
        let callback = move |reason: &Reason| drop(tell.send(reason.clone()));
        self.node.mon(port, callback).detach();
        // The sender is dropped unused only when the node is.
        async move { told.await.unwrap_or_default() }
    }
}

/// A time for people.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
