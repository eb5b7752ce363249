//! Inspection of a node from anywhere in the network: its details, its connections, its ports and their queues.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use aemp::Node;
//!
//! # let there = Node::builder().node_id("there").secret("s3cret").bind("127.0.0.1:0").start().await?;
//! # let seed = there.listeners().remove(0);
//! let node = Node::builder().node_id("here").secret("s3cret").seed(seed).start().await?;
//! # node.until_up("there").await;
//! let there = node.inspect("there");
//! let info = tokio::time::timeout(Duration::from_secs(5), there.node()).await??;
//! println!("{} runs {}: {} ports", info.id, info.provider, info.ports);
//! for connection in there.connections().await?.connections {
//!     println!("  {}: {} bytes queued", connection.node, connection.queued);
//! }
//! # node.stop().await;
//! # Ok(()) }
//! ```
//!
//! # On the wire
//!
//! `["", "inspect", WHAT, PORTID, MSG...]` is a fixed request of the node port, beside those of the [protocol](aemp_proto::protocol::requests#the-fixed-requests). WHAT
//! is `"node"`, `"connections"`, `"ports"`, `"port"`, `"deaths"`, `"families"`, `"functions"`, `"owners"`, `"counts"`, `"waits"` or `"traces"`, or an array of that text and a map of options, of which there are
//! three: `{"most": N, "kind": TYPE, "since": NUMBER}`. TYPE is a type of ports for `"ports"`, the name of a port for `"port"`, and a family for `"owners"`. NUMBER is that of the first span for
//! `"traces"`. The answer to PORTID is MSG, an error text (empty if there is no error), and one map:
//! [`NodeInfo`], [`Connections`], [`Ports`], [`PortFate`], [`Deaths`], [`Families`], [`Functions`], [`Owners`], [`Counts`], [`Waits`] or [`Traces`]. Both ends ignore unknown keys of a map, and accept missing ones, so versions can be mixed.
//!
//! A reference node does not know the request and would only log it. So it is sent only after `can` has answered that
//! the request is known. Otherwise the caller gets [`InspectError::Unknown`]. (A reference node that has got the
//! request from another program answers `can` with yes from then on, and never answers the request: another reason to
//! set a time limit.)
//!
//! An inspection changes nothing, so every authenticated peer may do it, in secure mode as well. If
//! [`allow`](crate::NodeBuilder::allow) lists the permitted functions and `inspect` is not among them, the answer is
//! an error text. An answer is bounded: by default it lists at most [`MOST`] ports, connections or families, together
//! with their number. A node counts its ports for one question at a time, and in small steps. An answer that took the node more than 10 ms is given
//! out again until three hundred times that has passed. So inspections cost a node at most about a three-hundredth of a worker for each kind of
//! question, and the answers of a node with a million ports may be half a minute old.

mod activity;
mod answer;
mod counts;
mod deaths;
mod error;
mod info;
mod ports;
#[cfg(all(test, feature = "json"))]
mod tests;
mod throttle;
mod traces;
mod waits;

use std::fmt;

use aemp_codec::{NodeId, PortId, Value, from_value};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

#[cfg(feature = "metrics")]
pub(crate) use self::answer::link;
pub(crate) use self::ports::visit;
use self::throttle::Kept;
pub use self::{
    activity::{
        CallCounts, Counts, ExecutorInfo, HandlerCounts, RunningInfo, Times, TypeCounts, WaitInfo,
        Waits,
    },
    deaths::{DeathInfo, Deaths, PortFate},
    error::InspectError,
    info::{
        ConnectionInfo, Connections, Direction, Families, FamilyInfo, Functions, NodeInfo, Owners,
        PortInfo, PortTypeInfo, Ports, Role, SeedFailure, SeedFailureKind, SeedInfo, Traffic,
    },
    traces::{SpanEvent, SpanInfo, Traces},
};
use super::Node;
use crate::CallError;
use aemp_proto::request::INSPECT;

/// The number of ports, connections or families that an answer lists by default.
pub const MOST: usize = 1000;

/// The state of a node's inspections.
#[derive(Debug)]
pub(super) struct Inspection {
    started: Instant,
    /// Held while the ports are counted.
    ports: tokio::sync::Mutex<Kept<(usize, Option<String>), Ports>>,
    /// Held while the waiting handlers are asked.
    waits: tokio::sync::Mutex<Kept<usize, Waits>>,
    deaths: deaths::Remembered,
}

impl Inspection {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            ports: tokio::sync::Mutex::default(),
            waits: tokio::sync::Mutex::default(),
            deaths: deaths::Remembered::default(),
        }
    }
}

impl Node {
    /// Inspects a node: this one, or any reachable node of this project. Nothing is sent until one of the methods of
    /// the result is called.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::local()?;
    /// let port = node.untyped(|_: &mut aemp::Cx<'_>, _: aemp::Args| ());
    /// let ports = node.inspect(node.id()).ports().await?;
    /// assert_eq!((ports.total, &*ports.ports[0].kind), (1, "untyped"));
    /// assert_eq!(ports.ports[0].id, port.id().as_str());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn inspect(&self, node: impl AsRef<str>) -> Inspect {
        Inspect {
            node: self.clone(),
            of: node.as_ref().into(),
            most: None,
            kind: None,
            since: None,
        }
    }
}

/// The questions that can be asked of one node. Made by [`Node::inspect`].
///
/// A question connects to the node if necessary, and ends when the node is lost. It has no time limit of its own; use
/// `tokio::time::timeout`.
///
/// # Cancel safety
///
/// Dropping a question removes everything that it has set up. A late answer vanishes.
#[derive(Clone)]
pub struct Inspect {
    node: Node,
    of: String,
    most: Option<usize>,
    kind: Option<String>,
    since: Option<u64>,
}

impl Inspect {
    /// Limits the number of listed ports, connections or families. Default: [`MOST`]; at most ten thousand.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        let most = Some(most);
        Self { most, ..self }
    }

    /// Lists only ports of this type, by the name in [`PortInfo::kind`]. A node of an older version lists all.
    #[must_use]
    pub fn of_kind(self, kind: impl Into<String>) -> Self {
        let kind = Some(kind.into());
        Self { kind, ..self }
    }

    /// The node's details.
    ///
    /// # Errors
    ///
    /// [`InspectError`].
    pub async fn node(&self) -> Result<NodeInfo, InspectError> {
        if self.is_own() {
            return Ok(self.node.info());
        }
        self.ask("node").await
    }

    /// The node's connections.
    ///
    /// # Errors
    ///
    /// [`InspectError`].
    pub async fn connections(&self) -> Result<Connections, InspectError> {
        if self.is_own() {
            return Ok(self.node.connections(self.limit()));
        }
        self.ask("connections").await
    }

    /// The node's ports: those with the longest queues, and the number of each type.
    ///
    /// # Errors
    ///
    /// [`InspectError`].
    pub async fn ports(&self) -> Result<Ports, InspectError> {
        if self.is_own() {
            return Ok(ports::count(&self.node, self.limit(), self.kind.as_deref()).await);
        }
        self.ask("ports").await
    }

    /// One port of the node, by the name in its ID: its details if it is alive, or the reason of its death.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::local()?;
    /// let port = node.empty_port();
    /// let id = port.id();
    /// assert!(node.inspect(node.id()).port(id.name()).await?.alive.is_some());
    /// port.kill(vec!["die".into(), "an example".into()]);
    /// # tokio::task::yield_now().await;
    /// let fate = node.inspect(node.id()).port(id.name()).await?;
    /// assert_eq!(fate.died.unwrap().reason.to_string(), "die an example");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InspectError`]; `Refused` from a node of an older version.
    pub async fn port(&self, name: &str) -> Result<PortFate, InspectError> {
        if self.is_own() {
            return Ok(self.node.fate(name));
        }
        let of = self.clone().of_kind(name);
        of.ask("port").await
    }

    /// The last ports of the node that have died of a reason.
    ///
    /// # Errors
    ///
    /// [`InspectError`]; `Refused` from a node of an older version.
    pub async fn deaths(&self) -> Result<Deaths, InspectError> {
        if self.is_own() {
            return Ok(self.node.last_deaths(self.limit()));
        }
        self.ask("deaths").await
    }

    /// The families of the distributed database that the node knows. A global node knows all.
    ///
    /// # Errors
    ///
    /// [`InspectError`].
    pub async fn families(&self) -> Result<Families, InspectError> {
        if self.is_own() {
            return Ok(self.node.families(self.limit()));
        }
        self.ask("families").await
    }

    /// The owners of the keys of a family, as far as the node knows them.
    ///
    /// # Errors
    ///
    /// [`InspectError`]; `Refused` from a node of an older version.
    pub async fn owners(&self, family: &str) -> Result<Owners, InspectError> {
        if self.is_own() {
            return Ok(self.node.owners(family, self.limit()));
        }
        let of = self.clone().of_kind(family);
        of.ask("owners").await
    }

    /// The functions that can be spawned and called on the node.
    ///
    /// # Errors
    ///
    /// [`InspectError`].
    pub async fn functions(&self) -> Result<Functions, InspectError> {
        if self.is_own() {
            return Ok(self.node.functions());
        }
        self.ask("functions").await
    }

    /// The node's counts: messages, calls and their times by type and handler, deaths, restarts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::local()?;
    /// node.empty_port().kill(vec!["die".into(), "an example".into()]);
    /// # tokio::task::yield_now().await;
    /// let counts = node.inspect(node.id()).counts().await?;
    /// assert_eq!(counts.types[0].died["die"], 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InspectError`]; `Refused` from a node of an older version.
    pub async fn counts(&self) -> Result<Counts, InspectError> {
        if self.is_own() {
            return Ok(self.node.counts(self.limit()));
        }
        self.ask("counts").await
    }

    /// The node's handlers that wait for calls.
    ///
    /// # Errors
    ///
    /// [`InspectError`]; `Refused` from a node of an older version.
    pub async fn waits(&self) -> Result<Waits, InspectError> {
        if self.is_own() {
            return Ok(waits::find(&self.node, self.limit()).await);
        }
        self.ask("waits").await
    }

    /// The spans of sampled traces that have ended at the node, from this number on: 0 at first, and then
    /// [`Traces::next`]. With each question, but once a second at most, the node takes a [sample](Traces).
    ///
    /// ```
    /// # #[cfg(not(feature = "trace"))] fn main() {}
    /// # #[cfg(feature = "trace")]
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aemp::{Node, port};
    ///
    /// struct Shop;
    ///
    /// #[port]
    /// impl Shop {
    ///     #[rcv]
    ///     fn buy(&self) -> u32 { 5 }
    /// }
    ///
    /// let node = Node::local()?;
    /// let first = node.inspect(node.id()).traces(0).await?;
    /// node.port(Shop).buy().await?;
    /// let traces = node.inspect(node.id()).traces(first.next).await?;
    /// assert_eq!(traces.spans[0].handler, "buy");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InspectError`]; `Refused` from a node that is built without the feature `trace`, or is of an older version.
    pub async fn traces(&self, since: u64) -> Result<Traces, InspectError> {
        if self.is_own() {
            let refused = |text: &str| InspectError::Refused {
                node: self.of.clone(),
                text: text.into(),
            };
            return self.node.sampled(since, self.limit()).map_err(refused);
        }
        let since = Some(since);
        let of = Self {
            since,
            ..self.clone()
        };
        of.ask("traces").await
    }

    fn is_own(&self) -> bool {
        self.of == self.node.id().as_str()
    }

    fn limit(&self) -> usize {
        answer::limit(self.most)
    }

    async fn ask<T: DeserializeOwned>(&self, subject: &str) -> Result<T, InspectError> {
        let id = NodeId::new(&self.of).map_err(|error| InspectError::NodeId {
            node: self.of.clone(),
            error,
        })?;
        let port = PortId::from(id);
        if !self.knows(&port).await? {
            return Err(InspectError::Unknown {
                node: self.of.clone(),
                provider: self
                    .connection()
                    .and_then(|connection| connection.provider.clone()),
            });
        }
        let message = vec![
            INSPECT.into(),
            answer::question(subject, self.most, self.kind.as_deref(), self.since),
        ];
        let answer = self.call(&port, message).await?;
        let mut answer = answer.into_iter();
        let error = answer.next().unwrap_or_default();
        let error = error.text().unwrap_or_default();
        if !error.is_empty() {
            return Err(InspectError::Refused {
                node: self.of.clone(),
                text: error.into_owned(),
            });
        }
        from_value(answer.next().unwrap_or_default()).map_err(|error| InspectError::Answer {
            node: self.of.clone(),
            error,
        })
    }

    /// True if the node knows the request. It is asked once for each connection.
    async fn knows(&self, port: &PortId) -> Result<bool, InspectError> {
        let known = self
            .connection()
            .and_then(|connection| connection.inspects.get().copied());
        if let Some(known) = known {
            return Ok(known);
        }
        let message = vec!["can".into(), INSPECT.into()];
        let answer = self.call(port, message).await?;
        let known = answer.into_iter().next().unwrap_or_default();
        // Perl's form of true and false.
        let known = from_value(known).unwrap_or(false);
        if let Some(connection) = self.connection() {
            // Two questions at once get the same answer, so the first one may win.
            let _ = connection.inspects.set(known);
        }
        Ok(known)
    }

    async fn call(&self, port: &PortId, message: Vec<Value>) -> Result<Vec<Value>, InspectError> {
        let answer = self.node.cal(port, message).await;
        answer.map_err(|error: CallError| InspectError::Call {
            node: self.of.clone(),
            error,
        })
    }

    fn connection(&self) -> Option<std::sync::Arc<super::peer::connection::Connection>> {
        self.node.peers().get(&self.of)?.connection()
    }
}

impl fmt::Debug for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspect")
            .field("of", &self.of)
            .finish_non_exhaustive()
    }
}
