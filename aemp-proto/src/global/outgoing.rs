//! Writing entries and changes for other nodes, in packets of limited size.

use std::sync::Arc;

use aemp_codec::{EncodeError, NodeId, PacketWriter, Value};
use serde::{Serialize, Serializer};

use super::dirty::Dirty;
use crate::{queue::weight, weigh::kept};

/// About how many bytes of entries go into one packet, where the limits allow that much.
const CHUNK: usize = 256 << 10;
/// About how many bytes the database has queued for a node at a time.
const ENOUGH: usize = 1 << 20;

/// Where requests go.
pub(crate) trait Outgoing {
    /// Sends a request to the node port of a connected node; `write` adds the request and its arguments. Returns how
    /// many bytes that has queued.
    fn send(
        &mut self,
        node: &NodeId,
        write: &mut dyn FnMut(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError>;

    /// How many bytes a packet to the node, and all that is queued for it, may have; and how many values a packet.
    fn limit(&mut self, node: &NodeId) -> (usize, usize);
}

/// The way to one node.
pub(super) struct Way<'a, O> {
    out: &'a mut O,
    pub(super) node: &'a NodeId,
    limit: usize,
    max_values: usize,
    /// What the database has queued since it last heard that all has been written.
    pub(super) queued: usize,
    /// What could not be sent.
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

    /// Whether changes have to wait. Only what the database itself has queued counts, so that it gets its share of a connection
    /// that is always busy.
    pub(super) fn is_full(&self) -> bool {
        self.queued >= ENOUGH.min(self.limit / 8)
    }

    /// How large something may be that cannot be told in parts.
    pub(super) fn most(&self) -> usize {
        self.limit - self.limit / 4
    }

    /// How many values may be in something that cannot be told in parts.
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

    /// Tells the node what has become of keys, until it has enough: what is left of the keys waits.
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
                // The largest that comes behind fits as well.
                if size.bytes >= self.chunk() || size.values >= self.max_values / 4 {
                    break;
                }
            }
            let count = set.len() + del.len();
            let sent = self.send(|packet| style.write(packet, family, &set, &del));
            if sent.is_err() {
                self.one_by_one(style, family, &set, &del);
            }
            keys.told(count);
        }
    }

    /// Some entry cannot be sent to that node: the others can.
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
                // Rather nothing than the value that it had before.
                del.push(key);
            }
        }
        if !del.is_empty() {
            // Keys are texts, which every format can express.
            let _ = self.send(|packet| style.write(packet, family, &[], &del));
        }
    }

    /// Tells the node a whole database, if that is small. Otherwise only the `first` of it; the rest has to follow as
    /// changes, and the answer is false.
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
        // Addresses can be expressed in every format.
        let _ = self.send(|packet| write(packet, first));
        false
    }

    /// Tells the node what a family that it watches holds, in one request, because what is not in it counts as deleted. If
    /// that is too large, or cannot be sent, nothing is in it, everything has to follow as changes, and the answer is false.
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
        // A name and null can be expressed in every format.
        let _ = self.send(|packet| write(packet, &[]));
        false
    }
}

/// An entry that is set.
pub(super) type Set<'a> = (&'a str, &'a Value);

/// Families and what is set in them.
pub(super) type Families<'a> = [(&'a str, Vec<Set<'a>>)];

/// Entries as a map.
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

/// The kind of entries in a packet.
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

/// How the three places that changes go to write them (REFERENCE.md, "Database").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// From a slave: what there is nothing of is null, or left out.
    Upstream,
    /// Between global nodes.
    Broadcast,
    /// To those who watch.
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

/// The keys of what is set, to be told as changes.
pub(super) fn keys_of<'a>(
    entries: impl IntoIterator<Item = (&'a Arc<str>, &'a Value)>,
) -> impl Iterator<Item = Arc<str>> {
    entries.into_iter().map(|(key, _)| Arc::clone(key))
}
