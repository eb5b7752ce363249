//! Traces: a span for each handled message, and the context that leads from span to span, also over nodes. Feature `trace`.
//!
//! A program gives its node a [`Tracer`] by [`NodeBuilder::tracer`](crate::NodeBuilder::tracer). The crate `aemp-otel` has one
//! for OpenTelemetry. Nodes without a tracer have spans of the few traces that observers [sample](crate::handbook::traces#samples). The [handbook](crate::handbook::traces) describes spans, events, and the way of a context.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use aemp::{Node, port, span::{Handling, Span, SpanContext, Tracer}};
//!
//! /// Writes down which handlers have run.
//! #[derive(Clone, Default)]
//! struct Names(Arc<Mutex<Vec<String>>>);
//!
//! struct Unnamed(SpanContext);
//!
//! impl Tracer for Names {
//!     fn begin(&self, handling: &Handling<'_>) -> Option<Box<dyn Span>> {
//!         self.0.lock().unwrap().push(handling.tag.to_string());
//!         Some(Box::new(Unnamed(SpanContext::new([1; 16], [2; 8], SpanContext::SAMPLED)?)))
//!     }
//! }
//!
//! impl Span for Unnamed {
//!     fn context(&self) -> SpanContext { self.0.clone() }
//! }
//!
//! struct Door;
//!
//! #[port]
//! impl Door {
//!     #[rcv]
//!     fn knock(&self) -> bool { true }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let names = Names::default();
//! let node = Node::builder().tracer(names.clone()).start_local()?;
//! assert!(node.port(Door).knock().await?);
//! assert_eq!(*names.0.lock().unwrap(), ["knock"]);
//! # Ok(()) }
//! ```
//!
//! # Design
//!
//! The core knows contexts and two traits, and no library of traces. `exec::spans` calls the tracer. Contexts have the form
//! of [W3C Trace Context](https://www.w3.org/TR/trace-context/), so that any library can take them over.
//!
//! Alternatives: spans of the crate `tracing` cost each message a subscriber's look-up, and have no context to send. A global
//! tracer would mix the nodes of one process, which tests and simulations have.
//!
//! Dangers: a tracer is foreign code. It is called through `guard`, without a lock of ours, and where foreign code may run
//! anyway. Its messages are not traced, because an exporter that uses ports would otherwise trace itself for ever.

mod context;
mod event;
mod handling;
mod parse;
mod scope;

use std::{any::Any, time::Duration};

pub use self::{
    context::SpanContext,
    event::Event,
    handling::{End, Handling, Way},
    parse::ContextError,
    scope::Scoped,
};

/// Makes the spans of a node.
///
/// Its methods run within handlers, and where messages are sent. So a slow tracer slows down every port. A tracer that panics
/// loses that span, which is logged. Messages that it sends are not traced.
pub trait Tracer: Send + Sync + 'static {
    /// Begins the span of a handler that is about to run. `None` if there is to be none.
    ///
    /// The port may be killed from here as from its handler: it dies when the handler returns.
    fn begin(&self, handling: &Handling<'_>) -> Option<Box<dyn Span>>;

    /// The context of the code that is running, where it is not known to this crate, or may be a more exact one: within a
    /// handler with a span, and outside of ports. It becomes the context of a message that is being sent.
    fn current(&self) -> Option<SpanContext> {
        None
    }

    /// Takes an event that happens outside of all spans. It is called on a task of its own, in order. If a thousand events
    /// wait, further ones are lost.
    fn event(&self, _event: &Event) {}
}

/// A span: the handling of one message. Dropping it without [`end`](Self::end) must end it as well.
pub trait Span: Send + 'static {
    /// Its context, which its messages carry. It is asked once.
    fn context(&self) -> SpanContext;

    /// Makes it the current span of this thread for other libraries, until the result is dropped. It is called before each
    /// poll of an async handler, on the thread that polls. The last one that is entered is left first.
    fn enter(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// Makes this thread have no current span for other libraries, until the result is dropped. It is called when the
    /// handler waits for a port that runs within its poll, whose code has another span, or none.
    fn hide(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// Takes an event that its handler causes.
    fn event(&mut self, _event: &Event) {}

    /// Ends it. `took` is the time since its begin, with all waits of an async handler.
    fn end(self: Box<Self>, _end: End<'_>, _took: Duration) {}
}
