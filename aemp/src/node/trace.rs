//! Message traces: one line for each packet to and from other nodes, under the target `aemp::trace` at level TRACE. It is
//! the `AE_MP_TRACE` of the reference.
//!
//! Packets are traced where a connection takes them from its buffers, so that every packet is there once and in the order
//! of the wire, independent of the code that wrote it. Taps (`crate::tap`) see packets here as well. If neither a subscriber
//! nor a tap wants packets, that costs two relaxed loads for each read and each write. A packet that is traced is decoded
//! once more, as values; then a strand of its own calls the subscribers, as for other lines. So traces neither delay
//! connections nor push out lines of the log. If subscribers are too slow, traces are lost, and the next line gives their
//! number.
//!
//! Messages within a node are not traced: they are never encoded. A subscriber that sends a message to another node for
//! each trace would never end, and has to leave out this target. The log catcher does.

use std::{
    borrow::Cow,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aemp_codec::{Format, NodeId, Value};

use super::{Node, strand::Strand};
use crate::{
    bounded::Bounded,
    guard, log,
    logs::now,
    tap::{Direction, TappedPacket, Taps},
};
use aemp_proto::request::TRACED;

/// The number of traces that may wait for subscribers.
const MOST: usize = 1024;
/// The longest text of a message, in bytes.
const MOST_TEXT: usize = 1000;
/// The number of elements of a request with a context, up to the name of the port.
const HEAD: usize = 5;
/// A larger packet is traced without its content.
const LARGE: usize = 64 << 10;

/// The traces of one node that wait for subscribers, and its taps.
#[derive(Default)]
pub(crate) struct Traces {
    strand: Arc<Strand>,
    /// The number of traces that were lost since the last line.
    lost: AtomicU64,
    taps: Taps,
}

/// A packet in the form in which it is traced.
pub(crate) struct Traced {
    pub(crate) direction: Direction,
    /// The other node.
    pub(crate) node: NodeId,
    /// The name of the receiving port; empty for the node port.
    pub(crate) port: String,
    pub(crate) tag: String,
    /// The message as a JSON list.
    pub(crate) text: String,
}

impl Node {
    /// True if a subscriber or a tap wants packets.
    #[inline]
    pub(crate) fn traces(&self) -> bool {
        log::traces() || self.taps().are_open()
    }

    /// Traces the packets in these bytes.
    #[cold]
    pub(crate) fn trace_all(&self, way: Direction, other: &NodeId, format: &Format, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            // A framer of another crate may panic.
            let found = guard::attempt(|| format.framer(self.limits()).scan(rest));
            let Ok(Ok(Some(range))) = found else { return };
            let (packet, end) = (&rest[range.clone()], range.end);
            self.trace(way, other, format, packet);
            rest = &rest[end..];
        }
    }

    /// Traces one packet.
    #[cold]
    pub(crate) fn trace(&self, way: Direction, other: &NodeId, format: &Format, packet: &[u8]) {
        let (port, message) = self.decoded(format, packet);
        if log::traces() {
            self.tell_traced(Traced::of(way, other, &port, &message));
        }
        if self.taps().are_open() {
            self.taps().offer(TappedPacket {
                time: now(),
                direction: way,
                node: other.clone(),
                port,
                message,
            });
        }
    }

    /// The port of a packet, and its message. In the place of a message that cannot be shown, a text says so.
    fn decoded(&self, format: &Format, packet: &[u8]) -> (String, Vec<Value>) {
        let mut port = String::new();
        let read = guard::attempt(|| {
            let mut reader = format.reader(packet, self.limits())?;
            port = reader.text()?.unwrap_or_default().into_owned();
            match packet.len() <= LARGE {
                true => reader.rest().map(Ok),
                false => Ok(Err("too large to be shown")),
            }
        });
        let problem = match read {
            Ok(Ok(Ok(message))) => return without_context(port, message),
            Ok(Ok(Err(text))) => text.to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic,
        };
        let text = format!("({} bytes: {problem})", packet.len());
        (port, vec![text.into()])
    }

    /// The taps of this node.
    pub(crate) fn taps(&self) -> &Taps {
        &self.0.traces.taps
    }

    fn tell_traced(&self, traced: Traced) {
        let lost = self.0.traces.lost.swap(0, Ordering::Relaxed);
        let emit = move || {
            if lost > 0 {
                log::traces_lost(lost);
            }
            log::trace(&traced);
        };
        if !self.0.traces.strand.try_run(self, MOST, emit) {
            self.0.traces.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

impl Traced {
    fn of(direction: Direction, other: &NodeId, port: &str, message: &[Value]) -> Self {
        let tag = message.first().and_then(Value::text).unwrap_or_default();
        Self {
            direction,
            node: other.clone(),
            port: port.into(),
            tag: tag.into_owned(),
            text: list(message),
        }
    }
}

/// The port and the message of a packet, also of one with the context of a span.
fn without_context(port: String, mut message: Vec<Value>) -> (String, Vec<Value>) {
    let is_traced = port.is_empty() && message.first().and_then(Value::as_str) == Some(TRACED);
    let inner = message.get(HEAD - 1).and_then(Value::text);
    match inner.map(Cow::into_owned).filter(|_| is_traced) {
        Some(port) => (port, message.split_off(HEAD)),
        None => (port, message),
    }
}

/// A message as a JSON list, or the beginning of one.
fn list(message: &[Value]) -> String {
    let mut text = Bounded::new(MOST_TEXT);
    // An error means that the text is long enough.
    let _ = write!(text, "[").and_then(|()| {
        for (place, value) in message.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(text, "{comma}{value}")?;
        }
        write!(text, "]")
    });
    text.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn packets_are_shown_as_lists() {
        let other = NodeId::new("b").unwrap();
        let message = args!["add", 1, args!["x", ()]];
        let traced = Traced::of(Direction::Snd, &other, "port", &message);
        assert_eq!((&*traced.port, &*traced.tag), ("port", "add"));
        assert_eq!(traced.text, r#"["add",1,["x",null]]"#);
        let traced = Traced::of(Direction::Rcv, &other, "", &[]);
        assert_eq!((&*traced.port, &*traced.text), ("", "[]"));
    }

    #[test]
    fn a_context_is_left_out() {
        let message = args![TRACED, "00-t-s-01", "", "send", "port", "add", 1];
        let shown = without_context(String::new(), message);
        assert_eq!(shown, ("port".into(), args!["add", 1]));
        for message in [args![TRACED, "x"], args!["snd", 1, 2, 3, "port"], args![]] {
            let shown = without_context(String::new(), message.clone());
            assert_eq!(shown, (String::new(), message));
        }
    }

    #[test]
    fn long_messages_are_cut() {
        let text = list(&args!["x".repeat(5000), 1]);
        assert!(text.len() <= MOST_TEXT && text.ends_with("xx..."), "{text}");
    }
}
