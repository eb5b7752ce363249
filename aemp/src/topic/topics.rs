//! The open topics of a node: all handles of one topic with one type share a task.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64},
    },
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{
    Semaphore,
    mpsc::{UnboundedSender, unbounded_channel},
};

use super::hub::{Command, Hub};
use crate::{Node, lock::Lock};

/// The messages that may wait for the task of a topic.
const MOST_WAITING: usize = 4096;

/// A topic of a node: its name, and the type of its messages.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: Arc<str>,
    pub(super) of: TypeId,
}

/// The topics that a node has open.
#[derive(Default)]
pub(crate) struct Topics(Lock<HashMap<Key, Arc<dyn Any + Send + Sync>>>);

/// An open topic, as its handles know it.
pub(super) struct Opened<T> {
    pub(super) name: Arc<str>,
    pub(super) commands: UnboundedSender<Command<T>>,
    /// The places of messages that wait for the task.
    pub(super) room: Arc<Semaphore>,
    /// True if messages must be encoded for other nodes.
    pub(super) encodes: Arc<AtomicBool>,
    pub(super) last_id: AtomicU64,
}

impl Topics {
    /// The open topic of this name. It is opened if it is not.
    pub(super) fn open<T>(&self, node: &Node, name: &str, family: String) -> Arc<Opened<T>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let key = Key {
            name: name.into(),
            of: TypeId::of::<T>(),
        };
        let mut topics = self.0.lock();
        if let Some(open) = topics.get(&key)
            && let Ok(open) = Arc::clone(open).downcast::<Opened<T>>()
        {
            // The task of a node that has ended is gone.
            if !open.commands.is_closed() {
                return open;
            }
        }
        let (commands, receiver) = unbounded_channel();
        let opened = Arc::new(Opened {
            name: Arc::clone(&key.name),
            commands,
            room: Arc::new(Semaphore::new(MOST_WAITING)),
            encodes: Arc::new(AtomicBool::new(true)),
            last_id: AtomicU64::new(0),
        });
        let ended = topics.insert(key.clone(), Arc::<Opened<T>>::clone(&opened));
        drop(topics);
        drop(ended);
        let hub = Hub::new(node, key, family, &opened, receiver);
        node.scheduler().spawn(hub.run());
        opened
    }

    /// Closes a topic that has neither handles nor commands that wait. Returns false if it has.
    pub(super) fn close<T>(
        &self,
        key: &Key,
        opened: &Weak<Opened<T>>,
        is_used: impl FnOnce() -> bool,
    ) -> bool {
        let mut topics = self.0.lock();
        // New handles are made of others, or under this lock. A handle that is gone may have left commands.
        if opened.strong_count() > 1 || is_used() {
            return false;
        }
        let closed = topics.remove(key);
        drop(topics);
        drop(closed);
        true
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}
