//! The streams that are expected here, and the functions of AnyEvent::MP::DataConn that other nodes call
//! ([protocol](aemp_proto::protocol::services#data-connections)).
//!
//! A data connection names a stream. The table has the node that may connect for it, and the use of the stream. Entries
//! end with their time limit. Each other node has a limited number of streams to functions here, from the announcement
//! until the function returns, so that it can make neither the table nor the number of sockets grow.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, MutexGuard},
    time::Duration,
};

use aemp_codec::{NodeId, PortId, Value};
use aemp_proto::global::LISTENERS;
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

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
/// The first element of the reason with which a failed stream kills its port.
pub(crate) const DATA_CONN: &str = "AnyEvent::MP::DataConn";

/// The longest time for which another node may announce a stream.
const LONGEST: Duration = Duration::from_secs(3600);
/// The length of an ID above which a stream is not expected, in bytes.
const LONGEST_ID: usize = 512;

/// A stream for which a connection is expected.
pub(crate) struct Expected {
    /// The node that may connect. Any member of the network may if it is `None`: the ID is secret.
    from: Option<NodeId>,
    then: Then,
}

/// The use of a stream that has been connected.
enum Then {
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

impl Expected {
    pub(crate) fn opening(from: NodeId, steps: mpsc::UnboundedSender<Step>) -> Self {
        Self {
            from: Some(from),
            then: Then::Open(steps),
        }
    }

    pub(crate) fn offered(waits: oneshot::Sender<Opened>) -> Self {
        Self {
            from: None,
            then: Then::Offer(waits),
        }
    }
}

/// The expected streams of a node, by their IDs.
#[derive(Default)]
pub(crate) struct Streams(Lock<Table>);

#[derive(Default)]
struct Table {
    expected: HashMap<String, Announcement>,
    /// The number of streams of each other node to functions of this one.
    calls: HashMap<NodeId, usize>,
    last: u64,
}

struct Announcement {
    expected: Expected,
    /// True if the other node has asked for a connection in the other direction.
    is_dialed: bool,
    /// Ends the task that waits for the time limit, when the entry is removed.
    _alive: oneshot::Sender<()>,
}

impl Announcement {
    /// True if this node may connect for the stream.
    fn is_from(&self, node: &NodeId) -> bool {
        let from = self.expected.from.as_ref();
        from.is_none_or(|from| from == node)
    }
}

impl Table {
    fn remove(&mut self, id: &str) -> Option<Expected> {
        Some(self.expected.remove(id)?.expected)
    }
}

/// A stream to a function of this node, which counts towards the limit of the node that has opened it.
struct Counted {
    node: WeakNode,
    from: NodeId,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(node) = self.node.upgrade() else {
            return;
        };
        let mut table = node.streams().lock();
        if let Entry::Occupied(mut count) = table.calls.entry(self.from.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock()
    }
}

impl Node {
    /// An ID for a stream that this node opens.
    pub(crate) fn next_stream_id(&self) -> String {
        let mut table = self.streams().lock();
        table.last += 1;
        format!("s{}@{}", table.last, self.id())
    }

    /// Expects a connection for a stream, for a time.
    pub(crate) fn expect(
        &self,
        id: String,
        expected: Expected,
        within: Duration,
    ) -> Result<(), String> {
        let mut table = self.streams().lock();
        if table.expected.contains_key(&id) {
            return Err("its ID is in use".into());
        }
        let (alive, removed) = oneshot::channel();
        let entry = Announcement {
            expected,
            is_dialed: false,
            _alive: alive,
        };
        table.expected.insert(id.clone(), entry);
        drop(table);
        let expire = expire(self.downgrade(), id, within, removed);
        self.scheduler().spawn(expire);
        Ok(())
    }

    /// Counts a stream of another node to a function of this one. `None` if the node has as many as it may have.
    fn count_stream(&self, from: &NodeId) -> Option<Counted> {
        let mut table = self.streams().lock();
        let count = table.calls.entry(from.clone()).or_default();
        if *count >= MOST_STREAMS {
            return None;
        }
        *count += 1;
        Some(Counted {
            node: self.downgrade(),
            from: from.clone(),
        })
    }

    pub(crate) fn forget_stream(&self, id: &str) {
        let forgotten = self.streams().lock().remove(id);
        drop(forgotten);
    }

    /// Handles a data connection whose handshake is over.
    pub(crate) async fn stream_ready(&self, ready: StreamReady, stream: Stream) {
        let StreamReady {
            node: from,
            start,
            leftover,
        } = ready;
        let mut wired = Wired::new(stream, leftover, &start);
        if !start.dialed {
            let Some(expected) = self.expected(&start.id, &from) else {
                return self.unexpected(&start.id, &from);
            };
            // If this fails, reading and writing fail as well.
            let _ = wired.begin().await;
            return self.use_stream(expected, from, wired);
        }
        let begun = timeout(WAIT, wired.begin()).await;
        match begun.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(()) => match self.expected(&start.id, &from) {
                Some(expected) => self.use_stream(expected, from, wired),
                None => self.unexpected(&start.id, &from),
            },
            Err(_) => self.stream_failed(&start.id, "the stream is not expected there".into()),
        }
    }

    /// Takes the entry of a stream for which a node has connected.
    fn expected(&self, id: &str, from: &NodeId) -> Option<Expected> {
        let mut table = self.streams().lock();
        if table
            .expected
            .get(id)
            .is_some_and(|entry| entry.is_from(from))
        {
            table.remove(id)
        } else {
            None
        }
    }

    fn unexpected(&self, id: &str, from: &NodeId) {
        let id = short(id);
        let text = format!("{from} connects for the stream {id:?}, which is not expected");
        self.complain(from, text);
    }

    fn use_stream(&self, expected: Expected, from: NodeId, wired: Wired) {
        match expected.then {
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
                let (origin, stream) = (Origin::Node(from), ByteStream::wired(wired));
                self.run_stream_function(async move {
                    function(origin, args, stream).await;
                    drop(counted);
                });
            }
        }
    }

    /// Handles the end of a data connection that this node has dialled. Only the node that opens a stream needs to know:
    /// a node that connects back has other addresses, and the time limit.
    pub(crate) fn stream_failed(&self, id: &str, text: String) {
        let table = self.streams().lock();
        let opening = table
            .expected
            .get(id)
            .and_then(|entry| match &entry.expected.then {
                Then::Open(steps) => Some(steps.clone()),
                Then::Offer(_) | Then::Call { .. } => None,
            });
        drop(table);
        if let Some(steps) = opening {
            let _ = steps.send(Step::Failed(text));
        }
    }

    fn is_expected(&self, id: &str) -> bool {
        self.streams().lock().expected.contains_key(id)
    }

    /// Reports to the other side that a stream has failed.
    fn stream_lost(&self, failed: Expected, text: Value) {
        match failed.then {
            Then::Call { port, .. } => {
                self.kil(&port, Reason::new(vec![DATA_CONN.into(), text]));
            }
            Then::Offer(waits) => {
                let text = "the other node has not fetched it in time";
                let _ = waits.send(Opened::Failed(text.into()));
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

    /// The addresses of another node: the one at which it was dialled, or those that it has published.
    pub(crate) async fn addresses_of(&self, node: &NodeId) -> Vec<String> {
        let relayed = self.net().and_then(|net| net.relayed_address(node));
        if let Some(address) = relayed {
            return vec![address];
        }
        let connection = self
            .peers()
            .get(node.as_str())
            .and_then(|peer| peer.connection());
        if let Some(connection) = connection.filter(|connection| connection.dialed) {
            return vec![connection.address.clone()];
        }
        let mut listed = self.db_family(LISTENERS).await.unwrap_or_default();
        let Some(Value::Array(listed)) = listed.remove(node.as_str()) else {
            return Vec::new();
        };
        let texts = listed.iter().filter_map(Value::text);
        texts.map(Into::into).collect()
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
        if port.node() != from.id().as_str() || port.is_node_port() || id.len() > LONGEST_ID {
            let text = format!("{EXPECT} from {}: not a stream of its own", from.id());
            return self.complain(from.id(), text);
        }
        let fail = |text: String| {
            self.kil(&port, Reason::new(vec![DATA_CONN.into(), text.into()]));
        };
        let Some(function) = self.registry().stream_function(&name).cloned() else {
            return fail(format!("unable to resolve function '{}'", short(&name)));
        };
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
        if let Err(text) = self.expect(id, Expected { from, then }, within) {
            fail(text);
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
        if self.begins_to_dial(&id, from.id()) {
            let node = self.clone();
            let dialing = connect_back(node, id, from.id().clone());
            self.scheduler().spawn(dialing);
        }
    }

    /// True if a node asks for the first time for a connection for a stream that is expected from it.
    fn begins_to_dial(&self, id: &str, from: &NodeId) -> bool {
        let mut table = self.streams().lock();
        let entry = table
            .expected
            .get_mut(id)
            .filter(|entry| entry.is_from(from));
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.is_dialed, true))
    }
}

/// Dials the addresses of a node in turn, while the stream is expected.
async fn connect_back(node: Node, id: String, to: NodeId) {
    let addresses = node.addresses_of(&to).await;
    if addresses.is_empty() {
        let failed = node.streams().lock().remove(&id);
        let text = format!("{to}: no listeners found");
        failed
            .into_iter()
            .for_each(|failed| node.stream_lost(failed, text.as_str().into()));
    }
    for address in addresses {
        let Some(net) = node.net().filter(|_| node.is_expected(&id)) else {
            return;
        };
        let _ = net.dial_stream(&address, &to, &id);
        sleep(NEXT_ADDRESS).await;
    }
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
async fn expire(node: WeakNode, id: String, within: Duration, removed: oneshot::Receiver<()>) {
    if timeout(within, removed).await.is_ok() {
        return;
    }
    let Some(node) = node.upgrade() else { return };
    let expired = node.streams().lock().remove(&id);
    if let Some(expired) = expired {
        node.stream_lost(expired, Value::Null);
    }
}
