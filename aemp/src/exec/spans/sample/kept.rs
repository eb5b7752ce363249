//! One span of a sample, from its begin to its end.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use super::Samples;
use crate::{
    Shown,
    exec::tally,
    inspect::{SpanEvent, SpanInfo},
    span::{End, Event, Handling, SpanContext, Way},
};

/// The number of events that are kept of a span.
const EVENTS: usize = 16;
/// The greatest number of characters of a text that ports and peers choose.
const LONGEST: usize = 200;

/// A span that is kept.
pub(in crate::exec::spans) struct Kept {
    samples: Arc<Samples>,
    info: SpanInfo,
    began: Instant,
}

impl Kept {
    pub(super) fn new(
        samples: &Arc<Samples>,
        handling: &Handling<'_>,
        context: &SpanContext,
    ) -> Self {
        let sender = |wanted: bool| {
            let sender = handling.sender.filter(|_| wanted)?;
            Some((hex(&sender.trace_id()), hex(&sender.span_id())))
        };
        let is_child = handling.way == Way::Called;
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let info = SpanInfo {
            trace: hex(&context.trace_id()),
            span: hex(&context.span_id()),
            parent: sender(is_child).map(|(_, span)| span),
            link: sender(!is_child),
            port: handling.port.as_str().into(),
            kind: tally::label(handling.port_type),
            handler: match handling.handler {
                named if !named.starts_with('(') => named.into(),
                _ => cut(&handling.tag),
            },
            way: match handling.way {
                Way::Called => "call",
                Way::Sent => "send",
                Way::Unknown => "unknown",
            }
            .into(),
            from: handling.from.map(|node| node.as_str().into()),
            at: at.unwrap_or_default().as_secs_f64(),
            waited: handling.waited.as_secs_f64(),
            ..SpanInfo::default()
        };
        Self {
            samples: Arc::clone(samples),
            info,
            began: Instant::now(),
        }
    }

    pub(in crate::exec::spans) fn event(&mut self, event: &Event) {
        if self.info.events.len() < EVENTS {
            self.info.events.push(SpanEvent {
                after: self.began.elapsed().as_secs_f64(),
                name: event.name().into(),
                text: text(event),
            });
        }
    }

    pub(in crate::exec::spans) fn end(mut self, end: End<'_>, took: Duration) {
        self.info.took = took.as_secs_f64();
        self.info.end = match end {
            End::Returned => "returned",
            End::Died(reason) => {
                self.info.reason = Some(cut(&Shown(reason).to_string()));
                self.info.failed = !reason.is_normal();
                "died"
            }
            End::Panicked => {
                self.info.failed = true;
                "panicked"
            }
            End::Dropped => "dropped",
        }
        .into();
        self.samples.push(self.info);
    }
}

/// The port or the node that an event is about, and its reason.
fn text(event: &Event) -> String {
    let text = match event {
        Event::Kill { port, reason } | Event::Monitor { port, reason } => {
            format!("{}: {}", Shown(port), Shown(reason))
        }
        Event::Restart {
            supervisor,
            children,
        } => format!("{}: {children}", Shown(supervisor)),
        Event::Connect { node, .. } => Shown(node).to_string(),
        Event::Disconnect { node, text } => format!("{}: {}", Shown(node), Shown(text)),
    };
    cut(&text)
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
