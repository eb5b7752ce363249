//! A port that stands in for an actor and records its messages.
//!
//! The port passes its messages to a channel, and the test takes them from there. So a message is looked at in the test,
//! with the place of the expectation in the text of a failure. Alternative: a process with a mailbox; but its messages
//! are values, and a typed message of this node moves without being encoded.

use std::{fmt, future::Future, panic::Location, time::Duration};

use aemp_codec::{PacketReader, PortId, Value};
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    Args, Cx, Handle, Node, Reason, UntypedMsg,
    message::{Decoding, Message, Port, PortRef},
    port::untyped::Kind,
};

/// The time for which expectations wait, unless [`Probe::within`] sets another.
const LIMIT: Duration = Duration::from_secs(5);

/// A port for tests, which records its messages. The test takes its messages one by one, and answers calls.
///
/// A probe of the messages of another port stands in for that port. An [untyped](Probe::untyped) one takes any messages.
///
/// ```
/// use std::time::Duration;
/// use aemp::{Reply, port, test::{self, Probe}};
///
/// #[port]
/// impl Bell {
///     #[rcv]
///     fn ring(&mut self, times: u32) {}
///
///     #[rcv]
///     fn is_free(&self) -> bool { true }
/// }
///
/// struct Bell;
/// struct Door { bell: BellRef }
///
/// #[port]
/// impl Door {
///     #[rcv]
///     async fn knock(&mut self) {
///         if matches!(self.bell.is_free().await, Ok(true)) {
///             self.bell.ring(2);
///         }
///     }
/// }
///
/// test::run(async |node| {
///     let mut probe = Probe::new(&node);
///     let door = node.port(Door { bell: probe.handle() });
///     door.knock();
///     let BellMsg::IsFree(reply) = probe.expect().await else { panic!("it asks first") };
///     reply.send(true);
///     let times = probe.expect_that(|message| match message {
///         BellMsg::Ring(times) => Some(times),
///         _ => None,
///     });
///     assert_eq!(times.await, 2);
///     probe.expect_none(Duration::from_secs(60)).await;
///     door.kill("enough");
///     assert_eq!(probe.expect_down(&door).await.to_string(), "enough");
/// });
/// ```
///
/// *Semantics.* Messages are expected in the order in which they came. An expectation that is not met within the
/// [time](Self::within) (five seconds) panics, with its place and the message that came instead. Dropping the probe ends
/// its port normally.
///
/// *Limits.* A message that is not expected stays in the probe, whose memory has no limit.
#[doc(alias = "TestProbe")]
pub struct Probe<M: Message> {
    node: Node,
    handle: Handle<M>,
    messages: mpsc::UnboundedReceiver<M>,
    limit: Duration,
}

/// The port of a probe.
struct Ear<M>(mpsc::UnboundedSender<M>);

impl<M: Message> Port for Ear<M> {
    type Msg = M;
    type Ref = Handle<M>;

    fn handle(&mut self, _: &mut Cx<'_>, message: M) -> Result<(), Reason> {
        // Without a test there is no receiver.
        let _ = self.0.send(message);
        Ok(())
    }
}

impl<M: Message> Probe<M> {
    /// Makes a probe of the messages `M` on a node.
    #[must_use]
    pub fn new(node: &impl AsRef<Node>) -> Self {
        let node = node.as_ref().clone();
        let (ear, messages) = mpsc::unbounded_channel();
        Self {
            handle: node.port(Ear(ear)),
            node,
            messages,
            limit: LIMIT,
        }
    }

    /// Sets the time for which expectations wait.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A handle of its port, for the actors under test.
    #[must_use]
    pub fn handle<R: PortRef<Msg = M>>(&self) -> R {
        self.handle.clone().into()
    }

    /// The ID of its port.
    #[must_use]
    pub fn id(&self) -> PortId {
        self.handle.id()
    }

    /// Waits for the next message.
    ///
    /// # Panics
    ///
    /// If there is none within the time.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, it has taken nothing.
    #[track_caller]
    pub fn expect(&mut self) -> impl Future<Output = M> {
        self.next(Location::caller())
    }

    /// Waits for the next message, and takes a part out of it.
    ///
    /// # Panics
    ///
    /// If there is no message within the time, or `part` is `None`: the next message is another.
    #[track_caller]
    pub fn expect_that<T>(&mut self, part: impl FnOnce(M) -> Option<T>) -> impl Future<Output = T> {
        let (place, next) = (Location::caller(), self.next(Location::caller()));
        async move {
            let message = next.await;
            let name = name(&message);
            match part(message) {
                Some(part) => part,
                None => panic!("{place}: the next message is another, for `{name}`"),
            }
        }
    }

    /// Waits for this time, in which no message comes.
    ///
    /// # Panics
    ///
    /// If a message comes, or one is left from before.
    #[track_caller]
    pub fn expect_none(&mut self, time: Duration) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            if let Ok(Some(message)) = timeout(time, self.messages.recv()).await {
                let name = name(&message);
                panic!("{place}: a message has come, for `{name}`");
            }
        }
    }

    /// Waits for the end of any port, and returns its reason.
    ///
    /// # Panics
    ///
    /// If the port lives on for the time.
    #[track_caller]
    pub fn expect_down<N: Message>(&self, port: &Handle<N>) -> impl Future<Output = Reason> {
        let (place, closed) = (Location::caller(), port.closed());
        let (id, limit) = (port.id(), self.limit);
        async move {
            match timeout(limit, closed).await {
                Ok(reason) => reason,
                Err(_) => panic!("{place}: {id} is alive after {limit:?}"),
            }
        }
    }

    async fn next(&mut self, place: &'static Location<'static>) -> M {
        match timeout(self.limit, self.messages.recv()).await {
            Ok(Some(message)) => message,
            Ok(None) => panic!("{place}: the port of the probe has ended"),
            Err(_) => panic!("{place}: no message has come within {:?}", self.limit),
        }
    }
}

impl Probe<UntypedMsg> {
    /// Makes a probe of any messages, for actors that send by tag, and for monitors that send messages.
    ///
    /// ```
    /// use aemp::{msg, snd, test::{self, Probe}};
    ///
    /// test::run(async |node| {
    ///     let mut probe = Probe::untyped(&node);
    ///     snd!(node, probe.id(), "sold", "apple", 5);
    ///     let (article, n): (String, u32) = probe.expect_tag("sold").await;
    ///     assert_eq!((&*article, n), ("apple", 5));
    ///     node.empty_port().monitor_send(&probe.id(), msg!["lost", 7]).detach();
    /// });
    /// ```
    #[must_use]
    pub fn untyped(node: &impl AsRef<Node>) -> Self {
        Self::new(node)
    }

    /// Waits for the next message, which must have this tag, and reads its arguments: a tuple of several, or the type of
    /// one, or `()` for any.
    ///
    /// # Panics
    ///
    /// If there is no message within the time, the next one has another tag, or its arguments are of other types.
    #[track_caller]
    pub fn expect_tag<T: DeserializeOwned>(&mut self, tag: &str) -> impl Future<Output = T> {
        let (place, node) = (Location::caller(), self.node.clone());
        let next = self.next(place);
        async move {
            let mut message = values(next.await);
            if message.first().and_then(Value::text).as_deref() != Some(tag) {
                panic!("{place}: the next message is another: {message:?}");
            }
            let arguments = message.split_off(1);
            read(&node, arguments.clone())
                .unwrap_or_else(|error| panic!("{place}: `{tag}` with {arguments:?}: {error}"))
        }
    }

    /// Waits for the next message, and reads it as one of a port or protocol.
    ///
    /// # Panics
    ///
    /// If there is no message within the time, or it is not one of `N`.
    #[track_caller]
    pub fn expect_as<N: Message>(&mut self) -> impl Future<Output = N> {
        let (place, node, port) = (Location::caller(), self.node.clone(), self.id());
        let next = self.next(place);
        async move {
            let message = values(next.await);
            typed(&node, &port, message.clone())
                .unwrap_or_else(|error| panic!("{place}: {message:?}: {error}"))
        }
    }
}

/// The handler that a message is for.
fn name<M: Message>(message: &M) -> &'static str {
    let name = M::HANDLERS.get(message.handler() as usize);
    name.copied().unwrap_or("an unknown handler")
}

/// The elements of an untyped message, tag first.
pub(super) fn values(message: UntypedMsg) -> Args {
    match message.0 {
        Kind::Message(message) => message,
        Kind::Change(_) => Args::new(),
    }
}

/// Reads arguments as a tuple of several, or as one.
pub(super) fn read<T: DeserializeOwned>(node: &Node, arguments: Args) -> Result<T, String> {
    let _scope = node.decoding();
    let read = PacketReader::values(arguments).answer();
    read.map_err(|error| error.to_string())
}

/// Reads a message as one of a port or protocol, which has come to this port.
pub(super) fn typed<M: Message>(node: &Node, port: &PortId, message: Args) -> Result<M, String> {
    let _scope = node.decoding();
    let port = node.destination(port).local();
    let cx = Decoding {
        node,
        port: port.map_or(0, |port| port.number()),
    };
    M::read(&mut PacketReader::values(message), &cx).map_err(|unread| format!("{unread:?}"))
}

impl<M: Message> Drop for Probe<M> {
    fn drop(&mut self) {
        self.handle.kill(());
    }
}

impl<M: Message> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", self.id())
    }
}
