//! The present of a thread: the span, or the context, of the code that it runs.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    fmt, mem,
    sync::Arc,
};

use super::{live::Live, sample::Samples};
use crate::{
    guard,
    node::strand::Strand,
    span::{SpanContext, Tracer},
};

/// The spans of a node: its tracer, and its samples for observers.
#[derive(Default)]
pub(crate) struct Tracing {
    pub(super) tracer: Option<Arc<dyn Tracer>>,
    /// Runs the calls for events outside of spans.
    pub(super) strand: Arc<Strand>,
    pub(super) samples: Arc<Samples>,
}

impl Tracing {
    pub(crate) fn new(tracer: Option<Arc<dyn Tracer>>) -> Self {
        Self {
            tracer,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn has_tracer(&self) -> bool {
        self.tracer.is_some()
    }

    pub(crate) fn samples(&self) -> &Arc<Samples> {
        &self.samples
    }

    /// The tracer, to be dropped.
    pub(crate) fn take_tracer(&mut self) -> Option<Arc<dyn Tracer>> {
        self.tracer.take()
    }
}

#[derive(Default)]
pub(super) enum Now {
    #[default]
    Nothing,
    /// The context of code that is no handler with a span.
    Carried(SpanContext),
    Span(Box<Live>, Option<Entered>),
}

/// The result of [`Span::enter`](crate::span::Span::enter).
pub(super) struct Entered(pub(super) Option<Box<dyn Any>>);

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(entered) = self.0.take() {
            in_tracer(|| drop(entered));
        }
    }
}

thread_local! {
    /// True if `NOW` holds anything. It is read for each run of a port, so it must cost next to nothing.
    static ANY: Cell<bool> = const { Cell::new(false) };
    static NOW: RefCell<Now> = const { RefCell::new(Now::Nothing) };
    /// True if this thread is calling a tracer.
    static IN_TRACER: Cell<bool> = const { Cell::new(false) };
}

/// Replaces the present. It is not borrowed while foreign code runs.
pub(super) fn replace(now: Now) -> Now {
    let any = !matches!(now, Now::Nothing);
    // A thread that is about to end has no present.
    let before = NOW.try_with(|cell| cell.replace(now));
    ANY.set(any && before.is_ok());
    before.unwrap_or_default()
}

/// True if the code that is running may have a context.
#[inline]
pub(super) fn any() -> bool {
    ANY.get()
}

/// The context of the code that is running.
pub(crate) fn current() -> Option<SpanContext> {
    if !ANY.get() {
        return None;
    }
    NOW.with_borrow(|now| match now {
        Now::Nothing => None,
        Now::Carried(context) => Some(context.clone()),
        Now::Span(live, _) => Some(live.context.clone()),
    })
}

/// True if this thread is calling a tracer. Its messages are not traced then.
pub(super) fn is_in_tracer() -> bool {
    IN_TRACER.get()
}

/// Calls a tracer. `None` if it has panicked, which is logged.
pub(super) fn in_tracer<R>(call: impl FnOnce() -> R) -> Option<R> {
    let before = IN_TRACER.replace(true);
    let done = guard::attempt(call);
    IN_TRACER.set(before);
    done.inspect_err(|text| crate::log::error!("a tracer {text}"))
        .ok()
}

/// While this value lives, the present before it is hidden.
pub(crate) struct Hidden(Option<Box<Before>>);

/// The present that is hidden, and its cover for other libraries.
struct Before(Now, Option<Entered>);

impl Hidden {
    #[inline]
    pub(crate) fn enter() -> Self {
        match ANY.get() {
            false => Self(None),
            true => Self::cover(),
        }
    }

    #[cold]
    fn cover() -> Self {
        let now = replace(Now::Nothing);
        let cover = match &now {
            Now::Span(live, _) => live.hide(),
            Now::Nothing | Now::Carried(_) => None,
        };
        Self(Some(Box::new(Before(now, cover))))
    }

    #[cold]
    fn restore(&mut self) {
        let before = self.0.take().map(|before| *before);
        let Before(now, cover) = before.unwrap_or(Before(Now::Nothing, None));
        drop(replace(Now::Nothing));
        drop(cover);
        replace(now);
    }
}

impl Drop for Hidden {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() || ANY.get() {
            self.restore();
        }
    }
}

/// A context for code that is no handler.
#[derive(Clone, Default)]
pub(crate) struct Carried(Option<SpanContext>);

impl Carried {
    pub(crate) fn new(context: Option<SpanContext>) -> Self {
        Self(context)
    }

    /// The present context.
    pub(crate) fn now() -> Self {
        Self(current())
    }

    /// Runs code with the context. Without one, nothing changes.
    pub(crate) fn run<R>(&self, run: impl FnOnce() -> R) -> R {
        struct Before(Now);

        impl Drop for Before {
            fn drop(&mut self) {
                drop(replace(mem::take(&mut self.0)));
            }
        }

        let Some(context) = &self.0 else { return run() };
        let _before = Before(replace(Now::Carried(context.clone())));
        run()
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
