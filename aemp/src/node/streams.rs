//! The streams that are expected here, and the functions of AnyEvent::MP::DataConn that other nodes call
//! ([protocol](aemp_proto::protocol::services#data-connections)).
//!
//! A data connection names a stream. The table has the node that may connect for it, and the use of the stream. Entries
//! end with their time limit, and with the node. Each other node has a limited number of streams to functions here, from
//! the announcement until the function returns, so that it can make neither the table nor the number of sockets grow.
//! All tasks of a stream that is not connected yet (its clock, the connection back, the wait for the other end) end with
//! its entry, and give up the connections that they have dialled.

mod table;

use std::{
    future::pending,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use aemp_codec::{NodeId, PortId, Value};
use aemp_proto::{global::LISTENERS, mesh::Way, peer::ConnId, weight};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

pub(crate) use self::table::{Key, is_id};
use self::table::{Removal, Table};
use super::{Node, WeakNode, peer::Peer, registry::StreamFunction, short};
use crate::{
    Args, Origin, Reason,
    guard::Foreign,
    lock::Lock,
    net::{Stream, StreamReady},
    stream::{ByteStream, MOST_STREAMS, NEXT_ADDRESS, Opened, Step, WAIT, Wired},
};

/// The function that announces a stream.
pub(crate) const EXPECT: &str = "AnyEvent::MP::DataConn::_expect";
/// The function that asks for a connection in the other direction.
pub(crate) const CONNECT: &str = "AnyEvent::MP::DataConn::_connect";
/// The request for a stream that was sent in a message, to take it over the connection of the nodes.
pub(crate) const INLINE_OPEN: &str = "Aemp::inline";
/// The first element of the reason with which a failed stream kills its port.
pub(crate) const DATA_CONN: &str = "AnyEvent::MP::DataConn";

/// The longest time for which a stream is expected.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);
/// The number of addresses of a node that are tried for one stream.
const MOST_ADDRESSES: usize = 8;
/// The size of the largest arguments of a stream that another node announces, in bytes.
const MOST_ARGS: usize = 64 << 10;
/// The text of a stream in a message for which no node has come.
const NOT_FETCHED: &str = "the other node has not fetched it in time";

/// The use of a stream that has been connected.
pub(crate) enum Then {
    /// This node opens it.
    Open(mpsc::UnboundedSender<Step>),
    /// It was sent in a message.
    Offer(oneshot::Sender<Opened>),
    /// The other node opens it to a function of this one. The port is killed if it fails.
    Call {
        function: StreamFunction,
        args: Args,
        port: PortId,
        counted: Counted,
    },
}

/// The expected streams of a node.
#[derive(Default)]
pub(crate) struct Streams(Lock<Table<Then>>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Table<Then>> {
        self.0.lock()
    }
}

/// A stream to a function of this node, which counts towards the limit of the node that has opened it.
pub(crate) struct Counted {
    node: WeakNode,
    from: NodeId,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(node) = self.node.upgrade() {
            node.streams().lock().uncount(&self.from);
        }
    }
}

/// The data connections that were dialled for a stream. Those that are not established are given up in the end.
pub(crate) struct Dials {
    node: Node,
    conns: Vec<ConnId>,
}

impl Dials {
    pub(crate) fn new(node: &Node) -> Self {
        let (node, conns) = (node.clone(), Vec::new());
        Self { node, conns }
    }

    pub(crate) fn dial(&mut self, way: &Way, to: &NodeId, id: &str) {
        if let Some(net) = self.node.net() {
            self.conns.push(net.dial_stream(way, to, id));
        }
    }
}

impl Drop for Dials {
    fn drop(&mut self) {
        if let Some(net) = self.node.net() {
            self.conns.iter().for_each(|conn| net.abandon_stream(*conn));
        }
    }
}

impl Node {
    /// Expects a connection for a stream, for a time.
    pub(crate) fn expect(
        &self,
        key: Key,
        then: Then,
        within: Duration,
    ) -> Result<(), &'static str> {
        let added = self.streams().lock().add(key.clone(), then);
        let removed = added.map_err(|(text, _then)| text)?;
        let expire = expire(self.downgrade(), key, within, removed);
        self.scheduler().spawn(expire);
        Ok(())
    }

    /// Counts a stream of another node to a function of this one. `None` if the node has as many as it may have.
    fn count_stream(&self, from: &NodeId) -> Option<Counted> {
        self.streams().lock().count(from).then(|| Counted {
            node: self.downgrade(),
            from: from.clone(),
        })
    }

    pub(crate) fn forget_stream(&self, key: &Key) {
        let forgotten = self.streams().lock().remove(key);
        drop(forgotten);
    }

    /// Takes a stream that this node has sent in a message.
    pub(crate) fn take_offer(&self, id: &str) -> Option<oneshot::Sender<Opened>> {
        let taken = self.streams().lock().take(self.id(), id);
        match taken?.then {
            Then::Offer(waits) => Some(waits),
            Then::Open(_) | Then::Call { .. } => None,
        }
    }

    /// Takes a stream that was sent in a message, for any node that has its ID.
    pub(crate) fn take_offer_for_any(&self, id: &str) -> Option<oneshot::Sender<Opened>> {
        let (from, id) = (None, id.into());
        let taken = self.streams().lock().remove(&Key { from, id });
        match taken?.then {
            Then::Offer(waits) => Some(waits),
            Then::Open(_) | Then::Call { .. } => None,
        }
    }

    /// Ends all streams that are expected, because the node ends.
    pub(super) fn close_streams(&self) {
        let closed = self.streams().lock().close();
        for entry in closed {
            if let Then::Offer(waits) = entry.then {
                let _ = waits.send(Opened::Failed("its node has ended".into()));
            }
        }
    }

    /// The number of streams that are expected, and of those that other nodes have to functions of this one.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    #[must_use]
    pub fn stream_counts(&self) -> (usize, usize) {
        self.streams().lock().sizes()
    }

    /// Handles a data connection whose handshake is over.
    pub(crate) async fn stream_ready(&self, ready: StreamReady, stream: Stream) {
        let StreamReady {
            node: from,
            start,
            leftover,
        } = ready;
        let mut wired = Wired::new(stream, leftover, &start);
        if start.dialed {
            return self.dialed_stream_ready(&from, &start.id, wired).await;
        }
        let expected = self.streams().lock().take(&from, &start.id);
        let Some(expected) = expected else {
            return self.unexpected(&start.id, &from);
        };
        // If this fails, reading and writing fail as well.
        let _ = timeout(WAIT, wired.begin()).await;
        self.use_stream(expected.then, &from, wired);
    }

    /// Waits until the other end has taken the stream, as long as this node wants it.
    async fn dialed_stream_ready(&self, from: &NodeId, id: &str, mut wired: Wired) {
        let removal = self.streams().lock().removal(from, id);
        let Some(removed) = removal else {
            return;
        };
        let begun = tokio::select! {
            biased;
            () = removed.wait() => return,
            begun = timeout(WAIT, wired.begin()) => begun,
        };
        if !matches!(begun, Ok(Ok(()))) {
            return self.stream_failed(from, id, "the stream is not expected there".into());
        }
        let expected = self.streams().lock().take(from, id);
        if let Some(expected) = expected {
            self.use_stream(expected.then, from, wired);
        }
    }

    fn unexpected(&self, id: &str, from: &NodeId) {
        let id = short(id);
        let text = format!("{from} connects for the stream {id:?}, which is not expected");
        self.complain(from, text);
    }

    fn use_stream(&self, then: Then, from: &NodeId, wired: Wired) {
        match then {
            Then::Open(steps) => {
                let _ = steps.send(Step::Connected(Box::new(wired)));
            }
            Then::Offer(waits) => {
                let _ = waits.send(Opened::Wired(Box::new(wired)));
            }
            Then::Call {
                function,
                args,
                counted,
                ..
            } => {
                let (origin, stream) = (Origin::Node(from.clone()), ByteStream::wired(wired));
                self.run_stream_function(async move {
                    function(origin, args, stream).await;
                    drop(counted);
                });
            }
        }
    }

    /// Handles the end of a data connection that this node has dialled. Only the node that opens a stream needs to know:
    /// a node that connects back has other addresses, and the time limit.
    pub(crate) fn stream_failed(&self, node: &NodeId, id: &str, text: String) {
        let table = self.streams().lock();
        let opening = table.get(node, id).and_then(|then| match then {
            Then::Open(steps) => Some(steps.clone()),
            Then::Offer(_) | Then::Call { .. } => None,
        });
        drop(table);
        if let Some(steps) = opening {
            let _ = steps.send(Step::Failed(text));
        }
    }

    /// Reports to the other side that a stream has failed. Without a text its time is over.
    fn stream_lost(&self, then: Then, text: Option<String>) {
        match then {
            Then::Call { port, .. } => {
                let text = text.map_or(Value::Null, Into::into);
                self.kil(&port, Reason::new(vec![DATA_CONN.into(), text]));
            }
            Then::Offer(waits) => {
                let text = text.unwrap_or_else(|| NOT_FETCHED.into());
                let _ = waits.send(Opened::Failed(text));
            }
            // The task that opens the stream has its own time limit.
            Then::Open(_) => {}
        }
    }

    /// Runs a function with its end of a stream, on a task of its own.
    pub(crate) fn run_stream_function(&self, run: impl Future<Output = ()> + Send + 'static) {
        self.scheduler().spawn(async move {
            if let Err(reason) = Foreign::new(run).await {
                crate::log::error!("a stream function panicked: {reason}");
            }
        });
    }

    /// The ways to another node: the one on which it is connected, if this node has dialled, or the first addresses that it
    /// has published.
    pub(crate) async fn ways_to(&self, node: &NodeId) -> Vec<Way> {
        let relay = self.net().and_then(|net| net.relay_to(node));
        if let Some(relay) = relay {
            return vec![Way::Relay(relay)];
        }
        let connection = self
            .peers()
            .get(node.as_str())
            .and_then(|peer| peer.connection());
        if let Some(connection) = connection.filter(|connection| connection.dialed) {
            return vec![Way::Address(connection.address.clone())];
        }
        let mut listed = self.db_family(LISTENERS).await.unwrap_or_default();
        let Some(Value::Array(listed)) = listed.remove(node.as_str()) else {
            return Vec::new();
        };
        let texts = listed.iter().filter_map(Value::text);
        let ways = texts.map(|text| Way::Address(text.into()));
        ways.take(MOST_ADDRESSES).collect()
    }

    /// Serves `_expect`: (ID, port, seconds, function, arguments...).
    pub(super) fn expect_for(&self, from: &Arc<Peer>, args: Args) {
        let Some(Announced {
            id,
            port,
            within,
            function: name,
            args,
        }) = Announced::read(args)
        else {
            let text = format!("{EXPECT} from {}: wrong arguments", from.id());
            return self.complain(from.id(), text);
        };
        if self.refuses(Some(from), "call", &name) {
            return;
        }
        // A failed stream kills the port, which must not happen to others' ports in this node's name.
        if port.node() != from.id().as_str() || port.is_node_port() || !is_id(&id) {
            let text = format!("{EXPECT} from {}: not a stream of its own", from.id());
            return self.complain(from.id(), text);
        }
        let fail = |text: String| {
            self.kil(&port, Reason::new(vec![DATA_CONN.into(), text.into()]));
        };
        let Some(function) = self.registry().stream_function(&name).cloned() else {
            return fail(format!("unable to resolve function '{}'", short(&name)));
        };
        if args.iter().map(weight).sum::<usize>() > MOST_ARGS {
            return fail(format!("its arguments have more than {MOST_ARGS} bytes"));
        }
        let Some(counted) = self.count_stream(from.id()) else {
            return fail(format!(
                "{MOST_STREAMS} streams are announced or open already"
            ));
        };
        let then = Then::Call {
            function,
            args,
            port: port.clone(),
            counted,
        };
        let from = Some(from.id().clone());
        if let Err(text) = self.expect(Key { from, id }, then, within) {
            fail(text.into());
        }
    }

    /// Serves `_connect`: (ID, node). The node asks for a connection to itself, for a stream that is expected here.
    pub(super) fn connect_for(&self, from: &Arc<Peer>, args: &[Value]) {
        let id = args.first().and_then(Value::text);
        let Some(id) = id.map(String::from) else {
            return self.complain(
                from.id(),
                format!("{CONNECT} from {}: wrong arguments", from.id()),
            );
        };
        let begun = self.streams().lock().begin_to_dial(from.id(), &id);
        if let Some((key, removed)) = begun {
            let dialing = connect_back(self.clone(), key, from.id().clone(), removed);
            self.scheduler().spawn(dialing);
        }
    }
}

/// Connects to a node for a stream, as long as the stream is expected.
async fn connect_back(node: Node, key: Key, to: NodeId, removed: Removal) {
    tokio::select! {
        biased;
        () = removed.wait() => {}
        () = dial_in_turn(&node, &key, &to) => {}
    }
}

/// Tries the ways to a node in turn. Waits for ever then, unless there are none.
async fn dial_in_turn(node: &Node, key: &Key, to: &NodeId) {
    let ways = node.ways_to(to).await;
    if ways.is_empty() {
        let failed = node.streams().lock().remove(key);
        if let Some(failed) = failed {
            node.stream_lost(failed.then, Some(format!("{to}: no listeners found")));
        }
        return;
    }
    let mut dials = Dials::new(node);
    for way in ways {
        dials.dial(&way, to, &key.id);
        sleep(NEXT_ADDRESS).await;
    }
    pending().await
}

/// The arguments of `_expect`.
struct Announced {
    id: String,
    port: PortId,
    within: Duration,
    function: String,
    args: Args,
}

impl Announced {
    fn read(args: Args) -> Option<Self> {
        let mut args = args.into_iter();
        let id = args.next()?.text()?.into_owned();
        let port = PortId::parse(&args.next()?.text()?).ok()?;
        let seconds: f64 = args.next()?.text()?.parse().ok()?;
        let function = args.next()?.text()?.into_owned();
        let within = Duration::try_from_secs_f64(seconds).ok()?.min(LONGEST);
        Some(Self {
            id,
            port,
            within,
            function,
            args: args.collect(),
        })
    }
}

/// Ends an entry after its time, unless it is removed before.
async fn expire(node: WeakNode, key: Key, within: Duration, removed: Removal) {
    if timeout(within, removed.wait()).await.is_ok() {
        return;
    }
    let Some(node) = node.upgrade() else { return };
    let expired = node.streams().lock().remove(&key);
    if let Some(expired) = expired {
        node.stream_lost(expired.then, None);
    }
}
