//! The counts behind the metrics: messages by handler, calls by outcome, deaths, restarts, limits.
//!
//! Handlers count while an observer asks, or at all times with the feature `metrics` (`switch.rs`), and a collector (`node/inspect/counts.rs`,
//! `metrics/collect.rs`) adds up on demand. So the cost of a message must be a few instructions, without a clock and without an
//! instruction that locks a cache line, and one branch without an observer:
//!
//! - Each *seat* (a thread at a node) has counts of its own. Only its thread writes them, with plain loads and stores;
//!   the collector reads them at any time. A seat whose thread has ended is added to the *past* of its node.
//! - A count is found by the number of the port's type, which is in its `Record`, and the number of the handler. Types
//!   get their numbers at their first message. The first [`MOST_TYPES`] have counts of their own, and all others share
//!   one. So no peer and no message can make a count. A seat allocates the counts of a type when it counts the first time.
//! - Times come from the clock readings of `pace`, which times every handler that is not known to be quick, from
//!   async handlers that have waited the last time, and from every [`SAMPLE`]th message of the others. A time *weighs* as much
//!   as the messages of its handler since the last time at this seat. The sum of all weights is therefore the number of
//!   messages, and handlers that are slow at all are measured exactly.
//! - A call counts at the seat of the thread that takes its outcome, or in the past, if that thread has no seat: by the type
//!   and handler that it calls. A call to another node is timed, and one within the node if its port is at work, or its handler
//!   is not known to return at once; of the others, each [`SAMPLE`]th of a thread is timed, and weighs that much.
//! - Deaths and restarts are rare, and of interest afterwards. They are counted at all times.
//!
//! Alternatives: a clock for each message would double the cost of a message. Counters that threads share would pass a
//! cache line from core to core with each message. A `metrics` recorder in the handler's way would be foreign code there.
//!
//! Dangers: one quick handler whose sampled message was interrupted by the system weighs [`SAMPLE`] messages. Left out:
//! the times of concurrent handlers, of which only the start is seen here; tags of untyped messages, of which there can be any number.

mod calls;
mod counts;
mod past;
mod sum;
mod switch;
mod types;

pub(crate) use calls::{CallMeter, Called};
pub(crate) use counts::{KINDS, Tallies, Tally, Timer, died, unwanted};
pub(crate) use past::Past;
pub(crate) use sum::{HandlerSum, Sum, Times, TypeSum};
pub(crate) use switch::{Switch, Was};
#[cfg(feature = "metrics")]
pub(crate) use types::OTHER;
#[cfg(any(feature = "metrics", feature = "trace"))]
pub(crate) use types::label;
pub(crate) use types::{Number, SHARED, named, of, type_label};

use crate::CallError;

/// The number of port types with counts of their own.
pub(crate) const MOST_TYPES: usize = 256;
/// One of this many messages of a quick handler is timed, and one of this many calls within the node.
const SAMPLE: u64 = 128;

/// The bounds of the classes of times, in nanoseconds. A further class has everything above.
pub(crate) const BOUNDS: [u64; 25] = {
    let mut bounds = [1_000; 25];
    let mut at = 1;
    while at < bounds.len() {
        bounds[at] = bounds[at - 1] * 2;
        at += 1;
    }
    bounds
};
const CLASSES: usize = BOUNDS.len() + 1;

/// The way in which a call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered,
    Died,
    TimedOut,
    Unanswered,
    Refused,
    Circle,
    NotSent,
    BadAnswer,
    /// The caller has dropped it.
    Dropped,
}

impl CallEnd {
    pub(crate) const ALL: [Self; 9] = [
        Self::Answered,
        Self::Died,
        Self::TimedOut,
        Self::Unanswered,
        Self::Refused,
        Self::Circle,
        Self::NotSent,
        Self::BadAnswer,
        Self::Dropped,
    ];

    /// The text of the label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Died => "died",
            Self::TimedOut => "timeout",
            Self::Unanswered => "no_reply",
            Self::Refused => "refused",
            Self::Circle => "circle",
            Self::NotSent => "not_sent",
            Self::BadAnswer => "bad_answer",
            Self::Dropped => "dropped",
        }
    }
}

impl<T> From<&Result<T, CallError>> for CallEnd {
    fn from(answer: &Result<T, CallError>) -> Self {
        match answer {
            Ok(_) => Self::Answered,
            Err(CallError::Died(_)) => Self::Died,
            Err(CallError::Timeout) => Self::TimedOut,
            Err(CallError::NoReply) => Self::Unanswered,
            Err(CallError::Refused(_)) => Self::Refused,
            Err(CallError::Circle(_)) => Self::Circle,
            Err(CallError::Send(_)) => Self::NotSent,
            Err(CallError::Answer(_)) => Self::BadAnswer,
        }
    }
}
