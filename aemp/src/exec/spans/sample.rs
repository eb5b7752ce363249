//! Samples of traces for observers: a few whole traces, without a tracer of the program.
//!
//! # Design
//!
//! - A question ([`Inspect::traces`](crate::inspect::Inspect::traces)) *arms* the node, at most once a second. The next message that a handler begins
//!   to handle is a *sample*: the root of a trace whose spans are kept in a ring of [`KEPT`] spans, where questions find
//!   them. So one question costs one trace, however much the node does, and a node without questions pays as much as
//!   one without a tracer.
//! - Requests are to be seen from their beginning. So for the first second the sample must be a message that code outside
//!   of ports has sent. If none comes, any message will do. While a node is armed for any message, each has a note, until one is handled.
//! - The choice travels in the `tracestate`, as `aemp=N`. A called handler belongs to the sample of its caller. A one-way
//!   message's handler is a root with a link, which is kept as well, with N - 1: it ends after [`HOPS`] links, because a
//!   port that sends to itself would make a trace without an end.
//! - Only nodes that are asked keep spans, [`BUDGET`] from one second to the next, wherever the contexts come from. So
//!   neither a port with a million callees nor a peer that invents contexts makes a node keep more.
//! - If the node has a tracer, that decides. A span that it samples can be a sample, and has the tracer's IDs.
//!   Without one, spans have IDs of their own, and the flag of sampled ones: a tracer of the next node takes up the trace.
//!
//! Alternatives: a tracer that keeps all spans for a while costs each message some 300 ns, as long as an observer asks. A
//! share of all messages gives fragments of requests, and more of them for a busier node. A sample by type and handler
//! would need a note for each message until a rare one comes.
//!
//! Dangers: the ring is locked by handlers of many threads. It holds plain data, is locked for one push at a
//! time, and only for sampled spans.

mod kept;

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

pub(super) use self::kept::Kept;
use crate::{
    inspect::{SpanInfo, Traces},
    lock::Lock,
    span::{Handling, SpanContext, Way},
};

/// The number of spans in the ring.
const KEPT: usize = 512;
/// The number of spans that are kept from one second to the next.
const BUDGET: u32 = 256;
/// The number of links, one behind the other, that are followed.
const HOPS: u8 = 3;
/// The least time between two samples.
const PAUSE: Duration = Duration::from_millis(900);
/// The time for which spans are kept after a question.
const LINGER: Duration = Duration::from_secs(15);

/// The messages that may be the next sample.
const NONE: u8 = 0;
/// Those that code outside of ports has sent.
const ENTERING: u8 = 1;
const ANY: u8 = 2;

/// The samples of one node.
pub(crate) struct Samples {
    armed: AtomicU8,
    /// The number of spans that may still be kept. Zero without questions.
    left: AtomicU32,
    lost: AtomicU64,
    hasher: RandomState,
    ids: AtomicU64,
    ring: Lock<Ring>,
}

#[derive(Default)]
struct Ring {
    /// The end of the last question. `None` without one.
    until: Option<Instant>,
    armed: Option<Instant>,
    /// The number of the next span.
    next: u64,
    spans: VecDeque<SpanInfo>,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            armed: AtomicU8::new(NONE),
            left: AtomicU32::new(0),
            lost: AtomicU64::new(0),
            hasher: RandomState::new(),
            ids: AtomicU64::new(0),
            ring: Lock::default(),
        }
    }
}

impl Samples {
    /// True if a message is wanted as the next sample.
    #[inline]
    pub(super) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed) != NONE
    }

    /// True if it may be a message that a port has sent, or another node.
    #[inline]
    pub(super) fn takes_any(&self) -> bool {
        self.armed.load(Ordering::Relaxed) == ANY
    }

    /// Takes a question: the node keeps spans for a while, and the next sample is wanted. If this is the first question, a
    /// caller must [check](Self::check) at the time that is returned.
    pub(crate) fn ask(&self, now: Instant) -> Option<Instant> {
        let mut ring = self.ring.lock();
        let is_due = |at| now.saturating_duration_since(at) >= PAUSE;
        if ring.armed.is_none_or(is_due) {
            ring.armed = Some(now);
            let next = if self.is_armed() { ANY } else { ENTERING };
            self.armed.store(next, Ordering::Relaxed);
            self.left.store(BUDGET, Ordering::Relaxed);
        }
        let over = now + LINGER;
        ring.until.replace(over).is_none().then_some(over)
    }

    /// Ends to keep spans if the time is over. Otherwise returns the time at which it is.
    pub(crate) fn check(&self, now: Instant) -> Option<Instant> {
        let mut ring = self.ring.lock();
        if ring.until.is_some_and(|until| until > now) {
            return ring.until;
        }
        (ring.until, ring.armed) = (None, None);
        ring.spans = VecDeque::new();
        self.armed.store(NONE, Ordering::Relaxed);
        self.left.store(0, Ordering::Relaxed);
        None
    }

    /// The spans from this number on, the oldest first, and at most so many.
    pub(crate) fn answer(&self, since: u64, most: usize) -> Traces {
        let ring = self.ring.lock();
        let first = ring.next - ring.spans.len() as u64;
        // A number that has not come yet is one of the node that had this name before.
        let since = if since > ring.next { 0 } else { since };
        let skipped = usize::try_from(since.saturating_sub(first)).unwrap_or(usize::MAX);
        let spans: Vec<_> = ring
            .spans
            .iter()
            .skip(skipped)
            .take(most)
            .cloned()
            .collect();
        Traces {
            next: first + (skipped.min(ring.spans.len()) + spans.len()) as u64,
            lost: self.lost.load(Ordering::Relaxed),
            spans,
        }
    }

    /// Begins to keep a span, if it is part of a sample or becomes one. `own` is its context by the tracer of the node, if
    /// there is one. Returns its context, which says that it is kept.
    pub(super) fn begin(
        self: &Arc<Self>,
        handling: &Handling<'_>,
        own: Option<&SpanContext>,
    ) -> Option<(Box<Kept>, SpanContext)> {
        if own.is_some_and(|own| !own.is_sampled()) {
            return None;
        }
        let (is_root, hops) = match (handling.sender.and_then(hops), handling.way) {
            (Some(hops), Way::Called) => (false, hops),
            (Some(hops), _) => (false, hops.checked_sub(1)?),
            (None, _) => (true, HOPS),
        };
        if is_root && (!self.is_armed() || self.armed.swap(NONE, Ordering::Relaxed) == NONE) {
            return None;
        }
        self.claim()?;
        let context = match own {
            Some(own) => own.clone(),
            None => self.context(handling)?,
        };
        let context = with_hops(context, hops);
        let kept = Kept::new(self, handling, &context);
        Some((Box::new(kept), context))
    }

    /// Takes the place of a span. `None` if there is none.
    fn claim(&self) -> Option<()> {
        let less = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        if self.left.fetch_update(order, order, less).is_err() {
            self.lost.fetch_add(1, order);
            return None;
        }
        Some(())
    }

    /// The context of a span without a tracer.
    fn context(&self, handling: &Handling<'_>) -> Option<SpanContext> {
        let mut trace = [0; 16];
        match (handling.way, handling.sender) {
            (Way::Called, Some(sender)) => trace = sender.trace_id(),
            _ => {
                trace[..8].copy_from_slice(&self.id());
                trace[8..].copy_from_slice(&self.id());
            }
        }
        SpanContext::new(trace, self.id(), SpanContext::SAMPLED)
    }

    /// A context of which no more is known than that it is not sampled.
    pub(super) fn unsampled(&self) -> Option<SpanContext> {
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&self.id());
        SpanContext::new(trace, self.id(), 0)
    }

    /// Eight new bytes that are not zero.
    fn id(&self) -> [u8; 8] {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        self.hasher.hash_one(number).max(1).to_be_bytes()
    }

    fn push(&self, span: SpanInfo) {
        let mut ring = self.ring.lock();
        if ring.until.is_none() {
            return;
        }
        ring.next += 1;
        ring.spans.push_back(span);
        if ring.spans.len() > KEPT {
            ring.spans.pop_front();
        }
    }
}

/// The entry of a `tracestate`.
const ENTRY: &str = "aemp=";

/// The number of links that are still followed from a span that is kept. `None` if it is not. A peer may have written it.
fn hops(context: &SpanContext) -> Option<u8> {
    let entry = |entry: &str| entry.trim_matches(' ').strip_prefix(ENTRY)?.parse().ok();
    let hops: Option<u8> = context.state().split(',').find_map(entry);
    hops.filter(|_| context.is_sampled())
        .map(|hops| hops.min(HOPS))
}

/// The same context, of a span that is kept. Other entries are left out if there is no room.
fn with_hops(context: SpanContext, hops: u8) -> SpanContext {
    let own = format!("{ENTRY}{hops}");
    let others = context.state().split(',');
    let others =
        others.filter(|entry| !entry.is_empty() && !entry.trim_matches(' ').starts_with(ENTRY));
    let state: Vec<&str> = [own.as_str()].into_iter().chain(others).collect();
    let with = context.clone().with_state(&state.join(","));
    with.or_else(|_| context.clone().with_state(&own))
        .unwrap_or(context)
}

/// The context that a tracer tells for a message, with the choice of the span whose handler sends it.
pub(super) fn carry(told: SpanContext, own: Option<&SpanContext>) -> SpanContext {
    let own = own.filter(|own| own.trace_id() == told.trace_id() && told.is_sampled());
    match own.and_then(hops) {
        Some(left) if hops(&told) != Some(left) => with_hops(told, left),
        _ => told,
    }
}

#[cfg(test)]
mod tests;
