//! The taps of one node.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use aemp_codec::{PortId, Value};
use tokio::sync::Notify;

use super::{Direction, TapEvent, TappedPacket};
use crate::{
    guard,
    lock::Lock,
    passing::queue::{Bounds, Element, Next, Queue},
};
use aemp_proto::weight;

/// The bounds of the packets that wait for one tap.
const WAITING: Bounds = Bounds {
    elements: 1024,
    bytes: 1 << 20,
};
/// The number of taps of one node.
const MOST_OF_NODE: usize = 16;
/// The number of taps of all nodes together.
const MOST: usize = 64;

impl Element for Arc<TappedPacket> {
    fn bytes(&self) -> usize {
        (**self).bytes()
    }
}

impl Element for TappedPacket {
    fn bytes(&self) -> usize {
        self.port.len() + self.message.iter().map(weight).sum::<usize>()
    }
}

impl Element for TapEvent {
    fn bytes(&self) -> usize {
        match self {
            Self::Packet(packet) => packet.bytes(),
            Self::Refused(text) => text.len(),
            Self::Open | Self::Lost(_) => 0,
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Packet(_) => 1,
            Self::Lost(packets) => *packets,
            Self::Open | Self::Refused(_) => 0,
        }
    }
}

/// The taps of a node, and the ports at which it reads taps of other nodes.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    /// True if there is a tap.
    are_open: AtomicBool,
    open: Lock<Open>,
}

#[derive(Debug, Default)]
struct Open {
    taps: Vec<OneTap>,
    last_id: u64,
    /// The names of ports of this node that read taps.
    readers: BTreeSet<String>,
}

#[derive(Debug)]
struct OneTap {
    id: u64,
    /// The port that gets the packets.
    to: PortId,
    filter: Filter,
    packets: Queue<Arc<TappedPacket>>,
    ready: Arc<Notify>,
}

/// The packets that a tap wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    /// The name of the receiving port; `None` for all packets.
    pub(super) port: Option<String>,
    pub(super) tag: Option<String>,
}

impl Filter {
    fn wants(&self, packet: &TappedPacket) -> bool {
        let is_port = |port: &String| *port == packet.port && packet.direction == Direction::Rcv;
        let tag = packet.message.first().and_then(Value::text);
        let is_tag = |wanted: &String| tag.as_deref() == Some(wanted);
        self.port.as_ref().is_none_or(is_port) && self.tag.as_ref().is_none_or(is_tag)
    }
}

impl Taps {
    /// True if there is a tap.
    #[inline]
    pub(crate) fn are_open(&self) -> bool {
        self.are_open.load(Ordering::Relaxed)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock()
    }

    /// Adds a packet for the taps that want it.
    pub(crate) fn offer(&self, packet: TappedPacket) {
        let is_keepalive = packet.message.iter().all(|value| *value == Value::from(""));
        if packet.port.is_empty() && is_keepalive {
            return;
        }
        let packet = Arc::new(packet);
        let mut woken = Vec::new();
        let mut open = self.open();
        if open.is_of_a_tap(&packet) {
            return;
        }
        for tap in open.taps.iter_mut().filter(|tap| tap.filter.wants(&packet)) {
            if tap.packets.is_empty() {
                woken.push(Arc::clone(&tap.ready));
            }
            tap.packets.push(Arc::clone(&packet));
        }
        drop(open);
        for ready in woken {
            guard::shielded(|| ready.notify_one());
        }
    }

    /// Adds a tap. The error is the reason why it is not opened.
    pub(super) fn add(&self, to: &PortId, filter: Filter) -> Result<u64, String> {
        let mut open = self.open();
        let of_node = open.taps.iter().filter(|tap| tap.to.node() == to.node());
        if of_node.count() >= MOST_OF_NODE || open.taps.len() >= MOST {
            return Err(format!("there are {} taps already", open.taps.len()));
        }
        open.last_id += 1;
        let id = open.last_id;
        let (to, ready) = (to.clone(), Arc::default());
        let packets = Queue::new(WAITING);
        open.taps.push(OneTap {
            id,
            to,
            filter,
            packets,
            ready,
        });
        self.are_open.store(true, Ordering::Relaxed);
        Ok(id)
    }

    pub(super) fn remove(&self, id: u64) {
        let mut open = self.open();
        let place = open.taps.iter().position(|tap| tap.id == id);
        let _tap = place.map(|place| open.taps.swap_remove(place));
        self.are_open
            .store(!open.taps.is_empty(), Ordering::Relaxed);
    }

    pub(super) fn next(&self, id: u64) -> Next<Arc<TappedPacket>> {
        let mut open = self.open();
        let tap = open.taps.iter_mut().find(|tap| tap.id == id);
        tap.map_or(Next::Nothing, |tap| tap.packets.next())
    }

    pub(super) fn ready(&self, id: u64) -> Arc<Notify> {
        let open = self.open();
        let tap = open.taps.iter().find(|tap| tap.id == id);
        tap.map(|tap| Arc::clone(&tap.ready)).unwrap_or_default()
    }

    /// A port of this node reads a tap from now on, or no longer.
    pub(super) fn read_at(&self, name: &str, reads: bool) {
        let mut open = self.open();
        match reads {
            true => open.readers.insert(name.into()),
            false => open.readers.remove(name),
        };
    }
}

impl Open {
    /// True for a message of a tap, of this node or of the other one.
    fn is_of_a_tap(&self, packet: &TappedPacket) -> bool {
        match packet.direction {
            Direction::Rcv => self.readers.contains(&packet.port),
            Direction::Snd => self
                .taps
                .iter()
                .any(|tap| tap.to.node() == packet.node.as_str() && tap.to.name() == packet.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use aemp_codec::NodeId;

    use super::*;
    use crate::args;

    fn packet(direction: Direction, port: &str, message: crate::Args) -> TappedPacket {
        TappedPacket {
            time: 0.0,
            direction,
            node: NodeId::new("far").unwrap(),
            port: port.into(),
            message,
        }
    }

    fn filter(port: Option<&str>, tag: Option<&str>) -> Filter {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Filter {
            port: owned(port),
            tag: owned(tag),
        }
    }

    fn taken(taps: &Taps, id: u64) -> Vec<String> {
        let next = || match taps.next(id) {
            Next::One(packet) => Some(packet.to_string()),
            Next::Lost(lost) => Some(lost.to_string()),
            Next::Nothing => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn each_tap_gets_the_copies_that_it_wants() {
        let taps = Taps::default();
        assert!(!taps.are_open());
        let to = |name| PortId::parse(name).unwrap();
        let all = taps.add(&to("far#all"), filter(None, None)).unwrap();
        let port = taps.add(&to("far#port"), filter(Some("p"), None)).unwrap();
        let tag = taps.add(&to("third#tag"), filter(None, Some("x"))).unwrap();
        assert!(taps.are_open());
        taps.read_at("reads", true);
        for (direction, port, message) in [
            (Direction::Rcv, "p", args!["y", 1]),
            (Direction::Snd, "p", args!["x"]),
            (Direction::Rcv, "", args!["mon1", "p"]),
            // Keepalives, and messages of taps.
            (Direction::Rcv, "", args![]),
            (Direction::Snd, "", args![""]),
            (Direction::Snd, "all", args!["SND"]),
            (Direction::Rcv, "reads", args!["SND"]),
        ] {
            taps.offer(packet(direction, port, message));
        }
        let everything = [
            "RCV far p [\"y\",1]",
            "SND far p [\"x\"]",
            "RCV far  [\"mon1\",\"p\"]",
        ];
        assert_eq!(taken(&taps, all), everything);
        assert_eq!(taken(&taps, port), everything[..1]);
        assert_eq!(taken(&taps, tag), everything[1..2]);
        for id in [all, port, tag] {
            taps.remove(id);
        }
        assert!(!taps.are_open());
    }

    #[test]
    fn neither_packets_nor_taps_are_too_many() {
        let taps = Taps::default();
        let to = PortId::parse("far#port").unwrap();
        let ids: Vec<_> = (0..MOST_OF_NODE)
            .map(|_| taps.add(&to, filter(None, None)).unwrap())
            .collect();
        assert!(taps.add(&to, filter(None, None)).is_err());
        let third = PortId::parse("third#port").unwrap();
        assert!(taps.add(&third, filter(None, None)).is_ok());
        for n in 0..WAITING.elements as u64 + 2 {
            taps.offer(packet(Direction::Rcv, "p", args![n]));
        }
        let taken = taken(&taps, ids[0]);
        assert_eq!(
            (&*taken[0], &*taken[1], taken.len()),
            ("2", "RCV far p [2]", 1 + WAITING.elements)
        );
    }
}
