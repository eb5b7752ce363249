//! The streams that are expected here, and the functions of AnyEvent::MP::DataConn that other nodes call
//! ([protocol](aemp_proto::protocol::services#data-connections)).
//!
//! A data connection names a stream. The table says who may connect for it and what becomes of it. Entries end with
//! their time limit, and each other node has a limited number of them.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use aemp_codec::{NodeId, PortId, Value};
use tokio::sync::{mpsc, oneshot};

use super::{Node, WeakNode, peer::Peer, registry::StreamFunction, short};
use crate::lock::Lock;
use crate::{
    Args, Origin, Reason,
    guard::Foreign,
    net::{Stream, StreamReady},
    stream::{ByteStream, MOST_EXPECTED, Opened, Step, WAIT, Wired},
};

/// The function that announces a stream.
pub(crate) const EXPECT: &str = "AnyEvent::MP::DataConn::_expect";
/// The function that asks for a connection in the other direction.
pub(crate) const CONNECT: &str = "AnyEvent::MP::DataConn::_connect";
/// The first element of the reason with which a failed stream kills its port.
const DATA_CONN: &str = "AnyEvent::MP::DataConn";

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
    expected: HashMap<String, Entry>,
    /// The number of streams that each other node has announced.
    announced: HashMap<NodeId, usize>,
    last: u64,
}

struct Entry {
    /// Distinguishes the entry from an earlier one with the same ID.
    number: u64,
    expected: Expected,
}

impl Table {
    fn remove(&mut self, id: &str) -> Option<Expected> {
        let expected = self.expected.remove(id)?.expected;
        if let (Then::Call { .. }, Some(from)) = (&expected.then, &expected.from)
            && let Some(count) = self.announced.get_mut(from)
        {
            *count -= 1;
            if *count == 0 {
                self.announced.remove(from);
            }
        }
        Some(expected)
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
        if let (Then::Call { .. }, Some(from)) = (&expected.then, &expected.from) {
            let count = table.announced.entry(from.clone()).or_default();
            if *count >= MOST_EXPECTED {
                return Err(format!("{MOST_EXPECTED} streams are announced already"));
            }
            *count += 1;
        }
        table.last += 1;
        let number = table.last;
        let (timed, entry) = (id.clone(), Entry { number, expected });
        table.expected.insert(id, entry);
        drop(table);
        let node = self.downgrade();
        self.scheduler().spawn(expire(node, timed, number, within));
        Ok(())
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
        let begun = tokio::time::timeout(WAIT, wired.begin()).await;
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
        let fits = |entry: &Entry| entry.expected.from.as_ref().is_none_or(|one| one == from);
        if table.expected.get(id).is_some_and(fits) {
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
            Then::Call { function, args, .. } => {
                let origin = Origin::Node(from);
                self.run_stream_function(function, origin, args, ByteStream::wired(wired));
            }
        }
    }

    /// Handles the end of a data connection that this node has dialled.
    pub(crate) fn stream_failed(&self, id: &str, text: String) {
        let mut table = self.streams().lock();
        let Some(entry) = table.expected.get(id) else {
            return;
        };
        match &entry.expected.then {
            Then::Open(steps) => {
                let steps = steps.clone();
                drop(table);
                let _ = steps.send(Step::Failed(text));
            }
            // The node has asked for the connection. It may have other addresses, and its time limit.
            Then::Offer(_) => {}
            Then::Call { .. } => {
                let failed = table.remove(id);
                drop(table);
                failed
                    .into_iter()
                    .for_each(|failed| self.stream_lost(failed, text.as_str().into()));
            }
        }
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
    pub(crate) fn run_stream_function(
        &self,
        function: StreamFunction,
        origin: Origin,
        args: Args,
        stream: ByteStream,
    ) {
        let run = async move { function(origin, args, stream).await };
        self.scheduler().spawn(async move {
            if let Err(reason) = Foreign::new(run).await {
                crate::log::error!("a stream function panicked: {reason}");
            }
        });
    }

    /// The addresses of another node: those that it has published, or the one at which it was dialled.
    pub(crate) async fn addresses_of(&self, node: &NodeId) -> Vec<String> {
        let published = match self.family::<Value>("'l") {
            Ok(family) => family.get(node.as_str()).await.ok().flatten(),
            Err(_) => None,
        };
        let listed: Vec<String> = match &published {
            Some(Value::Array(listed)) => listed
                .iter()
                .filter_map(Value::text)
                .map(Into::into)
                .collect(),
            _ => Vec::new(),
        };
        if !listed.is_empty() {
            return listed;
        }
        let connection = self
            .peers()
            .get(node.as_str())
            .and_then(|peer| peer.connection());
        let dialed = connection.filter(|connection| connection.dialed);
        dialed
            .into_iter()
            .map(|dialed| dialed.address.clone())
            .collect()
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
        let then = Then::Call {
            function,
            args,
            port: port.clone(),
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
        let table = self.streams().lock();
        let wanted = |entry: &Entry| {
            entry
                .expected
                .from
                .as_ref()
                .is_none_or(|one| one == from.id())
        };
        let is_expected = table.expected.get(&id).is_some_and(wanted);
        drop(table);
        if !is_expected {
            return;
        }
        let (node, to) = (self.clone(), from.id().clone());
        self.scheduler().spawn(async move {
            let addresses = node.addresses_of(&to).await;
            let (Some(address), Some(net)) = (addresses.first(), node.net()) else {
                let text = format!("{to}: no listeners found");
                return node.stream_failed(&id, text);
            };
            let _ = net.dial_stream(address, &to, &id);
        });
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

/// Ends an entry after its time.
async fn expire(node: WeakNode, id: String, number: u64, within: Duration) {
    tokio::time::sleep(within).await;
    let Some(node) = node.upgrade() else { return };
    let mut table = node.streams().lock();
    let is_it = table
        .expected
        .get(&id)
        .is_some_and(|entry| entry.number == number);
    let expired = if is_it { table.remove(&id) } else { None };
    drop(table);
    if let Some(expired) = expired {
        node.stream_lost(expired, Value::Null);
    }
}
