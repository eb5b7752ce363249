//! The task that follows one child.

use std::time::Duration;

use super::{Shows, no_child};
use crate::{
    CallError, Node, Reason,
    port::Watched,
    supervisor::{Incarnation, SupervisorRef},
};

/// The pause before a node is asked again after it was lost.
const RETRY: Duration = Duration::from_millis(200);

/// The task behind all clones of a [`Follow`](super::Follow).
pub(super) struct Task {
    pub(super) node: Node,
    pub(super) supervisor: SupervisorRef,
    pub(super) name: String,
    pub(super) shows: Shows,
    /// The supervisor, for the reason of its death: a question that comes too late hears only that it is gone.
    pub(super) over: Watched,
    /// The last answer of the supervisor.
    pub(super) told: Option<Incarnation>,
    pub(super) watched: Option<Watched>,
}

impl Task {
    pub(super) async fn run(mut self) {
        let mut asking = Box::pin(self.ask());
        loop {
            let died = async {
                match &mut self.watched {
                    Some(watched) => (&mut watched.died).await.unwrap_or_default(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The news first: a monitor that fires at once, again and again, must not hide them.
                biased;
                told = &mut asking => {
                    match told {
                        Ok(Some(told)) => self.told = Some(told),
                        Ok(None) => return self.shows.end(no_child(&self.name)),
                        Err(CallError::Died(reason)) => {
                            // A question to a port that is dying may hear of its end before its monitors do.
                            let over = tokio::time::timeout(RETRY, &mut self.over.died).await;
                            let reason = over.ok().and_then(Result::ok).unwrap_or(reason);
                            if !reason.is_loss() {
                                return self.shows.end(reason);
                            }
                            tokio::time::sleep(RETRY).await;
                            let supervisor = self.over.port.clone();
                            self.over = Watched::new(&self.node, supervisor);
                        }
                        // Too many others wait.
                        Err(CallError::NoReply) => tokio::time::sleep(RETRY).await,
                        // A supervisor that does not understand the question will not do so later.
                        Err(error) => return self.shows.end(Reason::die(error)),
                    }
                    asking = Box::pin(self.ask());
                }
                reason = died => self.has_died(&reason).await,
            }
            self.adopt();
        }
    }

    /// The supervisor's next news of the child.
    fn ask(&self) -> impl Future<Output = Result<Option<Incarnation>, CallError>> + Send + use<> {
        let seen = self.told.as_ref().map(|told| told.number);
        self.supervisor.incarnation(self.name.clone(), seen)
    }

    async fn has_died(&mut self, reason: &Reason) {
        let dead = self.watched.take();
        let next = self.told.as_ref().and_then(|told| told.port.as_ref());
        if next.is_none() || next == dead.as_ref().map(|dead| &dead.port) || reason.is_loss() {
            self.shows.port(None);
        }
        if reason.is_loss() {
            // This node has lost it. The supervisor may still have it, and then it is watched again.
            tokio::time::sleep(RETRY).await;
        } else if let (Some(told), Some(dead)) = (&mut self.told, dead)
            && told.port.as_ref() == Some(&dead.port)
        {
            told.port = None;
        }
    }

    /// Shows the incarnation that the supervisor has told of, if the one before has died.
    fn adopt(&mut self) {
        if self.watched.is_some() {
            return;
        }
        let told = self.told.as_ref();
        if let Some(port) = told.and_then(|told| told.port.clone()) {
            let watched = Watched::new(&self.node, port.clone());
            self.watched = Some(watched);
            self.shows.port(Some(port));
        } else if let Some(reason) = told.and_then(|told| told.done.clone()) {
            self.shows.done(reason);
        } else {
            self.shows.port(None);
        }
    }
}
