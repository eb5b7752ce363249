//! The answers about sampled traces.

use serde::{Deserialize, Serialize};

use crate::Node;

/// Spans of sampled traces, in the order of their ends.
///
/// # Semantics
///
/// A node that is built with the feature `trace` takes a *sample* when it is asked, once a second at most: it follows the next message
/// that code outside of ports sends to a port, or, if there is none for a second, any message. The handler of that message is
/// the root of a trace. The choice travels with the messages that it causes, to other nodes as well, as
/// [`SpanContext`](crate::span::SpanContext) does, in its `tracestate`. Each node keeps its own spans of all samples while it is asked, and for
/// fifteen seconds after the last question. A node without questions keeps nothing. If the node has a
/// [tracer](crate::handbook::traces), only spans that the tracer samples are kept, with its IDs.
///
/// # Limits
///
/// A node keeps the last 512 spans, and 256 of one second; further ones are lost. One-way messages are followed over three links. A span is told
/// when it has ended. Clocks of nodes differ, and [`SpanInfo::at`] with them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Traces {
    /// The number to ask from the next time.
    pub next: u64,
    /// The number of spans that were not kept, because there were too many, since the node's start.
    pub lost: u64,
    /// The spans.
    pub spans: Vec<SpanInfo>,
}

/// One span: the handling of one message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SpanInfo {
    /// The ID of its trace, as 32 hexadecimal digits.
    pub trace: String,
    /// Its own ID, as 16 digits.
    pub span: String,
    /// The ID of the span that has called it, in the same trace.
    pub parent: Option<String>,
    /// The trace and the span that have sent the message, if it was sent and not called.
    pub link: Option<(String, String)>,
    /// The ID of the port.
    pub port: String,
    /// The type of the port, without the arguments of a generic type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the handler. For a port whose handlers are closures, the beginning of the message's tag.
    pub handler: String,
    /// The way of the message: `call`, `send` or `unknown`.
    pub way: String,
    /// The sender's node, if it is another one.
    pub from: Option<String>,
    /// The begin of the handler by the node's clock, in seconds since 1970.
    pub at: f64,
    /// The time for which the message has waited before, in seconds: since it was sent within the node, or has arrived.
    pub waited: f64,
    /// The time of the handler, with its waits, in seconds.
    pub took: f64,
    /// The end of the handler: `returned`, `died`, `panicked` or `dropped`.
    pub end: String,
    /// True if it has panicked, or its port has died otherwise than normally.
    pub failed: bool,
    /// The reason of which its port has died.
    pub reason: Option<String>,
    /// Its events, at most sixteen.
    pub events: Vec<SpanEvent>,
}

/// An [event](crate::span::Event) that a handler has caused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SpanEvent {
    /// The time since the begin of the handler, in seconds.
    pub after: f64,
    /// The kind, such as `kill`.
    pub name: String,
    /// The port or the node that it is about, and the reason.
    pub text: String,
}

impl Node {
    /// The spans from this number on, at most `most` of them. The node takes another sample, and keeps spans for a while.
    #[cfg(feature = "trace")]
    pub(super) fn sampled(&self, since: u64, most: usize) -> Result<Traces, &'static str> {
        let samples = self.tracing().samples();
        if let Some(over) = samples.ask(tokio::time::Instant::now()) {
            self.scheduler()
                .check_later(samples, over, |samples, now| samples.check(now));
        }
        Ok(samples.answer(since, most))
    }

    #[cfg(not(feature = "trace"))]
    #[expect(clippy::unused_self, reason = "it has no spans")]
    pub(super) fn sampled(&self, _since: u64, _most: usize) -> Result<Traces, &'static str> {
        Err("is built without the feature trace")
    }
}
