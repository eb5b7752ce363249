//! Spans that have begun.

use std::{any::type_name, mem, sync::Arc, thread};

use tokio::time::Instant;

use super::{
    note::{Note, Noting},
    now::{Entered, Now, in_tracer, is_in_tracer, replace},
    sample::Kept,
};
use crate::{
    Cx, Reason,
    exec::current,
    guard::Held,
    message::{Message, Port},
    port::{
        any::AnyPort,
        cell::{Cell, Noted},
    },
    span::{End, Handling, Span, SpanContext},
};

/// A span that has begun: of the tracer, or of a sample, or of both. Dropping it ends it.
pub(crate) struct Live {
    span: Option<Box<dyn Span>>,
    kept: Option<Box<Kept>>,
    pub(super) context: SpanContext,
    began: Instant,
}

impl Live {
    /// Begins the span of a handler, if the tracer wants one, or an observer.
    #[cold]
    fn begin<P: Port>(
        cell: &Arc<Cell<P>>,
        note: &Note,
        number: u32,
        tag: std::borrow::Cow<'_, str>,
    ) -> Option<Box<Self>> {
        let node = cell.node();
        let tracing = node.tracing();
        if is_in_tracer() {
            return None;
        }
        let began = Instant::now();
        let handling = Handling {
            node: node.id(),
            port: node.local_port_id(&**cell),
            port_type: type_name::<P>(),
            handler: cell.handler_name(number),
            tag,
            from: note.from.as_ref(),
            way: note.way,
            sender: note.sender.as_ref(),
            waited: began.saturating_duration_since(note.heard),
        };
        let (span, own) = match &tracing.tracer {
            Some(tracer) => {
                let mut span = Held::new(in_tracer(|| tracer.begin(&handling))??);
                let context = in_tracer(|| span.get_mut().map(|span| span.context()))??;
                (span.take(), Some(context))
            }
            None => (None, None),
        };
        let (kept, context) = match tracing.samples.begin(&handling, own.as_ref()) {
            Some((kept, context)) => (Some(kept), context),
            None => (None, own?),
        };
        Some(Box::new(Self {
            span,
            kept,
            context,
            began,
        }))
    }

    fn enter(self: Box<Self>) -> Now {
        let entered = self
            .span
            .as_ref()
            .and_then(|span| in_tracer(|| span.enter()).flatten());
        Now::Span(self, entered.map(|entered| Entered(Some(entered))))
    }

    /// Hides it from other libraries.
    pub(super) fn hide(&self) -> Option<Entered> {
        let span = self.span.as_ref()?;
        let hidden = in_tracer(|| span.hide()).flatten()?;
        Some(Entered(Some(hidden)))
    }

    pub(super) fn event(&mut self, event: &crate::span::Event) {
        if let Some(span) = &mut self.span {
            in_tracer(|| span.event(event));
        }
        if let Some(kept) = &mut self.kept {
            kept.event(event);
        }
    }

    fn end(&mut self, end: End<'_>) {
        let took = self.began.elapsed();
        if let Some(kept) = self.kept.take() {
            kept.end(end, took);
        }
        if let Some(span) = self.span.take() {
            in_tracer(|| span.end(end, took));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end(End::Dropped);
    }
}

/// Leaves the present span, if there is one.
fn leave() -> Option<Box<Live>> {
    match replace(Now::Nothing) {
        Now::Span(live, entered) => {
            drop(entered);
            Some(live)
        }
        Now::Nothing | Now::Carried(_) => None,
    }
}

/// Handles a message with a plain handler, within its span. The thread must be running the port.
#[cold]
pub(crate) fn handle<P: Port>(
    cell: &Arc<Cell<P>>,
    state: &mut P,
    cx: &mut Cx<'_>,
    noted: Noted<P::Msg>,
    number: u32,
) -> Result<(), Reason> {
    let Noted {
        noting,
        from,
        message,
    } = noted;
    let span = Handler::begin(cell, noting, number, &message);
    let (done, ended) = match &from {
        None => (state.handle(cx, message), cx.take_ended()),
        Some(node) => {
            let mut cx = Cx::new(cell, Some(node));
            (state.handle(&mut cx, message), cx.take_ended())
        }
    };
    let killed = ended.or_else(current::take_killed);
    let ended = killed.or_else(|| done.err());
    span.end(ended).map_or(Ok(()), Err)
}

/// The span of a plain handler, while it runs. It is the present of the thread.
struct Handler(bool);

impl Handler {
    fn begin<P: Port>(cell: &Arc<Cell<P>>, noting: Noting, number: u32, message: &P::Msg) -> Self {
        let (Some(note), Some(tag)) = (noting.0, message.shown_tag()) else {
            return Self(false);
        };
        let live = Live::begin(cell, &note, number, tag);
        let begun = live.is_some();
        if let Some(live) = live {
            drop(replace(live.enter()));
        }
        Self(begun)
    }

    /// Ends it. Returns the reason to die with, which may be one of the tracer.
    fn end(mut self, ended: Option<Reason>) -> Option<Reason> {
        if mem::take(&mut self.0)
            && let Some(mut live) = leave()
        {
            live.end(ended.as_ref().map_or(End::Returned, End::Died));
        }
        ended.or_else(current::take_killed)
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if self.0
            && let Some(mut live) = leave()
        {
            live.end(match thread::panicking() {
                true => End::Panicked,
                false => End::Dropped,
            });
        }
    }
}

/// The span of code that is polled.
#[derive(Default)]
pub(crate) enum Task {
    #[default]
    None,
    /// It begins with the first poll.
    Pending(Box<Note>),
    Live(Box<Live>),
}

impl Task {
    pub(crate) fn new(noting: Noting) -> Self {
        noting.0.map_or(Self::None, Self::Pending)
    }

    /// Makes it the present of the thread, and begins it before, if that is to be done. The thread must be running the
    /// port.
    #[inline]
    pub(crate) fn enter<P: Port>(&mut self, cell: &Arc<Cell<P>>, number: u32) -> In<'_> {
        if let Self::Pending(note) = self {
            let tag = cell.handler_name(number).into();
            *self = Live::begin(cell, note, number, tag).map_or(Self::None, Self::Live);
        }
        self.enter_again()
    }

    /// Makes it the present of the thread, if it has begun.
    #[inline]
    pub(crate) fn enter_again(&mut self) -> In<'_> {
        match mem::take(self) {
            Self::Live(live) => {
                drop(replace(live.enter()));
                In(Some(self))
            }
            other => {
                *self = other;
                In(None)
            }
        }
    }

    /// As [`enter_again`](Self::enter_again), for a process: another span may take its place meanwhile.
    pub(crate) fn enter_process(&mut self) -> In<'_> {
        if let Self::Live(live) = mem::take(self) {
            drop(replace(live.enter()));
        }
        In(Some(self))
    }

    pub(crate) fn end(&mut self, end: End<'_>) {
        if let Self::Live(mut live) = mem::take(self) {
            live.end(end);
        }
    }

    /// Ends the span of a port's handler. Returns the reason to die with, which may be one of the tracer.
    #[inline]
    pub(crate) fn end_of<'a>(
        &mut self,
        port: &dyn AnyPort,
        end: impl FnOnce() -> End<'a>,
    ) -> Option<Reason> {
        match self {
            Self::None => None,
            Self::Pending(_) | Self::Live(_) => self.end_within(port, end()),
        }
    }

    #[cold]
    fn end_within(&mut self, port: &dyn AnyPort, end: End<'_>) -> Option<Reason> {
        let _scope = current::Scope::enter(port);
        self.end(end);
        current::take_killed()
    }
}

/// While this value lives, a span is the present of the thread.
pub(crate) struct In<'a>(Option<&'a mut Task>);

impl In<'_> {
    /// Ends it now.
    #[inline]
    pub(crate) fn leave(self) {
        drop(self);
    }
}

impl Drop for In<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            *task = leave().map_or(Task::None, Task::Live);
        }
    }
}

/// Takes the present span away from its handler, which leaves it to other code. The rest of the handler has its context.
pub(crate) fn take_over() -> Task {
    match replace(Now::Nothing) {
        Now::Span(live, entered) => {
            drop(entered);
            drop(replace(Now::Carried(live.context.clone())));
            Task::Live(live)
        }
        other => {
            drop(replace(other));
            Task::None
        }
    }
}

/// Ends the present span, and enters another one.
pub(crate) fn adopt(next: Task) {
    if let Some(mut live) = leave() {
        live.end(End::Returned);
    }
    if let Task::Live(live) = next {
        drop(replace(live.enter()));
    }
}
