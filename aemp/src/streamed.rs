//! Streams of items: a handler takes or returns a [`Streamed<T>`], whose items arrive one by one, as fast as the consumer
//! takes them.
//!
//! An item is a value of any type that can be an argument of a message. For bytes, such as those of a file, there is the
//! module [`stream`](crate::stream): a [`ByteStream`](crate::stream::ByteStream) has a connection of its own if it is not
//! small, and a `Streamed` travels with the messages.
//!
//! ```
//! use aemp::{Cx, Node, port, streamed::Streamed};
//! # use std::{pin::Pin, task::{Context, Poll}};
//! # use futures_core::Stream;
//! # struct Countdown(u32);
//! # impl Stream for Countdown {
//! #     type Item = u32;
//! #     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
//! #         self.0 = self.0.saturating_sub(1);
//! #         Poll::Ready((self.0 > 0).then_some(self.0))
//! #     }
//! # }
//!
//! struct Rocket;
//!
//! #[port]
//! impl Rocket {
//!     /// Any `Stream` can be the answer.
//!     #[rcv]
//!     fn countdown(&self, cx: &mut Cx<'_>, from: u32) -> Streamed<u32> {
//!         cx.streamed(Countdown(from))
//!     }
//!
//!     /// A handler can take one, too.
//!     #[rcv]
//!     async fn sum(&mut self, mut numbers: Streamed<u32>) -> Result<u32, String> {
//!         let mut sum = 0;
//!         while let Some(number) = numbers.next().await {
//!             sum += number.map_err(|error| error.to_string())?;
//!         }
//!         Ok(sum)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::local()?;
//! let rocket = node.port(Rocket);
//! let mut numbers = rocket.countdown(4).await?;
//! assert_eq!(numbers.next().await, Some(Ok(3)));
//! drop(numbers); // the countdown is cancelled
//!
//! let (mut sink, numbers) = node.streamed();
//! let sum = rocket.sum(numbers);
//! let send = async {
//!     sink.send(40).await?;
//!     sink.send(2).await?;
//!     sink.finish();
//!     Ok::<_, aemp::streamed::SinkError>(())
//! };
//! let (sent, sum) = tokio::join!(send, sum);
//! sent?;
//! assert_eq!(sum?, Ok(42));
//! # Ok(()) }
//! ```
//!
#![doc = include_str!("docs/streams.md")]
// # Design
//
// A sink and its consumer share a queue (`pipe`), which is all there is while both are in one process: items are moved.
// When the consumer's half is serialized, a port and a task take its place (`send`), and the message has the port's ID. At the
// other node the half becomes a port when it is first polled (`receive`). So a half that is not used yet is a port ID and
// can be passed on, and a half that is in use can be passed on as well: its node then relays the items, because the task
// takes them from any `Streamed`. The four messages between the two ports are ordinary ones, so that a Perl program can be either side.
//
// The delivery guarantee does the rest. The ports monitor each other. A lost connection fires both monitors before a new
// one carries anything, so no item is lost without a word, and none is sent twice. The monitor at the consumer goes
// through the queue of its port, so it comes behind the items and the end that came before.
//
// Credit (`window`) is in items, and one account serves both the queue and the ports. The others:
//
// - The credit for bounded ports (`port/credit.rs`, `node/peer/credit.rs`) divides one queue among all nodes that ask. Its
//   grants are absolute numbers that replace each other, expire, and can be promised to several nodes. A window belongs
// to one sender, and its grants add up and never expire. They could share one subtraction.
// - Byte streams have TCP's window, and relayed ones that of their session (`aemp_proto::relay`), in octets. Small ones,
//   which travel with the messages, have the credit of this module, in bytes.
//
// Dangers:
//
// - An end that is taken for that of a whole stream: `end` has no elements only for `Ending::Whole`. All reasons that
//   could be normal pass through `error::not_normal`.
// - The queue of the sender and the window of the consumer are two: with a consumer elsewhere, items wait at each node.
// - A message that is lost takes its stream with it, and nothing tells the sender. So it waits for `WAIT` only.
//
// Left out: sinks that travel (a caller makes the pair and sends the consumer's half, which is the same); several consumers
// (a topic is that); acknowledgements (the answer of the call is one).

mod error;
mod half;
mod items;
mod message;
mod pipe;
mod receive;
mod send;
mod sink;
pub(crate) mod wait;
pub(crate) mod window;

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use aemp_codec::PortId;
use futures_core::{FusedStream, Stream};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
    ser,
};

pub use self::{
    error::{SinkError, StreamedError},
    sink::ItemSink,
};
use self::{
    half::{Half, Source},
    pipe::{Outlet, Pipe},
    receive::Unused,
};
use crate::{Cx, Node, Reason, lock::Lock, port::handle::decoding_node};

/// The number of items that may wait for a consumer at first, unless it has set another [window](Streamed::window).
pub const WINDOW: usize = 64;

/// The largest window.
pub const MOST_WINDOW: usize = 1 << 16;

/// The time within which the consumer of a stream that was sent in a message must poll it for the first time.
pub const WAIT: Duration = Duration::from_secs(30);

/// The receiving half of a stream of items. The [module](self) describes streams.
///
/// It is a [`Stream`] of results. The end is `None`. An early end is an error, and `None` behind it. As an argument or an
/// answer of a message it goes to the other port, of this node or another one.
#[doc(alias = "SourceRef")]
#[doc(alias = "Receiver")]
#[doc(alias = "Streaming")]
pub struct Streamed<T: Send + 'static> {
    node: Node,
    /// Locked only by [`Serialize`], which has no exclusive access.
    half: Lock<Half<T>>,
}

impl<T: Send + 'static> Streamed<T> {
    fn new(node: &Node, half: Half<T>) -> Self {
        Self {
            node: node.clone(),
            half: Lock::new(half),
        }
    }

    /// Sets the number of items that may wait for this consumer, at least one, at most [`MOST_WINDOW`]. Unless it is set, it
    /// is 64, and up to 512 small items with a sender on another node. Up to 64 more may wait there.
    ///
    /// A larger window lets more items travel at once. It is best set before the first item is taken. A smaller one
    /// takes effect as items are taken.
    #[must_use]
    pub fn window(self, items: usize) -> Self {
        let mut half = self.half.lock();
        half.window.set(items);
        half.grant();
        drop(half);
        self
    }

    /// The next item; `None` at the end, and behind an error.
    ///
    /// # Errors
    ///
    /// [`StreamedError`], once, if the stream has ended early.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready loses no item.
    pub async fn next(&mut self) -> Option<Result<T, StreamedError>> {
        poll_fn(|task| self.poll(task)).await
    }

    /// All items.
    ///
    /// # Errors
    ///
    /// [`StreamedError`] if the stream has ended early. The items are dropped then.
    pub async fn collect(mut self) -> Result<Vec<T>, StreamedError> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await {
            items.push(item?);
        }
        Ok(items)
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<T, StreamedError>>> {
        self.half.get_mut().poll_next(task)
    }

    /// Ends the interest in the stream, with a reason for a sink of this process.
    fn leave(&mut self, reason: Reason) {
        if let Source::Pipe(outlet) = &self.half.get_mut().from {
            outlet.leave(reason);
        }
    }
}

impl<T: Send + 'static> Stream for Streamed<T> {
    type Item = Result<T, StreamedError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(task)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.half.lock().ready.len(), None)
    }
}

impl<T: Send + 'static> FusedStream for Streamed<T> {
    fn is_terminated(&self) -> bool {
        let half = self.half.lock();
        half.ready.is_empty() && matches!(half.from, Source::Over)
    }
}

// No item is pinned.
impl<T: Send + 'static> Unpin for Streamed<T> {}

impl<T: Serialize + Send + 'static> Serialize for Streamed<T> {
    /// Writes the ID of the port that sends the items. The items then go to the consumer that gets this ID.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut half = self.half.lock();
        let taken = match &half.from {
            Source::Sent(Some(by)) => return by.serialize(serializer),
            Source::Over | Source::Sent(None) => {
                return Err(ser::Error::custom("a stream that is over cannot be sent"));
            }
            _ => mem::replace(&mut *half, Half::sent(None)),
        };
        drop(half);
        let by = match taken.from {
            Source::Unused(unused) => unused.pass_on(),
            from => {
                let taken = Half { from, ..taken };
                Some(send::start(&self.node, Self::new(&self.node, taken)))
            }
        };
        *self.half.lock() = Half::sent(by.clone());
        by.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned + Send + 'static> Deserialize<'de> for Streamed<T> {
    /// Works only while a message is being decoded.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sender = PortId::deserialize(deserializer)?;
        if sender.name().is_empty() {
            return Err(de::Error::custom("a node port is not a stream"));
        }
        let node = decoding_node().ok_or_else(|| {
            de::Error::custom("a stream can be deserialised only while a message is being decoded")
        })?;
        let unused = Unused::new(&node, &sender);
        Ok(Self::new(&node, Half::new(Source::Unused(unused))))
    }
}

impl<T: Send + 'static> fmt::Debug for Streamed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = self.half.lock();
        let state = match &half.from {
            Source::Pipe(_) => "from a sink of this process",
            Source::Unused(_) => "not used yet",
            Source::Port(_) => "from a port",
            Source::Ending(_) | Source::Over => "over",
            Source::Sent(_) => "sent to another port",
        };
        f.debug_struct("Streamed")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Makes a stream of items, which belongs to no port: its two halves. One of them, or both, may be moved into
    /// handlers and tasks, and the consumer's half can be sent in a message. The [module](crate::streamed) describes
    /// streams.
    ///
    /// Up to [`WINDOW`] items can be sent before there is a consumer.
    #[must_use]
    pub fn streamed<T: Send + 'static>(&self) -> (ItemSink<T>, Streamed<T>) {
        let pipe = Pipe::new();
        let mut half = Half::new(Source::Pipe(Outlet::of(&pipe)));
        half.grant();
        (ItemSink::new(pipe), Streamed::new(self, half))
    }
}

impl Cx<'_> {
    /// Makes a stream of items of any [`Stream`], for an answer or an argument. A task of this port polls it, as fast as
    /// the consumer takes the items. If the port dies, also of a panic of the stream, the consumer gets
    /// [`StreamedError::Failed`] with the reason. If the consumer drops its half, the task ends, and the stream is dropped.
    ///
    /// The [module](crate::streamed) has an example.
    #[must_use]
    pub fn streamed<S>(&self, items: S) -> Streamed<S::Item>
    where
        S: Stream + Send + 'static,
        S::Item: Send,
    {
        let (sink, streamed) = self.node().streamed();
        let sink = sink.of_port(&self.arc());
        self.spawn(async move {
            // The consumer may leave at any time.
            let _ = sink.forward(items).await;
        });
        streamed
    }

    /// As [`streamed`](Self::streamed), for a stream of results. The first error ends it, and the consumer gets
    /// [`StreamedError::Failed`] with this error as the reason.
    #[must_use]
    pub fn streamed_results<S, T, E>(&self, items: S) -> Streamed<T>
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let (sink, streamed) = self.node().streamed();
        let sink = sink.of_port(&self.arc());
        self.spawn(async move {
            let _ = sink.forward_results(items).await;
        });
        streamed
    }
}
