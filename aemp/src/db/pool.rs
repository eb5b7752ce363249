//! The ports of a family as a pool of workers.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use aemp_codec::PortId;
use indexmap::IndexMap;
use tokio::sync::Notify;

use super::{
    DbError,
    machine::{Sink, Watching},
};
use crate::{Node, PortRef, guard::shielded, lock::Lock};
use aemp_proto::global::Watched;

/// The way in which a pool chooses a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pick<'a> {
    /// Each port in turn.
    RoundRobin,
    /// A random port.
    Random,
    /// The port that belongs to this key. Every node chooses the same port, as long as the pool has the same ports. A
    /// new port takes over some keys, and only the keys of a lost port move to others.
    Key(&'a str),
}

/// The ports that are registered in a family, as a pool of workers that is always up to date. Made by
/// [`Node::pool`](crate::Node::pool).
///
/// A port joins by [`Node::db_reg`](crate::Node::db_reg), on any node. It leaves when it dies or its node is lost.
///
/// ```
/// use aemp::{Node, db::Pick, port};
///
/// struct Worker;
///
/// #[port]
/// impl Worker {
///     #[rcv] fn double(&self, n: i64) -> i64 { 2 * n }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let pool = node.pool::<WorkerRef>("workers")?;
/// assert!(pool.pick(Pick::Random).is_none());
/// let worker = node.port(Worker);
/// node.db_reg("workers", &worker.id(), ())?;
/// assert_eq!(pool.wait(Pick::RoundRobin).await?.double(21).await?, 42);
/// # Ok(()) }
/// ```
pub struct Pool<R> {
    node: Node,
    members: Arc<Members>,
    _watching: Watching,
    _handle: PhantomData<fn() -> R>,
}

#[derive(Default)]
struct Members {
    ports: Lock<IndexMap<Arc<str>, PortId>>,
    turn: AtomicU64,
    /// Notified when ports are added and when the watch ends.
    more: Notify,
    closed: AtomicBool,
}

impl Members {
    fn ports(&self) -> MutexGuard<'_, IndexMap<Arc<str>, PortId>> {
        self.ports.lock()
    }

    fn pick(&self, pick: Pick<'_>) -> Option<PortId> {
        let ports = self.ports();
        if ports.is_empty() {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let place = |number: u64| (number % ports.len() as u64) as usize;
        match pick {
            Pick::RoundRobin => ports.get_index(place(turn)).map(|(_, id)| id.clone()),
            Pick::Random => ports.get_index(place(mix(turn))).map(|(_, id)| id.clone()),
            Pick::Key(key) => {
                // Rendezvous hashing: chooses the port with the greatest weight for this key.
                let weight = |port: &str| mix(hash(key) ^ hash(port));
                let heaviest = ports.iter().max_by_key(|(name, _)| (weight(name), *name));
                heaviest.map(|(_, id)| id.clone())
            }
        }
    }

    fn add(ports: &mut IndexMap<Arc<str>, PortId>, family_key: &Arc<str>) {
        // A key that is not a port ID cannot be a worker.
        if let Ok(id) = PortId::parse(family_key) {
            ports.insert(Arc::clone(family_key), id);
        }
    }
}

impl Sink for Members {
    /// Marks the watch as ended. The known ports stay.
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.tell();
    }

    fn gather(&self, event: Watched) -> bool {
        let mut ports = self.ports();
        let before = ports.len();
        match event {
            Watched::All(all) => {
                ports.clear();
                all.iter().for_each(|(key, _)| Self::add(&mut ports, key));
            }
            Watched::Changes(changes) => {
                for change in changes.iter() {
                    if change.value.is_some() {
                        Self::add(&mut ports, &change.key);
                    } else {
                        ports.swap_remove(&change.key);
                    }
                }
            }
        }
        ports.len() > before
    }

    fn tell(&self) {
        shielded(|| self.more.notify_waiters());
    }
}

/// FNV-1a, because the hash must be the same on all nodes and in all versions.
fn hash(text: &str) -> u64 {
    let octet = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, octet)
}

/// Spreads a number over all its bits (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl<R> Pool<R> {
    pub(super) fn new(node: &Node, family: &str) -> Self {
        let members = Arc::<Members>::default();
        // A random start, because pools should not all begin with the same port.
        members
            .turn
            .store(hash(node.id().as_str()), Ordering::Relaxed);
        let watching = node.start_watch(family, &members);
        Self {
            node: node.clone(),
            members,
            _watching: watching,
            _handle: PhantomData,
        }
    }

    /// The number of ports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.ports().len()
    }

    /// True if the pool has no ports.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ports, in no particular order.
    #[must_use]
    pub fn ids(&self) -> Vec<PortId> {
        self.members.ports().values().cloned().collect()
    }
}

impl<R: PortRef> Pool<R> {
    /// Chooses a port; `None` if there are none.
    ///
    /// The port may have died without this node knowing it yet. Then a call ends with an error, and a monitor fires.
    #[must_use]
    pub fn pick(&self, pick: Pick<'_>) -> Option<R> {
        self.members.pick(pick).map(|id| self.node.handle(&id))
    }

    /// Chooses a port, and waits until there is one.
    ///
    /// # Errors
    ///
    /// [`DbError::Stopped`] when there is no port and this node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn wait(&self, pick: Pick<'_>) -> Result<R, DbError> {
        loop {
            let mut more = std::pin::pin!(self.members.more.notified());
            more.as_mut().enable();
            if let Some(port) = self.pick(pick) {
                return Ok(port);
            }
            if self.members.closed.load(Ordering::Acquire) {
                return Err(DbError::Stopped);
            }
            more.await;
        }
    }
}

impl<R> fmt::Debug for Pool<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("ports", &self.ids())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn members(ports: &[&str]) -> Members {
        let members = Members::default();
        let all = ports.iter().map(|port| ((*port).into(), ().into()));
        members.gather(Watched::All(all.collect()));
        members
    }

    fn counts(members: &Members, pick: impl Fn(u64) -> String) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for number in 0..3000 {
            let id = members.pick(Pick::Key(&pick(number))).unwrap();
            *counts.entry(id.to_string()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn in_turn_all_workers_get_equally_many() {
        let members = members(&["a#1", "b#1", "c#1"]);
        let mut counts = BTreeMap::<_, u32>::new();
        for _ in 0..300 {
            *counts.entry(members.pick(Pick::RoundRobin)).or_default() += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [100; 3]);
    }

    #[test]
    fn keys_are_spread_and_move_only_with_their_port() {
        let three = members(&["a#1", "b#1", "c#1"]);
        let counts = counts(&three, |number| format!("key{number}"));
        assert!(
            counts.values().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
        let two = members(&["c#1", "a#1"]);
        for number in 0..1000 {
            let key = format!("key{number}");
            let before = three.pick(Pick::Key(&key)).unwrap();
            if before.as_str() != "b#1" {
                assert_eq!(two.pick(Pick::Key(&key)), Some(before));
            }
        }
    }

    #[test]
    fn at_random_every_worker_is_chosen() {
        let members = members(&["a#1", "b#1", "c#1"]);
        let mut counts = BTreeMap::<_, u32>::new();
        for _ in 0..3000 {
            *counts.entry(members.pick(Pick::Random)).or_default() += 1;
        }
        assert!(
            counts.values().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn keys_that_are_not_ports_are_ignored() {
        let members = members(&["#", "", "bad;node#x"]);
        assert_eq!(members.ports().len(), 1, "the unnamed node's own port");
        assert!(Members::default().pick(Pick::Random).is_none());
    }
}
