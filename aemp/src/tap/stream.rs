//! The reader's side.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aemp_codec::{NodeId, PortId, Value};
use futures_core::Stream;

use super::{TAP, TapEvent, TappedPacket};
use crate::{
    Args, Cx, Monitor, Node, Reason, args,
    passing::{
        queue::{Bounds, Next},
        reading::Reading,
    },
};

/// The bounds of the packets that wait for the reader.
const WAITING: Bounds = Bounds {
    elements: 8192,
    bytes: 4 << 20,
};

impl Node {
    /// Taps a port of any node of this project, or a whole node (the ID of its node port, `PortId::from(node)`): a copy of
    /// its packets arrives at the returned [`Tap`], those with this tag only if one is given. [`tap`](crate::tap) describes
    /// the packets that a tap sees, the permission to open one, and the limits.
    pub fn tap(&self, tapped: &PortId, tag: Option<&str>) -> Tap {
        let events = Arc::new(Events::new(WAITING));
        let taken = Arc::clone(&events);
        let port = self.untyped(move |_: &mut Cx<'_>, message: Args| {
            event(&message)
                .into_iter()
                .for_each(|event| taken.push(event));
        });
        let port = port.id();
        self.taps().read_at(port.name(), true);
        let args = args![0, port.as_str(), tapped.name(), tag.unwrap_or_default()];
        let lost = Arc::clone(&events);
        let told = PortId::from(tapped.node_id());
        let monitor = self.mon(&told, move |reason| lost.end(reason.clone()));
        let sent = self.snd_to_func(tapped.node(), TAP, args);
        if let Err(error) = sent.check() {
            events.end(Reason::die(error));
        }
        let own = Arc::clone(&events);
        // The end of the own node kills the port.
        self.mon(&port, move |reason| own.end(reason.clone()))
            .detach();
        Tap {
            node: self.clone(),
            port,
            events,
            _monitor: monitor,
        }
    }
}

/// A stream of the packets of another node; see [`Node::tap`]. Dropping it closes the tap.
pub struct Tap {
    node: Node,
    port: PortId,
    events: Arc<Events>,
    /// Reports the loss of the tapped node.
    _monitor: Monitor,
}

/// The events on their way to the reader.
type Events = Reading<TapEvent, Reason>;

/// The event of a message of the tapped node. Messages of other forms are ignored.
fn event(message: &[Value]) -> Option<TapEvent> {
    Some(match message {
        [kind] if kind.as_str() == Some("open") => TapEvent::Open,
        [kind, text] if kind.as_str() == Some("refused") => {
            TapEvent::Refused(text.text().unwrap_or_default().into_owned())
        }
        [kind, lost] if kind.as_str() == Some("lost") => TapEvent::Lost(lost.as_u64().unwrap_or(0)),
        [kind, rest @ ..] if kind.as_str() == Some("packet") => TapEvent::Packet(packet(rest)?),
        _ => return None,
    })
}

fn packet(rest: &[Value]) -> Option<TappedPacket> {
    let [direction, node, port, time, message] = rest else {
        return None;
    };
    Some(TappedPacket {
        time: time.as_f64()?,
        direction: direction.text()?.parse().ok()?,
        node: NodeId::new(&*node.text()?).ok()?,
        port: port.text()?.into_owned(),
        message: message.as_array()?.to_vec(),
    })
}

impl Tap {
    /// The next event; `None` when the tapped node is lost, or this node has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready loses no event.
    pub async fn next(&mut self) -> Option<TapEvent> {
        poll_fn(|task| self.poll_event(task)).await
    }

    /// The reason of the end, when the tap has ended.
    #[must_use]
    pub fn end(&self) -> Option<Reason> {
        self.events.ended()
    }

    fn poll_event(&self, task: &mut Context<'_>) -> Poll<Option<TapEvent>> {
        self.events.poll(task).map(|next| match next {
            Next::One(event) => Some(event),
            Next::Lost(lost) => Some(TapEvent::Lost(lost)),
            Next::Nothing => None,
        })
    }
}

impl Stream for Tap {
    type Item = TapEvent;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<TapEvent>> {
        self.poll_event(task)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.node.kil(&self.port, ());
        self.node.taps().read_at(self.port.name(), false);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}
