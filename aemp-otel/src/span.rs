//! The span of one handled message.

use std::{any::Any, time::Duration};

use aemp::span::{End, Event, Span, SpanContext};
use opentelemetry::{
    Context, KeyValue,
    trace::{Status, TraceContextExt},
};

use crate::{attach, facts};

/// A span of OpenTelemetry, which ends at the latest when it is dropped.
pub(crate) struct Handled {
    context: SpanContext,
    /// The context of OpenTelemetry whose span it is.
    within: Context,
}

impl Handled {
    pub(crate) fn new(context: SpanContext, within: Context) -> Self {
        Self { context, within }
    }
}

impl Span for Handled {
    fn context(&self) -> SpanContext {
        self.context.clone()
    }

    fn enter(&self) -> Option<Box<dyn Any>> {
        Some(attach(self.within.clone()))
    }

    fn hide(&self) -> Option<Box<dyn Any>> {
        Some(attach(Context::new()))
    }

    fn event(&mut self, event: &Event) {
        let span = self.within.span();
        if span.is_recording() {
            span.add_event(facts::event_name(event), facts::of_event(event));
        }
    }

    fn end(self: Box<Self>, end: End<'_>, took: Duration) {
        let span = self.within.span();
        if !span.is_recording() {
            return;
        }
        span.set_attribute(KeyValue::new("aemp.handler.time", took.as_secs_f64()));
        let how = match end {
            End::Returned => "returned",
            End::Died(reason) => {
                if !reason.is_normal() {
                    let kind = facts::error_type(reason);
                    span.set_attribute(KeyValue::new("error.type", kind));
                    span.set_status(Status::error(facts::shown(reason)));
                }
                "died"
            }
            End::Panicked => {
                span.set_attribute(KeyValue::new("error.type", "panic"));
                span.set_status(Status::error("the handler has panicked"));
                "panicked"
            }
            _ => "dropped",
        };
        span.set_attribute(KeyValue::new("aemp.end", how));
        span.end();
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        // The program may keep the context for longer. A span that has ended does not end again.
        self.within.span().end();
    }
}
