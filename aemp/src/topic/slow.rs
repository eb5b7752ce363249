//! The policies for slow subscribers.

use std::{fmt, sync::Arc};

use super::pending::Full;

/// The function that names the key of a message.
pub(super) type Key<T> = dyn Fn(&T) -> String + Send + Sync;

/// The policy for a subscriber that is slower than its topic: the number of events that wait for it at most, and the treatment
/// of further ones.
///
/// ```
/// use aemp::topic::Slow;
///
/// let all = Slow::<String>::drop_oldest(100);
/// let prices = Slow::coalesce(1000, |(stock, _price): &(String, f64)| stock.clone());
/// let strict = Slow::<String>::disconnect(100);
/// ```
pub struct Slow<T> {
    pub(super) full: Full,
    pub(super) capacity: usize,
    pub(super) key: Option<Arc<Key<T>>>,
}

impl<T> Slow<T> {
    /// The oldest events are lost, and [`Missed`](super::TopicEvent::Missed) gives their number in their place.
    #[must_use]
    pub fn drop_oldest(capacity: usize) -> Self {
        Self {
            full: Full::Oldest,
            capacity,
            key: None,
        }
    }

    /// A message replaces the one with the same key that still waits: only the last one of each key is of interest. A
    /// replaced message is not reported. If there are more keys than `capacity`, the oldest messages are lost as with
    /// [`drop_oldest`](Self::drop_oldest).
    ///
    /// `key` runs on the task of the topic, once for each message and subscriber, so it should be quick. A message whose
    /// key panics replaces no other.
    #[doc(alias = "conflate")]
    #[must_use]
    pub fn coalesce(capacity: usize, key: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        Self {
            full: Full::ByKey,
            capacity,
            key: Some(Arc::new(key)),
        }
    }

    /// The subscription ends: it still has the events that wait, then [`Missed`](super::TopicEvent::Missed), and nothing
    /// after that.
    #[must_use]
    pub fn disconnect(capacity: usize) -> Self {
        Self {
            full: Full::Ends,
            capacity,
            key: None,
        }
    }
}

/// A thousand events, then the oldest are lost.
impl<T> Default for Slow<T> {
    fn default() -> Self {
        Self::drop_oldest(1000)
    }
}

impl<T> Clone for Slow<T> {
    fn clone(&self) -> Self {
        Self {
            full: self.full,
            capacity: self.capacity,
            key: self.key.clone(),
        }
    }
}

impl<T> fmt::Debug for Slow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slow")
            .field("full", &self.full)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
