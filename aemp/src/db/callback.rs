//! Watches of families with a callback, as in the reference.

use std::{fmt, sync::Arc};

use aemp_codec::Value;
use indexmap::IndexMap;

use super::{
    gathered::{Gathered, Taken},
    machine::{Sink, Watching},
};
use crate::{guard::shielded, lock::Lock};
use aemp_proto::global::Watched;

/// The contents of a watched family.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Contents(IndexMap<Arc<str>, Value>);

impl Contents {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// True if the key exists.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if the family is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// The keys, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|key| &**key)
    }
}

/// The argument of the callback of [`Node::db_mon`](crate::Node::db_mon).
#[derive(Debug)]
#[non_exhaustive]
pub struct DbChange<'a> {
    /// The contents of the family now.
    pub contents: &'a Contents,
    /// New keys; in the first call, all keys.
    pub added: &'a [Arc<str>],
    /// Keys whose values have changed.
    pub changed: &'a [Arc<str>],
    /// Deleted keys.
    pub deleted: &'a [Arc<str>],
}

type Callback = dyn FnMut(&DbChange<'_>) + Send;

/// A callback, and the changes that it has not been called with yet.
pub(super) struct CallbackSink {
    gathered: Lock<Waiting>,
    callback: Lock<(Contents, Box<Callback>)>,
}

#[derive(Default)]
struct Waiting {
    gathered: Gathered,
    /// True if a task that will call it is queued already.
    queued: bool,
    closed: bool,
}

impl CallbackSink {
    pub(super) fn new(callback: impl FnMut(&DbChange<'_>) + Send + 'static) -> Self {
        Self {
            gathered: Lock::default(),
            callback: Lock::new((Contents::default(), Box::new(callback))),
        }
    }
}

impl CallbackSink {
    /// The next changes for the callback. If there are none, `queued` is cleared, so that the next change queues a
    /// task again.
    fn next(&self) -> Option<Taken> {
        let mut waiting = self.gathered.lock();
        let taken = waiting.gathered.take().filter(|_| !waiting.closed);
        waiting.queued = taken.is_some();
        taken
    }
}

impl Sink for CallbackSink {
    fn close(&self) {
        let mut waiting = self.gathered.lock();
        waiting.closed = true;
        waiting.gathered = Gathered::default();
    }

    fn gather(&self, event: Watched) -> bool {
        let mut waiting = self.gathered.lock();
        waiting.gathered.add(event);
        !std::mem::replace(&mut waiting.queued, true)
    }

    /// Calls the callback until no changes are left. No second task is queued meanwhile, so no task waits for a slow
    /// callback.
    fn notify(&self) {
        let mut callback = self.callback.lock();
        let (contents, callback) = &mut *callback;
        while let Some(taken) = self.next() {
            contents.report(taken, callback);
        }
    }
}

impl Contents {
    fn report(&mut self, taken: Taken, callback: &mut Callback) {
        let (mut added, mut changed, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        match taken {
            Taken::All(all) => {
                added.extend(all.keys().cloned());
                self.0 = all;
            }
            Taken::Changes(changes) => {
                for change in changes {
                    let key = Arc::clone(&change.key);
                    match (change.was, change.value) {
                        (_, None) => {
                            self.0.swap_remove(&key);
                            deleted.push(key);
                            continue;
                        }
                        (was, Some(value)) => {
                            if was {
                                changed.push(Arc::clone(&key));
                            } else {
                                added.push(Arc::clone(&key));
                            }
                            self.0.insert(key, value);
                        }
                    }
                }
            }
        }
        let change = DbChange {
            contents: self,
            added: &added,
            changed: &changed,
            deleted: &deleted,
        };
        shielded(|| callback(&change));
    }
}

/// A family that is watched by a callback. Dropping it ends the watch.
#[must_use = "dropping it ends the watch"]
pub struct DbMonitor {
    pub(super) _watching: Watching,
}

impl fmt::Debug for DbMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbMonitor").finish_non_exhaustive()
    }
}
