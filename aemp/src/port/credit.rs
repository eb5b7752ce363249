//! The part of a port's bound that is promised to senders on other nodes.
//!
//! A bound promises its free room, less the promises to other nodes, and never more than a share of it, so that the
//! next node that asks finds some. Promises are forgotten by age. If there is nothing to promise, the answer waits, in
//! a task that the port's room wakes (`node/peer/grants.rs`). No question overtakes those that wait.
//!
//! If the port's queue is empty, one message is granted in spite of all promises, because the other nodes may never use
//! their promises. So the bound can be exceeded by one message for each further node that sends, by the plain and local
//! sends of that time, and by nothing else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aemp_codec::NodeId;
use tokio::time::Instant;

use super::line::Line;

/// The greatest number of messages that one promise is for: enough for a steady stream, which asks again in time.
const MOST: usize = 1000;
/// The time in which senders may use a promise.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(1);

/// The room in a port's queue.
pub(crate) enum Room {
    /// The port has no bound.
    Open,
    /// Room for this number of messages, at least one.
    Free(usize),
    /// No room now. The line reports room.
    Full(Arc<Line>),
}

/// The kind of a request for room.
#[derive(Clone, Copy)]
pub(crate) enum Asking {
    /// A new request of a node that still has a promise for `left` messages. If it may not wait, it is granted one
    /// message.
    First { left: usize, may_wait: bool },
    /// A repeated request of a node that was told to wait.
    Again,
}

/// The promises to other nodes. A promised message may already be in the queue. Then it counts twice until its node
/// asks again, so too little is promised rather than too much.
///
/// Promises are forgotten by generations, so that none has to be searched for. Each lives for one to two times
/// [`GOOD_FOR`].
#[derive(Default)]
pub(crate) struct Promises {
    recent: Promised,
    older: Promised,
    /// The time at which `recent` began.
    since: Option<Instant>,
}

/// The limit of a port's queue, for senders that wait for room.
pub(crate) struct Bound {
    pub(crate) limit: usize,
    /// The number of messages that were taken from the queue and are not handled yet.
    pub(crate) in_hand: usize,
    /// Those that wait for room.
    pub(crate) line: Arc<Line>,
    /// The messages that other nodes may still send.
    pub(crate) promises: Promises,
    /// The number of other nodes that were told to wait for room.
    pub(crate) waiting: usize,
}

impl Bound {
    /// The number of messages that a node may send, with `queued` messages in the queue. Nodes that wait are not
    /// overtaken.
    pub(crate) fn room_for(
        &mut self,
        node: &NodeId,
        queued: usize,
        asking: Asking,
        now: Instant,
    ) -> Room {
        let first = match asking {
            Asking::First { left, may_wait } => {
                self.promises.has_left(node, left, now);
                Some(may_wait)
            }
            Asking::Again => None,
        };
        let free = self.limit.saturating_sub(queued + self.in_hand);
        let overtakes = first.is_some() && self.waiting > 0;
        if free > 0
            && !overtakes
            && let Some(messages) = self.promises.promise(node, self.limit, free, now)
        {
            self.waiting -= usize::from(first.is_none());
            return Room::Free(messages);
        }
        match first {
            Some(false) => return Room::Free(1),
            Some(true) => self.waiting += 1,
            None => {}
        }
        Room::Full(Arc::clone(&self.line))
    }
}

#[derive(Default)]
struct Promised {
    nodes: HashMap<NodeId, usize>,
    messages: usize,
}

impl Promised {
    fn forget(&mut self, node: &NodeId) -> usize {
        let messages = self.nodes.remove(node).unwrap_or_default();
        self.messages -= messages;
        messages
    }
}

impl Promises {
    /// Records that a node has `messages` left of its earlier promise.
    pub(crate) fn has_left(&mut self, node: &NodeId, messages: usize, now: Instant) {
        self.age(now);
        let before = self.forget(node);
        self.note(node, messages.min(before));
    }

    /// Promises a node a share of the free room in a bound of `limit` messages. This replaces its earlier promise.
    /// Some room is left for the next node. `None` if everything is promised to other nodes.
    pub(crate) fn promise(
        &mut self,
        node: &NodeId,
        limit: usize,
        free: usize,
        now: Instant,
    ) -> Option<usize> {
        self.age(now);
        let before = self.forget(node);
        let others = self.recent.nodes.len() + self.older.nodes.len();
        let not_promised = free.saturating_sub(self.recent.messages + self.older.messages);
        let share = (limit / (others + 2)).clamp(1, MOST);
        let messages = match not_promised.min(share) {
            // The other nodes may never use their promises, so a sender to an empty queue does not wait for them.
            0 if free == limit => 1,
            0 => {
                self.note(node, before);
                return None;
            }
            messages => messages,
        };
        self.note(node, messages);
        Some(messages)
    }

    fn forget(&mut self, node: &NodeId) -> usize {
        self.recent.forget(node) + self.older.forget(node)
    }

    fn note(&mut self, node: &NodeId, messages: usize) {
        if messages > 0 {
            self.recent.nodes.insert(node.clone(), messages);
            self.recent.messages += messages;
        }
    }

    fn age(&mut self, now: Instant) {
        let age = now.saturating_duration_since(*self.since.get_or_insert(now));
        if age < GOOD_FOR {
            return;
        }
        self.older = std::mem::take(&mut self.recent);
        if age >= 2 * GOOD_FOR {
            self.older = Promised::default();
        }
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    #[test]
    fn room_is_promised_once() {
        let (mut promises, now) = (Promises::default(), Instant::now());
        let (a, b, c) = (node("a"), node("b"), node("c"));
        assert_eq!(promises.promise(&a, 12, 12, now), Some(6), "a half");
        assert_eq!(promises.promise(&b, 12, 9, now), Some(3));
        assert_eq!(promises.promise(&c, 12, 9, now), None);
        promises.has_left(&a, 3, now);
        assert_eq!(promises.promise(&a, 12, 9, now), Some(4), "its share");
        promises.has_left(&b, 0, now);
        assert_eq!(promises.promise(&c, 12, 5, now), Some(1));
    }

    #[test]
    fn an_empty_queue_grants_a_message_to_each_node() {
        let (mut promises, now) = (Promises::default(), Instant::now());
        assert_eq!(promises.promise(&node("a"), 1, 1, now), Some(1));
        assert_eq!(promises.promise(&node("b"), 1, 1, now), Some(1));
    }

    /// A node that reports more messages left than it was promised gains nothing.
    #[test]
    fn reports_of_senders_cannot_reserve_room() {
        let (mut promises, now) = (Promises::default(), Instant::now());
        promises.has_left(&node("a"), 1000, now);
        assert_eq!(promises.recent.messages, 0);
        assert_eq!(promises.promise(&node("b"), 4, 3, now), Some(2));
        promises.has_left(&node("b"), 1000, now);
        assert_eq!(promises.recent.messages, 2);
    }

    #[test]
    fn promises_end() {
        let (mut promises, start) = (Promises::default(), Instant::now());
        let at = |seconds| start + seconds * GOOD_FOR;
        let (a, b) = (node("a"), node("b"));
        assert_eq!(promises.promise(&a, 10, 5, start), Some(5));
        assert_eq!(promises.promise(&b, 10, 5, at(1)), None);
        assert_eq!(promises.promise(&b, 10, 5, at(2)), Some(5));
        promises.age(at(10));
        assert_eq!(promises.older.nodes.len() + promises.recent.nodes.len(), 0);
    }

    #[test]
    fn a_promise_is_never_large() {
        let mut promises = Promises::default();
        let promised = promises.promise(&node("a"), 1 << 20, 1 << 20, Instant::now());
        assert_eq!(promised, Some(MOST));
    }
}
