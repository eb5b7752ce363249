//! Writing what others have to be told, in packets of bearable size.

use std::sync::Arc;

use aemp_codec::{EncodeError, NodeId, PacketWriter, Value};
use indexmap::IndexSet;
use serde::{Serialize, Serializer};

use crate::proto::queue::weight;

/// About how many bytes of entries go into one packet.
const CHUNK: usize = 256 << 10;

/// Where requests go.
pub(in crate::proto) trait Outgoing {
    /// Sends a request to the node port of a connected node; `write` adds the request and its arguments.
    fn send(
        &mut self,
        node: &NodeId,
        write: &mut dyn FnMut(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError>;

    /// Whether much is queued for the node: changes had better wait.
    fn is_full(&mut self, node: &NodeId) -> bool;
}

/// An entry that is set.
pub(super) type Set<'a> = (&'a str, &'a Value);

/// Entries as a map.
struct Map<'a>(&'a [Set<'a>]);

impl Serialize for Map<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
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

/// Tells a node what has become of keys, until it has enough: what is left of the keys waits.
pub(super) fn changes<'v>(
    out: &mut impl Outgoing,
    node: &NodeId,
    style: Style,
    family: &str,
    keys: &mut IndexSet<Arc<str>>,
    value: impl Fn(&str) -> Option<&'v Value>,
    odd: &mut Vec<String>,
) {
    while !keys.is_empty() && !out.is_full(node) {
        let (mut set, mut del, mut size) = (Vec::new(), Vec::new(), 0);
        for key in keys.iter() {
            size += 4 + key.len();
            match value(key) {
                Some(value) => {
                    size += weight(value);
                    set.push((&**key, value));
                }
                None => del.push(&**key),
            }
            if size >= CHUNK {
                break;
            }
        }
        let count = set.len() + del.len();
        let sent = out.send(node, &mut |packet| style.write(packet, family, &set, &del));
        if sent.is_err() {
            one_by_one(out, node, style, family, &set, &del, odd);
        }
        if count == keys.len() {
            keys.clear();
        } else {
            keys.drain(..count);
        }
    }
}

/// Some entry cannot be sent to that node: the others can.
#[cold]
fn one_by_one(
    out: &mut impl Outgoing,
    node: &NodeId,
    style: Style,
    family: &str,
    set: &[Set<'_>],
    del: &[&str],
    odd: &mut Vec<String>,
) {
    for entry in set {
        let sent = out.send(node, &mut |packet| {
            style.write(packet, family, std::slice::from_ref(entry), &[])
        });
        if let Err(error) = sent {
            let key = entry.0;
            odd.push(format!(
                "family {family}: the value of {key:?} cannot be sent to {node}: {error}"
            ));
        }
    }
    if !del.is_empty() {
        // Keys are texts, which every format can express.
        let _ = out.send(node, &mut |packet| style.write(packet, family, &[], del));
    }
}

/// Tells a node a database: as one request if it is small, otherwise the `first` part of it, and everything as changes.
pub(super) fn database<'v>(
    out: &mut impl Outgoing,
    node: &NodeId,
    request: &str,
    first: &[(&str, Vec<Set<'v>>)],
    families: &[(&str, Vec<Set<'v>>)],
    odd: &mut Vec<String>,
) {
    let size: usize = families.iter().map(|(_, entries)| size_of(entries)).sum();
    let whole = size < CHUNK
        && out
            .send(node, &mut |packet| {
                packet.str(request)?;
                packet.arg(&Whole(families))
            })
            .is_ok();
    if whole {
        return;
    }
    // Addresses can be expressed in every format.
    let _ = out.send(node, &mut |packet| {
        packet.str(request)?;
        packet.arg(&Whole(first))
    });
    for (family, entries) in families {
        for chunk in chunks(entries) {
            let sent = out.send(node, &mut |packet| {
                Style::Upstream.write(packet, family, chunk, &[])
            });
            if sent.is_err() {
                one_by_one(out, node, Style::Upstream, family, chunk, &[], odd);
            }
        }
    }
}

struct Whole<'a, 'v>(&'a [(&'a str, Vec<Set<'v>>)]);

impl Serialize for Whole<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let families = self.0.iter();
        serializer.collect_map(families.map(|(family, entries)| (family, Map(entries))))
    }
}

/// Tells a node what a family that it watches holds.
pub(super) fn all(
    out: &mut impl Outgoing,
    node: &NodeId,
    family: &str,
    entries: &[Set<'_>],
    odd: &mut Vec<String>,
) {
    // One request, because what is not in it counts as deleted. Only what no packet can hold is told in parts.
    let whole = out.send(node, &mut |packet| {
        packet.str("g_chg1")?;
        packet.str(family)?;
        if entries.is_empty() {
            packet.value(&Value::Null)
        } else {
            packet.arg(&Map(entries))
        }
    });
    if whole.is_ok() {
        return;
    }
    let _ = out.send(node, &mut |packet| {
        packet.str("g_chg1")?;
        packet.str(family)?;
        packet.value(&Value::Null)
    });
    for chunk in chunks(entries) {
        let sent = out.send(node, &mut |packet| {
            Style::Monitor.write(packet, family, chunk, &[])
        });
        if sent.is_err() {
            one_by_one(out, node, Style::Monitor, family, chunk, &[], odd);
        }
    }
}

fn size_of(entries: &[Set<'_>]) -> usize {
    let size = |(key, value): &Set<'_>| 4 + key.len() + weight(value);
    entries.iter().map(size).sum()
}

fn chunks<'a, 'v>(mut entries: &'a [Set<'v>]) -> impl Iterator<Item = &'a [Set<'v>]> {
    std::iter::from_fn(move || {
        if entries.is_empty() {
            return None;
        }
        let mut size = 0;
        let full = entries.iter().position(|(key, value)| {
            size += 4 + key.len() + weight(value);
            size >= CHUNK
        });
        let (chunk, rest) = entries.split_at(full.map_or(entries.len(), |at| at + 1));
        entries = rest;
        Some(chunk)
    })
}
