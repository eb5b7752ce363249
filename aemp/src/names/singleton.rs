//! Singletons: one instance of a port in the network.
//!
//! Each candidate node has a supervisor with one child, whose closure claims the name and waits until it holds it. Only
//! then it makes the port. So everything else is the supervisor's: a port that dies is made again after a back-off, by
//! the candidate that is then the first in line. The claim is linked to the port and ends with it, and the port dies when
//! the claim is lost.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use super::{Claim, Terms, claim::lost};
use crate::{
    CallError, DbError, Node, PortRef, Reason, guard,
    names::ClaimEnd,
    supervisor::{Follow, Restart, Supervisor, SupervisorRef},
};

/// A candidate of this node for the one instance of a port, made by [`Node::singleton`]. It dereferences to a [`Follow`]
/// of the instance, wherever that is. The candidate stays until [`leave`](Self::leave), or until its node stops.
pub struct Singleton<R> {
    follow: Follow<R>,
    candidate: SupervisorRef,
}

impl Node {
    /// Makes this node a candidate for the one instance of a port in the network, with the default [`Terms`]. `init` runs
    /// on the candidate that holds the name, and makes the port. When the port dies, or its node is lost or stops, the
    /// next candidate makes another one.
    ///
    /// ```
    /// use aemp::{Node, port};
    ///
    /// #[derive(Default)]
    /// struct Tickets { last: u64 }
    ///
    /// #[port]
    /// impl Tickets {
    ///     #[rcv] fn next(&mut self) -> u64 { self.last += 1; self.last }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let tickets = node.singleton("tickets", |node| node.port(Tickets::default()))?;
    /// assert_eq!(tickets.call(|tickets| tickets.next()).await?, 1);
    /// tickets.leave().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the name is too long.
    #[doc(alias = "ClusterSingleton")]
    pub fn singleton<R: PortRef>(
        &self,
        name: &str,
        init: impl Fn(&Self) -> R + Send + Sync + 'static,
    ) -> Result<Singleton<R>, DbError> {
        self.singleton_with(name, Terms::default(), init)
    }

    /// As [`singleton`](Self::singleton), with other terms. All candidates should have the same.
    ///
    /// # Errors
    ///
    /// As [`singleton`](Self::singleton).
    pub fn singleton_with<R: PortRef>(
        &self,
        name: &str,
        terms: Terms,
        init: impl Fn(&Self) -> R + Send + Sync + 'static,
    ) -> Result<Singleton<R>, DbError> {
        let follow = self.follow(name)?;
        let made = Arc::new((String::from(name), terms, init));
        let make = move |node: Self| {
            let made = Arc::clone(&made);
            async move {
                let (name, terms, init) = &*made;
                instance(&node, name, terms, init).await
            }
        };
        let candidate = Supervisor::builder()
            .intensity(u32::MAX, Duration::from_secs(1))
            .child_async(name, Restart::Permanent, make)
            .start(self);
        Ok(Singleton { follow, candidate })
    }
}

/// Waits for the name, and makes the port.
async fn instance<R: PortRef>(
    node: &Node,
    name: &str,
    terms: &Terms,
    init: &(impl Fn(&Node) -> R + Send + Sync),
) -> Result<R, Reason> {
    let claim = Claim::begin(node, name, None, terms).map_err(Reason::die)?;
    claim.held().await.map_err(Reason::die)?;
    let port = guard::run(|| init(node))?;
    let claim = claim.linked();
    if !claim.stands_for(port.handle().id()) {
        let reason = lost(&ClaimEnd::Lost { to: None });
        port.handle().kill(reason.clone());
        return Err(reason);
    }
    claim.detach();
    Ok(port)
}

impl<R> Singleton<R> {
    /// Ends the candidate. If it has the instance, that is ended too, and the next candidate makes another one.
    ///
    /// # Errors
    ///
    /// [`CallError`] if this node has stopped, or the candidate has left before.
    ///
    /// # Cancel safety
    ///
    /// If it was polled once, the candidate ends also if it is dropped.
    pub async fn leave(&self) -> Result<(), CallError> {
        self.candidate.shutdown().await
    }
}

impl<R> Deref for Singleton<R> {
    type Target = Follow<R>;

    fn deref(&self) -> &Follow<R> {
        &self.follow
    }
}

impl<R> Clone for Singleton<R> {
    fn clone(&self) -> Self {
        Self {
            follow: self.follow.clone(),
            candidate: self.candidate.clone(),
        }
    }
}

impl<R> fmt::Debug for Singleton<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Singleton")
            .field("name", &self.follow.name())
            .finish_non_exhaustive()
    }
}
