//! Claims: names of the network, as their claimants see them.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use aemp_codec::{PortId, Value};
use thiserror::Error;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use super::{
    Terms,
    machine::{Machine, Settings},
    task::{Order, Task},
    view,
};
use crate::{DbError, Node, PortRef, Reason, WeakNode, guard, lock::Lock, port::Watched};
use aemp_proto::global::check_family;

/// The kind of the reason with which a port dies that has lost its name.
const NAME_LOST: &str = "name_lost";

/// The state of a [`Claim`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClaimState {
    /// It waits for the name.
    Waiting {
        /// The port that has the name; `None` if none has, as far as this node knows.
        holder: Option<PortId>,
    },
    /// It holds the name.
    Held,
    /// It has ended.
    Ended(ClaimEnd),
}

/// The end of a [`Claim`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClaimEnd {
    /// Another part of the network has a holder that is older.
    Lost {
        /// The port that has the name, if it is known.
        to: Option<PortId>,
    },
    /// The node is cut off from the network, and the claim is [`only_joined`](Terms::only_joined).
    CutOff,
    /// The port has died.
    Died(Reason),
    /// The claim was dropped.
    Released,
    /// The node has stopped.
    Stopped,
}

impl ClaimEnd {
    /// True if the name was lost, and the port lives.
    pub(super) fn is_loss(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::CutOff)
    }
}

/// The error of [`Claim::held`] and [`Claim::decided`].
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another port has the name. The claim waits in line.
    #[error("the name {name:?} is taken by {by}")]
    Taken {
        /// The name.
        name: String,
        /// The port that has it.
        by: PortId,
    },
    /// The claim has ended.
    #[error("the claim to the name {name:?} has ended: {}", match .end {
        ClaimEnd::Lost { .. } => "an older port has the name",
        ClaimEnd::CutOff => "the node is cut off from the network",
        ClaimEnd::Died(_) => "the port has died",
        ClaimEnd::Released => "it was given up",
        ClaimEnd::Stopped => "the node has stopped",
    })]
    Ended {
        /// The name.
        name: String,
        /// The reason.
        end: ClaimEnd,
    },
}

/// The reason of a port that dies because its claim has ended.
pub(super) fn lost(end: &ClaimEnd) -> Reason {
    let text = match end {
        ClaimEnd::CutOff => "the node is cut off from the network",
        _ => "another port has the name for longer",
    };
    Reason::new(vec![NAME_LOST.into(), text.into()])
}

/// The state of a claim, shared by its owner and its task.
pub(super) struct Shared {
    state: Lock<ClaimState>,
    changed: Notify,
}

impl Shared {
    pub(super) fn show(&self, state: ClaimState) {
        let before = std::mem::replace(&mut *self.state.lock(), state);
        drop(before);
        guard::shielded(|| self.changed.notify_waiters());
    }

    async fn until<T>(&self, done: impl Fn(&ClaimState) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let state = self.state.lock().clone();
            if let Some(done) = done(&state) {
                return done;
            }
            changed.await;
        }
    }

    async fn ended(&self) -> ClaimEnd {
        self.until(|state| match state {
            ClaimState::Ended(end) => Some(end.clone()),
            ClaimState::Waiting { .. } | ClaimState::Held => None,
        })
        .await
    }
}

/// A claim to a name of the network, made by [`Node::claim`]. **Dropping it gives the name up**; [`detach`](Self::detach)
/// keeps it until the port dies.
///
/// ```
/// use aemp::{Node, names::ClaimState, port};
///
/// struct Log;
///
/// #[port]
/// impl Log {
///     #[rcv] fn lines(&self) -> u32 { 3 }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let first = node.claim("log", &node.port(Log))?;
/// first.held().await?;
/// let second = node.claim("log", &node.port(Log))?;
/// assert!(second.decided().await.is_err(), "it is taken");
/// drop(first);
/// second.held().await?;
/// assert_eq!(second.state(), ClaimState::Held);
/// # Ok(()) }
/// ```
#[must_use = "dropping it gives the name up; `.detach()` keeps it"]
pub struct Claim {
    node: WeakNode,
    name: String,
    /// `None` if the port was not there when the claim began.
    port: Option<PortId>,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Node {
    /// Claims a name of the network for a port, with the default [`Terms`]. At most one port of the network has the name;
    /// while another one has it, the claim waits in line.
    ///
    /// In a network that is cut in two, each part may have a port of this name. [`handbook::names`](crate::handbook::names)
    /// says for how long, and which of them loses it.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the name is too long: with its escapes, it must not have more than 243 bytes.
    #[doc(alias = "global")]
    #[doc(alias = "register_name")]
    pub fn claim<R: PortRef>(&self, name: &str, port: &R) -> Result<Claim, DbError> {
        self.claim_with(name, port, &Terms::default())
    }

    /// As [`claim`](Self::claim), with other terms. All claims of one name should have the same.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim).
    pub fn claim_with<R: PortRef>(
        &self,
        name: &str,
        port: &R,
        terms: &Terms,
    ) -> Result<Claim, DbError> {
        Claim::begin(self, name, Some(port.handle().id()), terms)
    }
}

impl Claim {
    /// Begins a claim, for a port or for one that will be made.
    pub(super) fn begin(
        node: &Node,
        name: &str,
        port: Option<PortId>,
        terms: &Terms,
    ) -> Result<Self, DbError> {
        let family = view::family(name);
        check_family(&family)?;
        // The name is never given to a port of this node. A key that begins with the node's ID goes with the node.
        let key = PortId::new(node.id(), &node.names().spawned());
        let key: Arc<str> = key.as_str().into();
        let settings = settings(node, terms);
        let shared = Arc::new(Shared {
            state: Lock::new(ClaimState::Waiting { holder: None }),
            changed: Notify::new(),
        });
        let (orders, taken) = mpsc::unbounded_channel();
        let task = Task {
            node: node.clone(),
            watch: node.family::<Value>(&family)?.watch(),
            family,
            settle: settings.settle,
            machine: Machine::new(Arc::clone(&key), settings),
            key,
            orders: taken,
            shared: Arc::downgrade(&shared),
            origin: Instant::now(),
            port: port.clone().map(|port| Watched::new(node, port)),
            linked: false,
            kept: false,
            entry: None,
        };
        node.scheduler().spawn(task.run());
        Ok(Self {
            node: node.downgrade(),
            name: name.into(),
            port,
            shared,
            orders,
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its present state.
    #[must_use]
    pub fn state(&self) -> ClaimState {
        self.shared.state.lock().clone()
    }

    /// Waits until it holds the name.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Ended`] if the claim ends before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect. The claim goes on.
    pub async fn held(&self) -> Result<(), ClaimError> {
        self.until(|state| match state {
            ClaimState::Held => Some(Ok(())),
            ClaimState::Ended(end) => Some(Err(self.has_ended(end))),
            ClaimState::Waiting { .. } => None,
        })
        .await
    }

    /// Waits until it holds the name, or it is known that another port does. The claim then waits in line, until it is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Taken`] if another port has the name. [`ClaimError::Ended`] if the claim ends before.
    ///
    /// # Cancel safety
    ///
    /// As [`held`](Self::held).
    pub async fn decided(&self) -> Result<(), ClaimError> {
        self.until(|state| match state {
            ClaimState::Held => Some(Ok(())),
            ClaimState::Ended(end) => Some(Err(self.has_ended(end))),
            ClaimState::Waiting { holder } => {
                let (name, by) = (self.name.clone(), holder.clone()?);
                Some(Err(ClaimError::Taken { name, by }))
            }
        })
        .await
    }

    /// Waits until the claim has ended, and returns the reason. So the loser of a name is told.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect. The claim goes on.
    pub async fn lost(&self) -> ClaimEnd {
        self.shared.ended().await
    }

    async fn until<T>(&self, done: impl Fn(&ClaimState) -> Option<T>) -> T {
        self.shared.until(done).await
    }

    fn has_ended(&self, end: &ClaimEnd) -> ClaimError {
        let (name, end) = (self.name.clone(), end.clone());
        ClaimError::Ended { name, end }
    }

    /// Lets the port die when the claim loses the name, with the reason `name_lost, TEXT`. If it has lost it already, the
    /// port dies now.
    pub fn linked(self) -> Self {
        // A claim that has ended, or is about to, takes no orders.
        if self.orders.send(Order::Link).is_err()
            && let (Some(node), Some(port)) = (self.node.upgrade(), self.port.clone())
        {
            let shared = Arc::clone(&self.shared);
            let scheduler = node.scheduler().clone();
            scheduler.spawn(async move {
                let end = shared.ended().await;
                if end.is_loss() {
                    node.kil(&port, lost(&end));
                }
            });
        }
        self
    }

    /// Keeps the claim until its port dies or it loses the name.
    pub fn detach(self) {
        let _ = self.orders.send(Order::Keep);
    }

    /// Lets the name stand for a port. False if the claim has ended.
    pub(super) fn stands_for(&self, port: PortId) -> bool {
        self.orders.send(Order::Port(port)).is_ok()
    }
}

/// The settings of a claim of this node.
fn settings(node: &Node, terms: &Terms) -> Settings {
    let (settle, grace) = match node.net() {
        Some(net) => (terms.settle, 2 * net.connect_interval()),
        None => (Duration::ZERO, Duration::ZERO),
    };
    Settings {
        settle,
        grace: terms.grace.unwrap_or(grace),
        only_joined: terms.only_joined,
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("name", &self.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
