//! Watches of families as streams.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, MutexGuard},
    task::{Context, Poll, Waker},
};

use aemp_codec::{DecodeError, Value, from_value};
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::{
    gathered::{Gathered, Taken},
    machine::{Sink, Watching},
};
use crate::{Node, lock::Lock};
use aemp_proto::global::{Change, Watched};

/// An event of a [`Watch`]. The enum is closed.
#[derive(Debug, Clone, PartialEq)]
pub enum FamilyEvent<V> {
    /// The contents of the family: always the first event.
    All(FamilyContents<V>),
    /// The changes since the last event.
    Changes(FamilyChanges<V>),
}

/// The contents of a family.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FamilyContents<V> {
    /// Keys and values.
    pub entries: BTreeMap<String, V>,
    /// Entries whose values are not `V`s, with the errors.
    pub odd: BTreeMap<String, DecodeError>,
}

/// Changes of a family. Several unread changes of one key are merged into one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FamilyChanges<V> {
    /// New keys, with their values.
    pub added: BTreeMap<String, V>,
    /// Keys whose values have changed, with the new values.
    pub changed: BTreeMap<String, V>,
    /// Deleted keys.
    pub deleted: Vec<String>,
    /// New and changed keys whose values are not `V`s, with the errors.
    pub odd: BTreeMap<String, DecodeError>,
}

impl<V> Default for FamilyContents<V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            odd: BTreeMap::new(),
        }
    }
}

impl<V> Default for FamilyChanges<V> {
    fn default() -> Self {
        Self {
            added: BTreeMap::new(),
            changed: BTreeMap::new(),
            deleted: Vec::new(),
            odd: BTreeMap::new(),
        }
    }
}

/// A stream of a family's contents and changes; see [`Family::watch`](super::Family::watch).
///
/// The stream ends with its node. It continues through a change of the master, and also [without
/// one](super#without-a-master). It keeps at most one change of each key, however slowly it is read. Dropping it ends
/// the watch.
///
/// ```
/// use aemp::db::FamilyEvent;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = aemp::Node::local()?;
/// let lights = node.family::<bool>("lights")?;
/// lights.set("kitchen", &true)?;
/// let mut watch = lights.watch();
/// let Some(FamilyEvent::All(contents)) = watch.next().await else { unreachable!("the contents come first") };
/// assert_eq!(contents.entries["kitchen"], true);
/// lights.set("kitchen", &false)?;
/// let Some(FamilyEvent::Changes(changes)) = watch.next().await else { unreachable!("then changes") };
/// assert_eq!(changes.changed["kitchen"], false);
/// # Ok(()) }
/// ```
pub struct Watch<V> {
    node: Node,
    sink: Arc<StreamSink>,
    _watching: Watching,
    _value: PhantomData<fn() -> V>,
}

#[derive(Default)]
struct StreamSink(Lock<Waiting>);

#[derive(Default)]
struct Waiting {
    gathered: Gathered,
    waker: Option<Waker>,
    /// True if a task that will wake the reader is queued already.
    queued: bool,
    /// True if the watch has ended.
    closed: bool,
}

impl StreamSink {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock()
    }
}

impl Sink for StreamSink {
    fn close(&self) {
        self.waiting().closed = true;
        self.notify();
    }

    fn gather(&self, event: Watched) -> bool {
        let mut waiting = self.waiting();
        waiting.gathered.add(event);
        waiting.waker.is_some() && !std::mem::replace(&mut waiting.queued, true)
    }

    fn notify(&self) {
        let mut waiting = self.waiting();
        waiting.queued = false;
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            crate::guard::wake(waker);
        }
    }
}

impl<V: DeserializeOwned> Watch<V> {
    pub(crate) fn new(node: &Node, family: &str) -> Self {
        let sink = Arc::<StreamSink>::default();
        let watching = node.start_watch(family, &sink);
        Self {
            node: node.clone(),
            sink,
            _watching: watching,
            _value: PhantomData,
        }
    }

    /// The next event; `None` when the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready loses no event.
    pub async fn next(&mut self) -> Option<FamilyEvent<V>> {
        poll_fn(|task| self.poll_event(task)).await
    }

    fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Option<FamilyEvent<V>>> {
        let mut waiting = self.sink.waiting();
        let Some(taken) = waiting.gathered.take() else {
            if waiting.closed {
                return Poll::Ready(None);
            }
            waiting.waker = Some(task.waker().clone());
            return Poll::Pending;
        };
        drop(waiting);
        let _scope = self.node.decoding();
        Poll::Ready(Some(match taken {
            Taken::All(all) => FamilyEvent::All(contents(all)),
            Taken::Changes(all) => FamilyEvent::Changes(changes(all)),
        }))
    }
}

/// Divides entries into those that deserialize as `V` and the others.
pub(super) fn contents<V: DeserializeOwned>(
    all: impl IntoIterator<Item = (Arc<str>, Value)>,
) -> FamilyContents<V> {
    let mut contents = FamilyContents::default();
    for (key, value) in all {
        match from_value(value) {
            Ok(value) => drop(contents.entries.insert((*key).into(), value)),
            Err(error) => drop(contents.odd.insert((*key).into(), error)),
        }
    }
    contents
}

fn changes<V: DeserializeOwned>(all: Vec<Change>) -> FamilyChanges<V> {
    let mut changes = FamilyChanges::default();
    for Change { key, was, value } in all {
        let key = String::from(&*key);
        match value.map(from_value) {
            None => changes.deleted.push(key),
            Some(Err(error)) => drop(changes.odd.insert(key, error)),
            Some(Ok(value)) if was => drop(changes.changed.insert(key, value)),
            Some(Ok(value)) => drop(changes.added.insert(key, value)),
        }
    }
    changes
}

impl<V: DeserializeOwned> Stream for Watch<V> {
    type Item = FamilyEvent<V>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<FamilyEvent<V>>> {
        self.get_mut().poll_event(task)
    }
}

impl<V> fmt::Debug for Watch<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
