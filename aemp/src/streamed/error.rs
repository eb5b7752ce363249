//! The ends of streams of items.

use aemp_codec::DecodeError;
use thiserror::Error;

use crate::Reason;

/// The first element of the reason for a stream whose sink was dropped before the end.
const NO_END: &str = "no_end";

/// The reason why a [`Streamed`](super::Streamed) has ended early. It is the last item.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum StreamedError {
    /// The sender has given the stream up, with this reason: by [`ItemSink::fail`](super::ItemSink::fail), or by dropping
    /// the sink before the end (`no_end`).
    #[error("the stream has failed: {0}")]
    Failed(Reason),
    /// The sending half is gone without a word: its port or its node has died, or the connection was lost.
    #[error("the sender is lost: {0}")]
    Lost(Reason),
    /// An item cannot be read as the type of the stream.
    #[error("item {number}: {problem}")]
    Item {
        /// The number of the item in the stream, from 1.
        number: u64,
        /// The place in the item, and the problem.
        problem: String,
    },
    /// The sender has broken the rules of streams.
    #[error("the sender breaks the rules: {0}")]
    Rules(&'static str),
    /// This half was sent in a message. Its items arrive there.
    #[error("this half was sent to another port")]
    Sent,
}

/// The end of a stream, as the consumer gets to know it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    Whole,
    Broken(StreamedError),
}

impl StreamedError {
    pub(super) fn item(number: u64, error: &DecodeError) -> Self {
        let error = error.to_string();
        // The codec counts the elements of a packet.
        let problem = match error.split_once(": ") {
            Some((place, problem)) if place.starts_with("argument ") => problem,
            _ => &error,
        };
        Self::Item {
            number,
            problem: problem.into(),
        }
    }

    /// The reason for further consumers. It is never that of a normal end, which would look like the end of a whole
    /// stream.
    pub(super) fn into_reason(self) -> Reason {
        match self {
            Self::Failed(reason) | Self::Lost(reason) => not_normal(reason),
            other => Reason::die(other),
        }
    }
}

/// A reason that is not that of a normal end.
pub(super) fn not_normal(reason: Reason) -> Reason {
    match reason.is_normal() {
        true => no_end("the sender has ended before the stream"),
        false => reason,
    }
}

pub(super) fn no_end(text: &str) -> Reason {
    Reason::new(vec![NO_END.into(), text.into()])
}

/// The error of an item that was not sent.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The consumer is gone: it has dropped the stream (the reason is that of a normal end), it has died, or its node is
    /// lost.
    #[error("the consumer is gone{}", because(.0))]
    Gone(Reason),
    /// The sink has been closed, by [`futures_sink::Sink::poll_close`].
    #[error("the stream has been ended")]
    Ended,
}

fn because(reason: &Reason) -> String {
    match reason.is_normal() {
        true => String::new(),
        false => format!(": {reason}"),
    }
}
