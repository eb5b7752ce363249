//! The database's state machine, and the tasks that wait for its answers.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use aemp_codec::{Limits, NodeId, Value};
use tokio::{sync::oneshot, time::Instant};

use crate::{Monitor, Node, guard, lock::Lock, node::log::Remark};
use aemp_proto::{
    Random, Time,
    global::{Answer, GLOBALS, LISTENERS, LendError, Query, QueryId, Role, WatchId, Watched},
    handshake::HandshakeConfig,
    mesh::{Counts, Mesh, MeshConfig, Output, PeerMap, Peers},
    peer::PeerLimits,
};

/// The database's state machine as the runtime uses it, for nodes with a network and without one.
pub(crate) trait Machine {
    fn set(&mut self, family: &str, key: &str, value: Value);
    /// Sets a key on behalf of another node.
    fn set_for(
        &mut self,
        now: Time,
        by: &NodeId,
        family: &str,
        key: &str,
        value: Value,
    ) -> Result<(), LendError>;
    fn del(&mut self, family: &str, keys: &[String]);
    /// Deletes all entries that users of this node have set.
    fn clear(&mut self, now: Time);
    fn watch(&mut self, now: Time, family: &str) -> WatchId;
    fn unwatch(&mut self, now: Time, watch: WatchId);
    fn query(&mut self, now: Time, kind: Query, family: &str) -> QueryId;
    fn cancel(&mut self, query: QueryId);
    fn become_global(&mut self, now: Time);
    fn role(&self) -> Role;
    /// The families with the numbers of their entries. Only a node that holds the whole database knows them all.
    fn sizes(&self) -> Vec<(Arc<str>, usize)>;
    /// The keys of a family with their owners, at most `most`: of all on a node that holds the whole database, otherwise its own.
    fn owners(&self, family: &str, most: usize) -> Vec<(Arc<str>, NodeId)>;
    fn counts(&self) -> Counts;
}

impl<P: Peers> Machine for Mesh<P> {
    fn set(&mut self, family: &str, key: &str, value: Value) {
        self.db_stage(family, key, value);
    }

    fn set_for(
        &mut self,
        now: Time,
        by: &NodeId,
        family: &str,
        key: &str,
        value: Value,
    ) -> Result<(), LendError> {
        self.db_set_for(now, by, family, key, value)
    }

    fn del(&mut self, family: &str, keys: &[String]) {
        self.db_stage_del(family, keys.iter().map(String::as_str));
    }

    fn clear(&mut self, now: Time) {
        let families = self.db_local_families().map(str::to_owned);
        let families: Vec<_> = families
            .filter(|family| family != LISTENERS && family != GLOBALS)
            .collect();
        for family in families {
            let keys: Vec<_> = self
                .db_local(&family)
                .into_iter()
                .map(|(key, _)| key)
                .collect();
            self.db_del(now, &family, keys.iter().map(|key| &**key));
        }
    }

    fn watch(&mut self, now: Time, family: &str) -> WatchId {
        self.db_watch(now, family)
    }

    fn unwatch(&mut self, now: Time, watch: WatchId) {
        self.db_unwatch(now, watch);
    }

    fn query(&mut self, now: Time, kind: Query, family: &str) -> QueryId {
        self.db_query(now, kind, family)
    }

    fn cancel(&mut self, query: QueryId) {
        self.db_cancel(query);
    }

    fn become_global(&mut self, now: Time) {
        Self::become_global(self, now);
    }

    fn role(&self) -> Role {
        Self::role(self).clone()
    }

    fn sizes(&self) -> Vec<(Arc<str>, usize)> {
        self.db_sizes()
    }

    fn owners(&self, family: &str, most: usize) -> Vec<(Arc<str>, NodeId)> {
        self.db_owners(family, most)
    }

    fn counts(&self) -> Counts {
        Self::counts(self)
    }
}

/// The receiver of a watch's events.
pub(crate) trait Sink: Send + Sync {
    /// Ends the watch. Events that were gathered and not delivered are dropped.
    fn close(&self);

    /// Gathers an event. Returns true if the caller must have [`notify`](Self::notify) called for it. This runs under the
    /// machine's lock.
    fn gather(&self, event: Watched) -> bool;

    /// Delivers the gathered events to the user. This runs outside of any lock.
    fn notify(&self);
}

type Answers = HashMap<QueryId, oneshot::Sender<Result<Answer, String>>>;

/// The runtime's side of the database.
#[derive(Default)]
pub(crate) struct Database {
    answers: Lock<Answers>,
    sinks: Lock<HashMap<WatchId, Arc<dyn Sink>>>,
    /// The monitors of registered ports, by family and key.
    registered: Lock<HashMap<(String, String), Monitor>>,
    /// The state machine, if the node has no network.
    alone: OnceLock<Lock<Alone>>,
    stopped: AtomicBool,
}

struct Alone {
    mesh: Mesh<PeerMap>,
    origin: Instant,
}

impl Database {
    /// Gives an event to a watch. Returns the sink if it must be told, which is done outside of the machine's lock.
    ///
    /// Other sinks are not cloned, because dropping the last clone drops the user's callback.
    pub(crate) fn deliver(&self, watch: WatchId, event: Watched) -> Option<Arc<dyn Sink>> {
        let sinks = self.sinks.lock();
        sinks.get(&watch).filter(|sink| sink.gather(event)).cloned()
    }

    pub(crate) fn answer(&self, query: QueryId, answer: Result<Answer, String>) {
        let asked = self.answers.lock().remove(&query);
        if let Some(asked) = asked {
            // Sending runs the waker of the query, which is user code.
            guard::shielded(|| drop(asked.send(answer)));
        }
    }

    /// Runs a function on the state machine of a node without a network.
    fn ask_alone<R>(&self, node: &Node, ask: impl FnOnce(&mut dyn Machine, Time) -> R) -> R {
        let alone = self.alone.get_or_init(|| Lock::new(Alone::new()));
        let mut alone = alone.lock();
        let now = Time::from(alone.origin.elapsed());
        let result = ask(&mut alone.mesh, now);
        alone.mesh.flush(now);
        let (mut told, mut answers, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(output) = alone.mesh.poll() {
            match output {
                Output::Watched { watch, told: news } => told.extend(self.deliver(watch, news)),
                Output::Answer { query, answer } => answers.push((query, answer)),
                Output::Log { level, text } => lines.push(Remark::new(level, text)),
                _ => {}
            }
        }
        drop(alone);
        for (query, answer) in answers {
            self.answer(query, answer);
        }
        for sink in told {
            // On another task: the present caller may hold a lock that the callback needs, or be the callback itself.
            node.aside(move || sink.notify());
        }
        for line in lines {
            node.remark(line);
        }
        result
    }
}

impl Alone {
    fn new() -> Self {
        let config = MeshConfig::new(HandshakeConfig::new(NodeId::unnamed(), None));
        let peers = PeerMap::new(PeerLimits {
            max_queue_bytes: 0,
            packet: Limits::default(),
        });
        let random = Random::new([0; 32]);
        Self {
            mesh: Mesh::new(Time::ZERO, config, peers, random),
            origin: Instant::now(),
        }
    }
}

/// A watch of a family. Dropping it ends the watch.
pub(super) struct Watching {
    node: Node,
    watch: WatchId,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let watch = self.watch;
        // The sink is removed before the watch ends, so that no later event reaches it. It is dropped outside of the
        // lock.
        let sink = self.node.database().sinks.lock().remove(&watch);
        if let Some(sink) = &sink {
            sink.close();
        }
        self.node
            .ask_database(|machine, now| machine.unwatch(now, watch));
        guard::discard(sink);
    }
}

impl Node {
    /// Runs a function on the database's state machine.
    pub(crate) fn ask_database<R>(&self, ask: impl FnOnce(&mut dyn Machine, Time) -> R) -> R {
        match self.net() {
            Some(net) => net.ask(|mesh, now| ask(mesh, now)),
            None => self.database().ask_alone(self, ask),
        }
    }

    /// Changes the entries of this node.
    pub(super) fn stage(&self, change: impl FnOnce(&mut dyn Machine)) {
        match self.net() {
            Some(net) => net.stage(|mesh| change(mesh)),
            None => self
                .database()
                .ask_alone(self, |machine, _| change(machine)),
        }
    }

    /// Ends all queries and watches, when the node stops.
    pub(crate) fn stop_database(&self) {
        let database = self.database();
        database.stopped.store(true, Ordering::Release);
        let answers = std::mem::take(&mut *database.answers.lock());
        answers.into_values().for_each(guard::discard);
        let sinks = std::mem::take(&mut *database.sinks.lock());
        let registered = std::mem::take(&mut *database.registered.lock());
        drop(registered);
        // Dropping the last reference to a sink drops the user's callback.
        self.aside(move || {
            for sink in sinks.into_values() {
                guard::shielded(|| sink.close());
                guard::discard(sink);
            }
        });
    }

    pub(super) fn start_watch(&self, family: &str, sink: &Arc<impl Sink + 'static>) -> Watching {
        let database = self.database();
        // Inserted under the machine's lock, so that the first event finds the sink.
        let watch = self.ask_database(|machine, now| {
            let watch = machine.watch(now, family);
            database
                .sinks
                .lock()
                .insert(watch, Arc::clone(sink) as Arc<dyn Sink>);
            watch
        });
        if database.stopped.load(Ordering::Acquire) {
            let kept = database.sinks.lock().remove(&watch);
            sink.close();
            drop(kept);
        }
        let node = self.clone();
        Watching { node, watch }
    }

    pub(super) fn start_query(
        &self,
        kind: Query,
        family: &str,
    ) -> (QueryId, oneshot::Receiver<Result<Answer, String>>) {
        let (sender, receiver) = oneshot::channel();
        let database = self.database();
        if database.stopped.load(Ordering::Acquire) {
            // The sender is dropped, so the receiver reports the end of the node.
            return (QueryId(0), receiver);
        }
        let query = self.ask_database(|machine, now| {
            let query = machine.query(now, kind, family);
            database.answers.lock().insert(query, sender);
            query
        });
        if database.stopped.load(Ordering::Acquire) {
            let _never_answered = database.answers.lock().remove(&query);
        }
        (query, receiver)
    }

    pub(super) fn cancel_query(&self, query: QueryId) {
        // A query that has been answered needs no cancelling.
        let waiting = self.database().answers.lock().remove(&query);
        if waiting.is_some() {
            self.ask_database(|machine, _| machine.cancel(query));
        }
    }

    /// Keeps the monitor of a registered port for as long as its entry, and drops the previous one.
    pub(super) fn keep_registered(&self, family: &str, key: &str, monitor: Option<Monitor>) {
        let name = (family.to_owned(), key.to_owned());
        let mut registered = self.database().registered.lock();
        let old = match monitor {
            Some(monitor) => registered.insert(name, monitor),
            None if registered.is_empty() => None,
            None => registered.remove(&name),
        };
        drop(registered);
        drop(old);
    }
}
