//! Writing entries and changes for other nodes, in packets of limited size.

use std::sync::Arc;

use aemp_codec::{EncodeError, NodeId, PacketWriter, Value};
use serde::{Serialize, Serializer};

use super::dirty::Dirty;
use crate::{queue::weight, weigh::kept};

/// The approximate bytes of entries in one packet, if the limits allow that much.
const CHUNK: usize = 256 << 10;
/// The approximate bytes that the database queues for a node at a time.
const ENOUGH: usize = 1 << 20;

/// The connections on which requests are sent.
pub(crate) trait Outgoing {
    /// Sends a request to the node port of a connected node. `write` adds the request and its arguments. Returns the
    /// number of bytes queued.
    fn send(
        &mut self,
        node: &NodeId,
        write: &mut dyn FnMut(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError>;

    /// The largest number of bytes of a packet to the node and of its queue, and the largest number of values of a
    /// packet.
    fn limit(&mut self, node: &NodeId) -> (usize, usize);

    /// True if the node is connected and can use relays.
    fn relays(&self, node: &NodeId) -> bool;
}

/// The connection to one node.
pub(super) struct Way<'a, O> {
    out: &'a mut O,
    pub(super) node: &'a NodeId,
    limit: usize,
    max_values: usize,
    /// The bytes that the database has queued since its queue was last written.
    pub(super) queued: usize,
    /// The errors of entries that could not be sent.
    pub(super) odd: Vec<String>,
}

impl<'a, O: Outgoing> Way<'a, O> {
    pub(super) fn new(out: &'a mut O, node: &'a NodeId, queued: usize) -> Self {
        let (limit, max_values) = out.limit(node);
        Self {
            limit,
            max_values,
            out,
            node,
            queued,
            odd: Vec::new(),
        }
    }

    /// True if a node is connected and can use relays.
    pub(super) fn relays(&self, node: &NodeId) -> bool {
        self.out.relays(node)
    }

    /// True if changes must wait. Only the bytes of the database count, so that it gets its share of a connection that
    /// is always busy.
    pub(super) fn is_full(&self) -> bool {
        self.queued >= ENOUGH.min(self.limit / 8)
    }

    /// The largest number of bytes of a request that cannot be sent in parts.
    pub(super) fn most(&self) -> usize {
        self.limit - self.limit / 4
    }

    /// The largest number of values of a request that cannot be sent in parts.
    pub(super) fn most_values(&self) -> usize {
        self.max_values - self.max_values / 4
    }

    fn chunk(&self) -> usize {
        CHUNK.min(self.limit / 32)
    }

    pub(super) fn send(
        &mut self,
        mut write: impl FnMut(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.queued += self.out.send(self.node, &mut write)?;
        Ok(())
    }

    /// Sends the changes of keys until the queue is full enough. The rest of the keys waits.
    pub(super) fn changes<'v>(
        &mut self,
        style: Style,
        family: &str,
        keys: &mut Dirty,
        value: impl Fn(&str) -> Option<&'v Value>,
    ) {
        while !keys.is_empty() && !self.is_full() {
            let (mut set, mut del, mut size) = (Vec::new(), Vec::new(), Size::default());
            for key in keys.keys() {
                match value(key) {
                    Some(value) => {
                        size.add(key, Some(value));
                        set.push((&**key, value));
                    }
                    None => {
                        size.add(key, None);
                        del.push(&**key);
                    }
                }
                // The limit leaves room for one more entry of the largest size.
                if size.bytes >= self.chunk() || size.values >= self.max_values / 4 {
                    break;
                }
            }
            let count = set.len() + del.len();
            let sent = self.send(|packet| style.write(packet, family, &set, &del));
            if sent.is_err() {
                self.one_by_one(style, family, &set, &del);
            }
            keys.remove_sent(count);
        }
    }

    /// Sends entries one by one, because one of them cannot be sent to this node.
    #[cold]
    fn one_by_one(&mut self, style: Style, family: &str, set: &[Set<'_>], del: &[&str]) {
        let mut del = del.to_vec();
        for entry in set {
            let sent =
                self.send(|packet| style.write(packet, family, std::slice::from_ref(entry), &[]));
            if let Err(error) = sent {
                let (key, node) = (entry.0, self.node);
                self.odd.push(format!(
                    "family {family}: the value of {key:?} cannot be sent to {node}: {error}"
                ));
                // A missing value is better than the old value, which is wrong.
                del.push(key);
            }
        }
        if !del.is_empty() {
            // Every format can express texts.
            let _ = self.send(|packet| style.write(packet, family, &[], &del));
        }
    }

    /// Sends the node a whole database, if it is small. Otherwise sends only `first`, and returns false: the rest must
    /// follow as changes.
    pub(super) fn database(
        &mut self,
        request: &str,
        first: &Families<'_>,
        all: &Families<'_>,
    ) -> bool {
        let mut size = Size::default();
        for (_, entries) in all {
            size.add_all(entries);
        }
        let write = |packet: &mut PacketWriter<'_>, families: &Families<'_>| {
            packet.str(request)?;
            packet.arg(&Whole(families))
        };
        let small = size.bytes < self.chunk() && size.values + all.len() < self.most_values();
        if small && self.send(|packet| write(packet, all)).is_ok() {
            return true;
        }
        // Every format can express addresses.
        let _ = self.send(|packet| write(packet, first));
        false
    }

    /// Sends the content of a watched family in one request, because missing entries count as deleted.
    ///
    /// If that is too large, or cannot be sent, sends an empty content, and returns false: all entries must follow as
    /// changes.
    pub(super) fn all(&mut self, family: &str, entries: &[Set<'_>]) -> bool {
        let write = |packet: &mut PacketWriter<'_>, entries: &[Set<'_>]| {
            packet.str("g_chg1")?;
            packet.str(family)?;
            if entries.is_empty() {
                packet.value(&Value::Null)
            } else {
                packet.arg(&Map(entries))
            }
        };
        let mut size = Size::default();
        size.add_all(entries);
        let small = size.bytes < self.most() && size.values < self.most_values();
        if small && self.send(|packet| write(packet, entries)).is_ok() {
            return true;
        }
        // Every format can express a name and null.
        let _ = self.send(|packet| write(packet, &[]));
        false
    }
}

/// A key and its value.
pub(super) type Set<'a> = (&'a str, &'a Value);

/// Families and their entries.
pub(super) type Families<'a> = [(&'a str, Vec<Set<'a>>)];

/// Entries, serialized as a map.
struct Map<'a>(&'a [Set<'a>]);

impl Serialize for Map<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

struct Whole<'a>(&'a Families<'a>);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let families = self.0.iter();
        serializer.collect_map(families.map(|(family, entries)| (family, Map(entries))))
    }
}

/// The size of entries in a packet.
#[derive(Debug, Default)]
struct Size {
    bytes: usize,
    values: usize,
}

impl Size {
    fn add(&mut self, key: &str, value: Option<&Value>) {
        self.bytes += 4 + key.len() + value.map_or(0, weight);
        self.values += 1 + value.map_or(0, |value| kept(value).values);
    }

    fn add_all(&mut self, entries: &[Set<'_>]) {
        for (key, value) in entries {
            self.add(key, Some(value));
        }
    }
}

/// The way to write changes, which depends on their receiver ([protocol](crate::protocol::global#requests-to-the-master)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// From a slave to its master. An empty map or list becomes null, or is left out.
    Upstream,
    /// Between global nodes.
    Broadcast,
    /// To a node that watches a family.
    Monitor,
}

impl Style {
    fn request(self) -> &'static str {
        match self {
            Self::Upstream | Self::Broadcast => "g_upd",
            Self::Monitor => "g_chg2",
        }
    }

    fn write(
        self,
        packet: &mut PacketWriter<'_>,
        family: &str,
        set: &[Set<'_>],
        del: &[&str],
    ) -> Result<(), EncodeError> {
        packet.str(self.request())?;
        packet.str(family)?;
        if self != Self::Upstream {
            packet.arg(&Map(set))?;
            return packet.arg(del);
        }
        if set.is_empty() {
            packet.value(&Value::Null)?;
        } else {
            packet.arg(&Map(set))?;
        }
        if del.is_empty() {
            return Ok(());
        }
        packet.arg(del)
    }
}

/// The keys of entries that are to be sent as changes.
pub(super) fn keys_of<'a>(
    entries: impl IntoIterator<Item = (&'a Arc<str>, &'a Value)>,
) -> impl Iterator<Item = Arc<str>> {
    entries.into_iter().map(|(key, _)| Arc::clone(key))
}
