//! OpenTelemetry traces of [`aemp`]: a span for each handled message, over ports and nodes.
//!
//! [`tracer`] makes a tracer of a node from one of OpenTelemetry. The exporters and the sampler of the program's provider
//! count for the handlers of the node as well.
//!
//! ```
//! use aemp::{Node, port};
//! use opentelemetry::{Context, context::FutureExt, trace::{TraceContextExt, Tracer, TracerProvider}};
//! use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
//!
//! struct Shop;
//!
//! #[port]
//! impl Shop {
//!     #[rcv]
//!     fn buy(&self) -> u32 { 5 }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let exporter = InMemorySpanExporter::default();
//! let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
//! let tracer = provider.tracer("shop");
//! let node = Node::builder().tracer(aemp_otel::tracer(tracer.clone())).start_local()?;
//! let shop = node.port(Shop);
//!
//! // The code around ports has spans of its own.
//! let visit = Context::current_with_span(tracer.start("visit"));
//! assert_eq!(shop.buy().with_context(visit.clone()).await?, 5);
//! visit.span().end();
//!
//! let spans = exporter.get_finished_spans()?;
//! let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
//! let (visit, buy) = (named("visit"), named("process Shop.buy"));
//! assert_eq!(buy.parent_span_id, visit.span_context.span_id());
//! # Ok(()) }
//! ```
//!
//! # Names
//!
//! Spans and their attributes follow the conventions of OpenTelemetry for messaging.
//!
//! | attribute | value |
//! | --- | --- |
//! | (name) | `process TYPE.HANDLER`, with the last part of the type's name |
//! | (kind) | `SERVER` for a call, `CONSUMER` for any other message |
//! | (status) | an error, if the port dies of another reason than a normal one |
//! | `messaging.system` | `aemp` |
//! | `messaging.operation.type`, `messaging.operation.name` | `process` |
//! | `messaging.destination.name` | the port's ID |
//! | `messaging.destination.template` | `TYPE.HANDLER` |
//! | `aemp.port.type` | the type's name with its path |
//! | `aemp.message.tag` | the tag; of untyped messages that is a text of the sender |
//! | `aemp.message.way` | `call`, `send`, or `unknown` for a message of another node without a context |
//! | `aemp.node`, `aemp.sender.node` | the node's ID, and that of the sender's node if it is another one |
//! | `aemp.queue.time`, `aemp.handler.time` | the time in the queue, and that of the handler with its waits, in seconds |
//! | `aemp.end` | `returned`, `died`, `panicked` or `dropped` |
//! | `error.type` | the kind of the reason of which the port dies |
//!
//! Events are `aemp.kill`, `aemp.monitor`, `aemp.restart`, `aemp.connect`, `aemp.reconnect` and `aemp.disconnect`. An event that no handler
//! causes is a span of its own without a duration.
//!
//! # Limits
//!
//! While a page of `aemp observe` shows the calls, nodes without a tracer take a sample in a second. Nodes with this tracer
//! record their spans of it, whose parents are then missing. The attributes are made before the sampler is asked, so a span that is not sampled costs them as well.

mod context;
mod facts;
mod span;

use std::{any::Any, fmt};

use aemp::span::{Event, Handling, Span, SpanContext, Tracer, Way};
use opentelemetry::{
    Context,
    trace::{Link, Span as _, TraceContextExt, Tracer as OtelTracer},
};

/// Makes the tracer of a node, for [`NodeBuilder::tracer`](aemp::NodeBuilder::tracer), from one of OpenTelemetry.
///
/// The tracer of a provider ends with the provider: keep the provider, and shut it down behind the node.
pub fn tracer<T>(tracer: T) -> Traces<T>
where
    T: OtelTracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    Traces { tracer }
}

/// A tracer upon OpenTelemetry. Made by [`tracer`].
#[derive(Clone)]
pub struct Traces<T> {
    tracer: T,
}

impl<T> fmt::Debug for Traces<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

impl<T> Tracer for Traces<T>
where
    T: OtelTracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    fn begin(&self, handling: &Handling<'_>) -> Option<Box<dyn Span>> {
        let sender = handling
            .sender
            .map(|sender| context::to_otel(sender, handling.from.is_some()));
        let root = Context::new();
        let (parent, links) = match (handling.way, sender) {
            (Way::Called, Some(sender)) => (root.with_remote_span_context(sender), Vec::new()),
            (_, Some(sender)) => (root, vec![Link::with_context(sender)]),
            (_, None) => (root, Vec::new()),
        };
        let builder = self
            .tracer
            .span_builder(facts::name(handling))
            .with_kind(facts::kind(handling.way))
            .with_attributes(facts::of(handling))
            .with_links(links);
        let span = self.tracer.build_with_context(builder, &parent);
        // A tracer without a provider makes spans without IDs.
        let context = context::from_otel(span.span_context())?;
        let within = Context::new().with_span(span);
        Some(Box::new(span::Handled::new(context, within)))
    }

    fn current(&self) -> Option<SpanContext> {
        Context::map_current(|current| match current.has_active_span() {
            true => context::from_otel(current.span().span_context()),
            false => None,
        })
    }

    fn event(&self, event: &Event) {
        let builder = self
            .tracer
            .span_builder(facts::event_name(event))
            .with_attributes(facts::of_event(event));
        self.tracer
            .build_with_context(builder, &Context::new())
            .end();
    }
}

/// Makes a context the current one of this thread.
fn attach(context: Context) -> Box<dyn Any> {
    Box::new(context.attach())
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
