//! A tracer that records its spans, and misbehaves on demand.

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aemp::span::{End, Event, Handling, Span, SpanContext, Tracer, Way};

/// A recorded span.
#[derive(Clone, Debug)]
pub struct Record {
    /// The last part of the port's type, and the tag.
    pub name: String,
    /// The port's node.
    pub node: String,
    /// The port's ID.
    pub port: String,
    /// Its own context.
    pub context: SpanContext,
    /// The ID of the sender.
    pub sender: Option<SpanContext>,
    /// The way of the message.
    pub way: Way,
    /// The sender's node, if it is another one.
    pub from: Option<String>,
    /// The time in the queue.
    pub waited: Duration,
    /// The time of the handler.
    pub took: Duration,
    /// The end as a text; empty if it has not ended.
    pub end: String,
    /// Its events.
    pub events: Vec<String>,
}

impl Record {
    /// True if it is a child of the other span.
    #[must_use]
    pub fn is_child_of(&self, other: &Self) -> bool {
        self.way == Way::Called
            && self.sender.as_ref() == Some(&other.context)
            && self.context.trace_id() == other.context.trace_id()
    }

    /// True if it is the root of a trace of its own, with a link to the other span.
    #[must_use]
    pub fn is_linked_to(&self, other: &Self) -> bool {
        self.way == Way::Sent
            && self.sender.as_ref() == Some(&other.context)
            && self.context.trace_id() != other.context.trace_id()
    }
}

type Hook = Box<dyn Fn(&str, &str) + Send + Sync>;

#[derive(Default)]
struct Inner {
    records: Mutex<Vec<Record>>,
    /// Events outside of spans.
    events: Mutex<Vec<String>>,
    /// Called with the method and the name of the span.
    hook: Option<Hook>,
    /// The names that get no spans.
    unwanted: Vec<&'static str>,
    /// The names whose spans are not sampled.
    unsampled: Vec<&'static str>,
}

/// The tracer. Clones record together.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Inner>);

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static ENTERED: RefCell<Vec<Option<SpanContext>>> = const { RefCell::new(Vec::new()) };
}

/// The span that this thread has entered last, and not left.
#[must_use]
pub fn entered() -> Option<SpanContext> {
    ENTERED.with_borrow(|entered| entered.last().cloned().flatten())
}

/// The present context of this crate, which must be that of the recorder.
///
/// # Panics
///
/// If it is not.
#[must_use]
pub fn present() -> Option<SpanContext> {
    let present = SpanContext::current();
    assert_eq!(present, entered());
    present
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Makes no spans for handlers of these names, and spans without the flag for those.
    #[must_use]
    pub fn without(unwanted: &[&'static str], unsampled: &[&'static str]) -> Self {
        Self(Arc::new(Inner {
            unwanted: unwanted.into(),
            unsampled: unsampled.into(),
            ..Inner::default()
        }))
    }

    /// Calls a function with the name of each called method, and the name of the span.
    #[must_use]
    pub fn with_hook(hook: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            hook: Some(Box::new(hook)),
            ..Inner::default()
        }))
    }

    /// The recorded spans, in the order of their begins.
    #[must_use]
    pub fn all(&self) -> Vec<Record> {
        lock(&self.0.records).clone()
    }

    /// The spans of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<Record> {
        let mut all = self.all();
        all.retain(|record| record.name == name);
        all
    }

    /// The only span of this name.
    ///
    /// # Panics
    ///
    /// If there are others, or none.
    #[must_use]
    pub fn only(&self, name: &str) -> Record {
        let mut named = self.named(name);
        assert_eq!(named.len(), 1, "{name}: {:?}", self.all());
        named.remove(0)
    }

    /// The events outside of spans.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        lock(&self.0.events).clone()
    }

    fn hook(&self, method: &str, name: &str) {
        if let Some(hook) = &self.0.hook {
            hook(method, name);
        }
    }
}

fn text(event: &Event) -> String {
    match event {
        Event::Kill { reason, .. } => format!("kill {reason}"),
        Event::Monitor { reason, .. } => format!("monitor {reason}"),
        Event::Restart { children, .. } => format!("restart {children}"),
        Event::Connect { node, .. } => format!("{} {node}", event.name()),
        Event::Disconnect { node, .. } => format!("disconnect {node}"),
        _ => event.name().into(),
    }
}

impl Tracer for Recorder {
    fn begin(&self, handling: &Handling<'_>) -> Option<Box<dyn Span>> {
        let kind = handling.port_type.rsplit("::").next().unwrap_or_default();
        let name = format!("{kind}.{}", handling.tag);
        self.hook("begin", &name);
        if self.0.unwanted.iter().any(|unwanted| *unwanted == name) {
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let trace = match handling.sender {
            Some(sender) if handling.way == Way::Called => sender.trace_id(),
            _ => u128::from(number).to_be_bytes(),
        };
        let sampled = !self.0.unsampled.iter().any(|unsampled| *unsampled == name);
        let context = SpanContext::new(trace, number.to_be_bytes(), sampled.into())?;
        let mut records = lock(&self.0.records);
        records.push(Record {
            name: name.clone(),
            node: handling.node.to_string(),
            port: handling.port.to_string(),
            context: context.clone(),
            sender: handling.sender.cloned(),
            way: handling.way,
            from: handling.from.map(ToString::to_string),
            waited: handling.waited,
            took: Duration::ZERO,
            end: String::new(),
            events: Vec::new(),
        });
        Some(Box::new(Recorded {
            recorder: self.clone(),
            at: records.len() - 1,
            name,
            context,
        }))
    }

    fn event(&self, event: &Event) {
        lock(&self.0.events).push(text(event));
    }
}

struct Recorded {
    recorder: Recorder,
    at: usize,
    name: String,
    context: SpanContext,
}

impl Recorded {
    fn push(&self, context: Option<SpanContext>) -> Box<dyn Any> {
        ENTERED.with_borrow_mut(|entered| entered.push(context.clone()));
        let (recorder, name) = (self.recorder.clone(), self.name.clone());
        Box::new(Left(recorder, name, context))
    }

    fn with(&self, change: impl FnOnce(&mut Record)) {
        change(&mut lock(&self.recorder.0.records)[self.at]);
    }
}

struct Left(Recorder, String, Option<SpanContext>);

impl Drop for Left {
    fn drop(&mut self) {
        let left = ENTERED.with_borrow_mut(Vec::pop);
        assert_eq!(left.as_ref(), Some(&self.2));
        self.0.hook("leave", &self.1);
    }
}

impl Span for Recorded {
    fn context(&self) -> SpanContext {
        self.recorder.hook("context", &self.name);
        self.context.clone()
    }

    fn enter(&self) -> Option<Box<dyn Any>> {
        self.recorder.hook("enter", &self.name);
        Some(self.push(Some(self.context.clone())))
    }

    fn hide(&self) -> Option<Box<dyn Any>> {
        Some(self.push(None))
    }

    fn event(&mut self, event: &Event) {
        self.with(|record| record.events.push(text(event)));
    }

    fn end(self: Box<Self>, end: End<'_>, took: Duration) {
        let end = match end {
            End::Died(reason) => format!("died: {reason}"),
            other => format!("{other:?}").to_lowercase(),
        };
        self.with(|record| (record.end, record.took) = (end, took));
        self.recorder.hook("end", &self.name);
    }
}
