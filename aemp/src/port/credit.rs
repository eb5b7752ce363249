//! How much of a port's bound is promised to senders on other nodes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aemp_codec::NodeId;
use tokio::{sync::Notify, time::Instant};

/// How many messages are promised at most at one time: enough for a steady stream, and soon asked for again. So many may be sent to a
/// port without a bound, in case it gets one.
pub(crate) const MOST: usize = 1000;
/// How long senders may make use of a promise.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(1);

/// What a port has room for.
pub(crate) enum Room {
    /// So many messages, at least one.
    Free(usize),
    /// None: this tells of room.
    Full(Arc<Notify>),
}

/// What has been promised to other nodes. Part of it may have come by now: then it counts twice until that node asks again, so that too
/// little is promised rather than too much.
///
/// Promises are forgotten by generations, so that nothing has to be looked through: each lives for one to two times [`GOOD_FOR`].
#[derive(Default)]
pub(crate) struct Promises {
    recent: Promised,
    older: Promised,
    /// When `recent` has begun.
    since: Option<Instant>,
}

#[derive(Default)]
struct Promised {
    nodes: HashMap<NodeId, usize>,
    messages: usize,
}

impl Promised {
    fn forget(&mut self, node: &NodeId) {
        self.messages -= self.nodes.remove(node).unwrap_or_default();
    }
}

impl Promises {
    /// Promises a node a share of what is free in a bound of `limit` messages, instead of what it was promised before. At least one
    /// message: who is promised nothing would have to be told when others have not made use of what they were promised.
    pub(crate) fn promise(
        &mut self,
        node: &NodeId,
        limit: usize,
        free: usize,
        now: Instant,
    ) -> usize {
        self.age(now);
        self.recent.forget(node);
        self.older.forget(node);
        let others = self.recent.nodes.len() + self.older.nodes.len();
        let free = free.saturating_sub(self.recent.messages + self.older.messages);
        let messages = free.min(limit / (others + 1)).clamp(1, MOST);
        self.recent.nodes.insert(node.clone(), messages);
        self.recent.messages += messages;
        messages
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
    fn nobody_is_promised_what_another_was() {
        let (mut promises, now) = (Promises::default(), Instant::now());
        assert_eq!(promises.promise(&node("a"), 10, 10, now), 10);
        assert_eq!(promises.promise(&node("b"), 10, 10, now), 1, "at least");
        // Five of the ten have come, and a has used half of what it had.
        assert_eq!(promises.promise(&node("a"), 10, 5, now), 4);
        assert_eq!(promises.promise(&node("b"), 10, 8, now), 4);
        assert_eq!(promises.promise(&node("a"), 10, 10, now), 5, "its share");
    }

    #[test]
    fn promises_end() {
        let (mut promises, start) = (Promises::default(), Instant::now());
        let at = |seconds| start + seconds * GOOD_FOR;
        promises.promise(&node("a"), 10, 10, start);
        assert_eq!(promises.promise(&node("b"), 10, 10, at(1)), 1);
        assert_eq!(promises.promise(&node("b"), 10, 10, at(2)), 10);
        assert_eq!(promises.promise(&node("c"), 10, 10, at(10)), 10);
        assert_eq!(promises.older.nodes.len() + promises.recent.nodes.len(), 1);
    }

    #[test]
    fn a_promise_is_never_large() {
        let mut promises = Promises::default();
        assert_eq!(
            promises.promise(&node("a"), 1 << 20, 1 << 20, Instant::now()),
            MOST
        );
    }
}
