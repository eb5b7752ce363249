//! Opening streams to functions of other nodes ([protocol](aemp_proto::protocol::services#data-connections)).

use std::{future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use aemp_codec::{NodeId, PortId, Value};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    ByteStream, Local, WAIT, Wired,
    inline::{self, Inline},
    offer::random_id,
};
use crate::{
    Args, Cx, Node, Origin, Reason,
    node::streams::{CONNECT, DATA_CONN, Dials, EXPECT, Key, LONGEST, Then},
};
use aemp_proto::mesh::Way;

/// The time after which the next address is tried, while earlier attempts go on.
pub(crate) const NEXT_ADDRESS: Duration = Duration::from_secs(2);

/// The result of connecting an end.
pub(crate) enum Opened {
    Wired(Box<Wired>),
    Inline(Box<Inline>),
    Local(Local),
    Failed(String),
}

/// The progress of opening.
pub(crate) enum Step {
    /// The other node has got the call of `_expect`.
    Announced,
    Connected(Box<Wired>),
    /// One attempt has failed.
    Failed(String),
    /// The other node refuses the stream.
    Refused(Reason),
}

/// An error of opening a stream.
///
/// As a [`Reason`], it is that of the reference: `["AnyEvent::MP::DataConn", TEXT]`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The stream was not connected in time.
    #[error("{node}: unable to establish connection within {} seconds", .within.as_secs_f64())]
    TimedOut {
        /// The other node.
        node: String,
        /// The time limit.
        within: Duration,
    },
    /// Neither node listens, and they are not connected through a relay.
    #[error("{0}: no listeners found")]
    NoListeners(String),
    /// No address of the node could be connected. The text is that of the last failure.
    #[error("{node}: {text}")]
    Unreachable {
        /// The other node.
        node: String,
        /// The text of the failure.
        text: String,
    },
    /// The other node does not want the stream: it has no such function, or has ended.
    #[error("{node}: refused: {reason}")]
    Refused {
        /// The other node.
        node: String,
        /// The reason that it gives.
        reason: Reason,
    },
    /// The text that stands for the node is neither a node ID nor a port ID, or this node has no network.
    #[error("{0}")]
    NoNode(String),
}

impl From<StreamError> for Reason {
    fn from(error: StreamError) -> Self {
        Self::new(vec![DATA_CONN.into(), error.to_string().into()])
    }
}

impl Node {
    /// Opens a stream to a function of another node, which gets the other end and these arguments. A port ID stands
    /// for its node. The function is one of
    /// [`NodeBuilder::stream_function`](crate::NodeBuilder::stream_function), or any function of a Perl node.
    ///
    /// The function runs as soon as the connection is there. It is subject to the other node's `allow` and `secure`.
    ///
    /// ```no_run
    /// # async fn example(node: aemp::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut stream = node.open_stream("archive", "My::Archive::put", aemp::args!["a.txt"]).await?;
    /// stream.write_all(b"hello").await?;
    /// stream.shutdown().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StreamError`].
    ///
    /// # Cancel safety
    ///
    /// The connection is given up. The function may have been called already; its end breaks then.
    #[doc(alias = "connect_to")]
    #[must_use = "nothing is opened unless this is awaited"]
    pub fn open_stream(
        &self,
        node: impl AsRef<str>,
        function: impl Into<String>,
        args: Args,
    ) -> OpenStream {
        OpenStream {
            node: self.clone(),
            to: node.as_ref().into(),
            function: function.into(),
            args,
            within: WAIT,
        }
    }
}

/// A stream that is to be opened, by [`Node::open_stream`]. Await it.
#[derive(Debug)]
pub struct OpenStream {
    node: Node,
    to: String,
    function: String,
    args: Args,
    within: Duration,
}

impl OpenStream {
    /// Sets the time limit, which is [`WAIT`] otherwise. It is an hour at most.
    #[must_use]
    pub fn timeout(mut self, within: Duration) -> Self {
        self.within = within.min(LONGEST);
        self
    }

    async fn open(self) -> Result<ByteStream, StreamError> {
        let to = self.node.node_port(&self.to);
        let to = to.map_err(|error| StreamError::NoNode(error.to_string()))?;
        let to = NodeId::new(to.node()).map_err(|error| StreamError::NoNode(error.to_string()))?;
        if to == *self.node.id() {
            return self.open_here(to.as_str());
        }
        if self.node.net().is_none() {
            return Err(StreamError::NoNode("this node has no network".into()));
        }
        let mut attempt = Attempt::new(&self.node, to, self.within)?;
        attempt.announce(&self.function, self.args);
        let wired = attempt.run().await?;
        Ok(ByteStream::wired(wired))
    }

    /// Opens a stream to a function of this node.
    fn open_here(self, node: &str) -> Result<ByteStream, StreamError> {
        let Some(run) = self.node.registry().stream_function(&self.function) else {
            return Err(StreamError::Refused {
                node: node.into(),
                reason: Reason::die(format!("unable to resolve function '{}'", self.function)),
            });
        };
        let (mine, theirs) = ByteStream::local();
        let (run, args) = (Arc::clone(run), self.args);
        self.node
            .run_stream_function(async move { run(Origin::Local, args, theirs).await });
        Ok(mine)
    }
}

impl IntoFuture for OpenStream {
    type Output = Result<ByteStream, StreamError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

/// An attempt to open a stream. Dropping it gives the attempt up.
struct Attempt {
    node: Node,
    to: NodeId,
    key: Key,
    /// The port that the other node kills if the stream fails. A stream in a message has none.
    port: Option<PortId>,
    within: Duration,
    deadline: Instant,
    steps: mpsc::UnboundedReceiver<Step>,
    dials: Dials,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.node.forget_stream(&self.key);
        if let Some(port) = &self.port {
            self.node.kil(port, ());
        }
    }
}

impl Attempt {
    fn new(node: &Node, to: NodeId, within: Duration) -> Result<Self, StreamError> {
        let (sender, steps) = mpsc::unbounded_channel();
        let announced = sender.clone();
        let port = node.untyped(move |_: &mut Cx<'_>, _: Args| {
            let _ = announced.send(Step::Announced);
        });
        let port = port.id();
        let killed = sender.clone();
        node.mon(&port, move |reason| {
            let _ = killed.send(Step::Refused(reason.clone()));
        })
        .detach();
        let id = random_id(node).map_err(StreamError::NoNode)?;
        let attempt = Self::begin(node, to, id, Some(port), within, steps);
        let expects = node.expect(attempt.key.clone(), Then::Open(sender), within);
        expects.map_err(|text| StreamError::NoNode(text.into()))?;
        Ok(attempt)
    }

    fn begin(
        node: &Node,
        to: NodeId,
        id: String,
        port: Option<PortId>,
        within: Duration,
        steps: mpsc::UnboundedReceiver<Step>,
    ) -> Self {
        let from = Some(to.clone());
        Self {
            node: node.clone(),
            to,
            key: Key { from, id },
            port,
            within,
            deadline: Instant::now() + within,
            steps,
            dials: Dials::new(node),
        }
    }

    fn unreachable(&self, text: String) -> StreamError {
        let node = self.to.as_str().into();
        StreamError::Unreachable { node, text }
    }

    fn announce(&self, function: &str, args: Args) {
        let (to, Some(port)) = (self.to.as_str(), &self.port) else {
            return;
        };
        let mut call: Vec<Value> = vec![
            self.key.id.as_str().into(),
            port.as_str().into(),
            self.within.as_secs_f64().into(),
            function.into(),
        ];
        call.extend(args);
        let _ = self.node.snd_to_func(to, EXPECT, call);
        // The connection must not overtake the call, which goes another way.
        let _ = self.node.snd_on(to, port, Vec::new());
    }

    async fn run(&mut self) -> Result<Wired, StreamError> {
        loop {
            match self.step(self.deadline).await? {
                Some(Step::Announced) => return self.connect().await,
                Some(Step::Connected(wired)) => return Ok(*wired),
                Some(Step::Failed(_)) => {}
                Some(Step::Refused(reason)) => return Err(self.refused(reason)),
                None => return Err(self.timed_out()),
            }
        }
    }

    /// Tries the ways to the node in turn, or has the node connect to this one.
    async fn connect(&mut self) -> Result<Wired, StreamError> {
        let mut ways = self.ways().await?.into_iter();
        let mut dialing = 0_usize;
        let mut failure = None;
        loop {
            let mut until = self.deadline;
            if let Some(way) = ways.next() {
                self.dials.dial(&way, &self.to, &self.key.id);
                dialing += 1;
                until = until.min(Instant::now() + NEXT_ADDRESS);
            } else if dialing == 0
                && let Some(text) = failure
            {
                return Err(self.unreachable(text));
            }
            match self.step(until).await? {
                Some(Step::Connected(wired)) => return Ok(*wired),
                Some(Step::Refused(reason)) => return Err(self.refused(reason)),
                Some(Step::Failed(text)) => {
                    dialing = dialing.saturating_sub(1);
                    failure = Some(text);
                }
                None if until == self.deadline => return Err(self.timed_out()),
                Some(Step::Announced) | None => {}
            }
        }
    }

    /// The ways to the node. A node without any is asked to connect to this one.
    async fn ways(&self) -> Result<Vec<Way>, StreamError> {
        let looked_up = timeout_at(self.deadline, self.node.ways_to(&self.to)).await;
        let ways = looked_up.map_err(|_| self.timed_out())?;
        if ways.is_empty() {
            if self.node.listeners().is_empty() {
                return Err(StreamError::NoListeners(self.to.as_str().into()));
            }
            let id = self.key.id.as_str().into();
            let call = vec![id, self.node.id().as_str().into()];
            let _ = self.node.snd_to_func(self.to.as_str(), CONNECT, call);
        }
        Ok(ways)
    }

    /// The next step; none at the deadline.
    async fn step(&mut self, deadline: Instant) -> Result<Option<Step>, StreamError> {
        let over = || Err(StreamError::NoNode("this node has ended".into()));
        match timeout_at(deadline, self.steps.recv()).await {
            // The end of the node kills the port.
            Ok(Some(Step::Refused(_))) if self.node.life().is_ending() => over(),
            Ok(Some(step)) => Ok(Some(step)),
            // The port is dead, and the table has forgotten the stream.
            Ok(None) => over(),
            Err(_) => Ok(None),
        }
    }

    fn timed_out(&self) -> StreamError {
        StreamError::TimedOut {
            node: self.to.as_str().into(),
            within: self.within,
        }
    }

    fn refused(&self, reason: Reason) -> StreamError {
        let node = self.to.as_str().into();
        StreamError::Refused { node, reason }
    }
}

/// Connects an end that has come in a message, or opens it over the connection of the nodes.
pub(super) async fn fetch(
    node: Node,
    from: NodeId,
    id: String,
    mut result: oneshot::Sender<Opened>,
) {
    let opened = tokio::select! {
        biased;
        () = result.closed() => return,
        opened = inline::fetch(&node, &from, &id) => opened,
    };
    match opened {
        Some(opened) => {
            let _ = result.send(opened.unwrap_or_else(Opened::Failed));
        }
        None => connect(node, from, id, result).await,
    }
}

/// Connects an end that the other node expects.
pub(super) async fn connect(
    node: Node,
    from: NodeId,
    id: String,
    mut result: oneshot::Sender<Opened>,
) {
    let opened = async {
        let mut attempt = Attempt::of_offer(&node, from, id)?;
        let connected = attempt.connect().await;
        connected.map_err(|error| error.to_string())
    };
    let opened = tokio::select! {
        biased;
        () = result.closed() => return,
        opened = opened => opened,
    };
    let _ = result.send(match opened {
        Ok(wired) => Opened::Wired(Box::new(wired)),
        Err(text) => Opened::Failed(text),
    });
}

impl Attempt {
    /// The attempt to fetch a stream that the other node has announced in a message.
    fn of_offer(node: &Node, from: NodeId, id: String) -> Result<Self, String> {
        if node.net().is_none() {
            return Err("this node has no network".into());
        }
        let (sender, steps) = mpsc::unbounded_channel();
        let attempt = Self::begin(node, from, id, None, WAIT, steps);
        node.expect(attempt.key.clone(), Then::Open(sender), WAIT)?;
        Ok(attempt)
    }
}
