//! The reader's side.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, MutexGuard},
    task::{Context, Poll, Waker},
};

use aemp_codec::{NodeId, PortId, Value};
use futures_core::Stream;

use super::{TAP, TapEvent, TappedPacket};
use crate::lock::Lock;
use crate::{
    Args, Cx, Monitor, Node, Reason, args, guard,
    passing::queue::{Bounds, Next, Queue},
};

/// The bounds of the packets that wait for the reader.
const WAITING: Bounds = Bounds {
    elements: 8192,
    bytes: 4 << 20,
};

impl Node {
    /// Taps a port of any node of this project, or a whole node (the ID of its node port, `PortId::from(node)`): a copy of
    /// its packets arrives at the returned [`Tap`], those with this tag only if one is given. See [`tap`](crate::tap) for
    /// what a tap sees, who may open one, and its limits.
    pub fn tap(&self, what: &PortId, tag: Option<&str>) -> Tap {
        let shared = Arc::new(Shared::default());
        let taken = Arc::clone(&shared);
        let port = self.untyped(move |_: &mut Cx<'_>, message: Args| taken.take(&message));
        let port = port.id();
        self.taps().read_at(port.name(), true);
        let args = args![0, port.as_str(), what.name(), tag.unwrap_or_default()];
        let lost = Arc::clone(&shared);
        let told = PortId::from(what.node_id());
        let monitor = self.mon(&told, move |reason| lost.end(reason));
        let sent = self.snd_to_func(what.node(), TAP, args);
        if let Err(error) = sent.check() {
            shared.end(&Reason::die(error));
        }
        let own = Arc::clone(&shared);
        // The end of the own node kills the port.
        self.mon(&port, move |reason| own.end(reason)).detach();
        Tap {
            node: self.clone(),
            port,
            shared,
            _monitor: monitor,
        }
    }
}

/// A stream of the packets of another node; see [`Node::tap`]. Dropping it closes the tap.
pub struct Tap {
    node: Node,
    port: PortId,
    shared: Arc<Shared>,
    /// Reports the loss of the tapped node.
    _monitor: Monitor,
}

#[derive(Default)]
struct Shared(Lock<Waiting>);

struct Waiting {
    events: Queue<TapEvent>,
    waker: Option<Waker>,
    end: Option<Reason>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            events: Queue::new(WAITING),
            waker: None,
            end: None,
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock()
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting();
        change(&mut waiting);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            guard::wake(waker);
        }
    }

    fn end(&self, reason: &Reason) {
        self.change(|waiting| {
            waiting.end.get_or_insert_with(|| reason.clone());
        });
    }

    /// Takes a message of the tapped node. Messages of other forms are ignored.
    fn take(&self, message: &[Value]) {
        let event = match message {
            [kind] if kind.as_str() == Some("open") => TapEvent::Open,
            [kind, text] if kind.as_str() == Some("refused") => {
                TapEvent::Refused(text.text().unwrap_or_default().into_owned())
            }
            [kind, lost] if kind.as_str() == Some("lost") => {
                TapEvent::Lost(lost.as_u64().unwrap_or(0))
            }
            [kind, rest @ ..] if kind.as_str() == Some("packet") => match packet(rest) {
                Some(packet) => TapEvent::Packet(packet),
                None => return,
            },
            _ => return,
        };
        self.change(|waiting| waiting.events.push(event));
    }
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
        self.shared.waiting().end.clone()
    }

    fn poll_event(&self, task: &mut Context<'_>) -> Poll<Option<TapEvent>> {
        let mut waiting = self.shared.waiting();
        let next = match waiting.events.next() {
            Next::One(event) => Some(event),
            Next::Lost(lost) => Some(TapEvent::Lost(lost)),
            Next::Nothing => None,
        };
        if next.is_some() || waiting.end.is_some() {
            return Poll::Ready(next);
        }
        let waker = Some(task.waker().clone());
        let _last = std::mem::replace(&mut waiting.waker, waker);
        drop(waiting);
        Poll::Pending
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
