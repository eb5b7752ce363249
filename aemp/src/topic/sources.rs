//! The numbers of the messages that arrive, by their sources: which were lost on the way, and which one is retained.
//!
//! A source is one incarnation of a topic at one node. It numbers its messages. A receiver that has heard of a source
//! knows the next number, so it knows how many it has missed when a later one arrives. It keeps that number while the
//! source's node is lost.

use std::collections::BTreeMap;

use aemp_codec::NodeId;

/// The number of sources of one node. A node has one for each type with which it has opened the topic.
const MOST_OF_NODE: usize = 8;
/// The number of losses of nodes of which sources are kept.
const MOST_LOST: usize = 1024;

/// All sources of one topic. `P` is a message.
#[derive(Debug)]
pub(super) struct Sources<P> {
    known: BTreeMap<NodeId, Vec<Source<P>>>,
    /// The greatest stamp of a retained message.
    clock: u64,
    /// The retained message of this node.
    own: Option<(u64, P)>,
    /// The losses of nodes of which sources are kept, the first one first.
    lost: BTreeMap<u64, NodeId>,
    losses: u64,
}

#[derive(Debug)]
struct Source<P> {
    instance: String,
    /// The number of its next message.
    next: u64,
    /// The number of the loss of its node, while it is lost.
    lost: Option<u64>,
    retained: Option<(u64, P)>,
}

/// A message that its publisher retains.
#[derive(Debug)]
pub(super) struct Retained<P> {
    pub(super) number: u64,
    pub(super) stamp: u64,
    pub(super) message: P,
}

/// The meaning of a greeting.
#[derive(Debug, PartialEq)]
pub(super) struct Greeted<P> {
    /// The messages that were lost since the last one.
    pub(super) missed: u64,
    /// The retained message, if it is news.
    pub(super) retained: Option<P>,
}

impl<P: Clone> Sources<P> {
    pub(super) fn new() -> Self {
        Self {
            known: BTreeMap::new(),
            clock: 0,
            own: None,
            lost: BTreeMap::new(),
            losses: 0,
        }
    }

    /// A source greets: its next message has this number.
    pub(super) fn greeted(
        &mut self,
        node: &NodeId,
        instance: &str,
        next: u64,
        retained: Option<Retained<P>>,
    ) -> Greeted<P> {
        let known = self.find(node, instance);
        let expected = known.map(|source| source.next);
        let source = self.source(node, instance, next);
        let mut missed = next.saturating_sub(source.next);
        source.next = source.next.max(next);
        let Some(Retained {
            number,
            stamp,
            message,
        }) = retained
        else {
            return Greeted {
                missed,
                retained: None,
            };
        };
        source.retained = Some((stamp, message.clone()));
        let is_unseen = expected.is_none_or(|expected| number >= expected);
        let is_last = stamp >= self.clock;
        self.clock = self.clock.max(stamp);
        let retained = (is_unseen && is_last).then_some(message);
        if retained.is_some() && expected.is_some() {
            missed = missed.saturating_sub(1);
        }
        Greeted { missed, retained }
    }

    /// A message of this number arrives. Returns the number of those that are missing before it, or nothing if it has
    /// arrived before.
    pub(super) fn numbered(&mut self, node: &NodeId, instance: &str, number: u64) -> Option<u64> {
        let source = self.source(node, instance, number);
        let missed = number.checked_sub(source.next)?;
        source.next = number.saturating_add(1);
        Some(missed)
    }

    /// A source ends, and would have numbered its next message so. Returns the number of those that are missing.
    pub(super) fn ended(&mut self, node: &NodeId, instance: &str, next: u64) -> u64 {
        let Some(of_node) = self.known.get_mut(node) else {
            return 0;
        };
        let Some(place) = of_node
            .iter()
            .position(|source| source.instance == instance)
        else {
            return 0;
        };
        let source = of_node.remove(place);
        if of_node.is_empty() {
            self.known.remove(node);
        }
        self.is_over(node, source.lost);
        next.saturating_sub(source.next)
    }

    /// The connection to a node is lost. Returns true if it has sources here, so that messages may be missing.
    pub(super) fn lost(&mut self, node: &NodeId) -> bool {
        self.losses += 1;
        let of_node = self.known.get_mut(node).into_iter().flatten();
        let mut any = false;
        for source in of_node.filter(|source| source.lost.is_none()) {
            source.lost = Some(self.losses);
            source.retained = None;
            any = true;
        }
        if any {
            self.lost.insert(self.losses, node.clone());
            self.forget_lost();
        }
        any
    }

    /// The nodes that have sources and are not lost.
    pub(super) fn present(&self) -> impl Iterator<Item = &NodeId> {
        let is_present = |of_node: &Vec<Source<P>>| of_node.iter().any(|it| it.lost.is_none());
        let present = self.known.iter().filter(move |(_, it)| is_present(it));
        present.map(|(node, _)| node)
    }

    /// True if a source of the node is known and its node is not lost.
    pub(super) fn has(&self, node: &NodeId) -> bool {
        let mut of_node = self.known.get(node).into_iter().flatten();
        of_node.any(|source| source.lost.is_none())
    }

    /// A stamp that is later than all known ones.
    pub(super) fn stamp(&mut self) -> u64 {
        self.clock = self.clock.saturating_add(1);
        self.clock
    }

    /// Keeps the message that this node retains.
    pub(super) fn retain_own(&mut self, stamp: u64, message: P) {
        self.own = Some((stamp, message));
    }

    /// Keeps the message that a source retains.
    pub(super) fn retain(&mut self, node: &NodeId, instance: &str, stamp: u64, message: P) {
        self.clock = self.clock.max(stamp);
        if let Some(source) = self.find_mut(node, instance) {
            source.retained = Some((stamp, message));
        }
    }

    /// The retained message: the one with the latest stamp, and of two with the same stamp the one of the later node.
    pub(super) fn retained(&self, own: &NodeId) -> Option<P> {
        let sources = self
            .known
            .iter()
            .flat_map(|(node, of_node)| of_node.iter().map(move |source| (node, &source.retained)));
        let all = sources.chain([(own, &self.own)]);
        let kept = all.filter_map(|(node, retained)| {
            retained
                .as_ref()
                .map(|(stamp, message)| ((*stamp, node), message))
        });
        kept.max_by_key(|(place, _)| *place)
            .map(|(_, message)| message.clone())
    }

    /// Forgets the sources of other nodes.
    pub(super) fn forget_others(&mut self) {
        self.known.clear();
        self.lost.clear();
    }

    fn find(&self, node: &NodeId, instance: &str) -> Option<&Source<P>> {
        let mut of_node = self.known.get(node)?.iter();
        of_node.find(|source| source.instance == instance)
    }

    fn find_mut(&mut self, node: &NodeId, instance: &str) -> Option<&mut Source<P>> {
        let mut of_node = self.known.get_mut(node)?.iter_mut();
        of_node.find(|source| source.instance == instance)
    }

    /// The source of a message, which is now the last one that was heard of. A new one begins with this number.
    fn source(&mut self, node: &NodeId, instance: &str, next: u64) -> &mut Source<P> {
        let of_node = self.known.entry(node.clone()).or_default();
        let mut lost = None;
        let source = match of_node
            .iter()
            .position(|source| source.instance == instance)
        {
            Some(place) => {
                let mut known = of_node.remove(place);
                lost = known.lost.take();
                known
            }
            None => {
                if of_node.len() >= MOST_OF_NODE {
                    lost = of_node.remove(0).lost;
                }
                Source {
                    instance: instance.into(),
                    next,
                    lost: None,
                    retained: None,
                }
            }
        };
        self.is_over(node, lost);
        let of_node = self.known.entry(node.clone()).or_default();
        of_node.push(source);
        let last = of_node.len() - 1;
        &mut of_node[last]
    }

    /// Forgets a loss, if no source of it is left.
    fn is_over(&mut self, node: &NodeId, loss: Option<u64>) {
        let Some(loss) = loss else { return };
        let mut of_node = self.known.get(node).into_iter().flatten();
        if !of_node.any(|source| source.lost == Some(loss)) {
            self.lost.remove(&loss);
        }
    }

    /// Forgets the sources of the first loss, if there are too many losses.
    fn forget_lost(&mut self) {
        if self.lost.len() <= MOST_LOST {
            return;
        }
        let Some((loss, node)) = self.lost.pop_first() else {
            return;
        };
        if let Some(of_node) = self.known.get_mut(&node) {
            of_node.retain(|source| source.lost != Some(loss));
            if of_node.is_empty() {
                self.known.remove(&node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn retained(number: u64, stamp: u64, message: u32) -> Option<Retained<u32>> {
        Some(Retained {
            number,
            stamp,
            message,
        })
    }

    #[test]
    fn missing_numbers_are_counted_also_after_a_loss() {
        let (mut sources, a) = (Sources::<u32>::new(), node("a"));
        assert_eq!(sources.greeted(&a, "1", 7, None).missed, 0);
        assert_eq!(sources.numbered(&a, "1", 7), Some(0));
        assert_eq!(sources.numbered(&a, "1", 7), None, "twice");
        assert_eq!(sources.numbered(&a, "1", 10), Some(2));
        assert!(sources.has(&a) && sources.lost(&a) && !sources.lost(&a));
        assert!(!sources.has(&a));
        assert_eq!(sources.greeted(&a, "1", 15, None).missed, 4);
        assert_eq!(sources.ended(&a, "1", 16), 1);
        assert_eq!(sources.ended(&a, "1", 20), 0);
        assert!(!sources.lost(&a), "it has ended in order");
        // The next incarnation has numbers of its own.
        assert_eq!(sources.numbered(&a, "2", 1), Some(0));
        assert_eq!(sources.numbered(&a, "2", 2), Some(0));
    }

    #[test]
    fn several_sources_of_one_node_are_told_apart_and_are_few() {
        let (mut sources, a) = (Sources::<u32>::new(), node("a"));
        for number in 1..4 {
            assert_eq!(sources.numbered(&a, "x", number), Some(0));
            assert_eq!(sources.numbered(&a, "y", number), Some(0));
        }
        for instance in 0..20 {
            sources.numbered(&a, &instance.to_string(), 1);
        }
        assert_eq!(sources.known[&a].len(), MOST_OF_NODE);
        assert_eq!(sources.numbered(&a, "x", 9), Some(0), "it is forgotten");
    }

    #[test]
    fn lost_sources_are_kept_up_to_a_number() {
        let mut sources = Sources::<u32>::new();
        for number in 0..MOST_LOST + 10 {
            let node = node(&format!("n{number}"));
            sources.numbered(&node, "x", 1);
            sources.lost(&node);
        }
        assert_eq!(
            (sources.known.len(), sources.lost.len()),
            (MOST_LOST, MOST_LOST)
        );
        assert!(
            !sources.known.contains_key(&node("n9")) && sources.known.contains_key(&node("n10"))
        );
    }

    #[test]
    fn the_last_retained_message_counts() {
        let (mut sources, own, a, b) = (Sources::new(), node("own"), node("a"), node("b"));
        assert_eq!(sources.retained(&own), None);
        let greeted = sources.greeted(&a, "1", 5, retained(4, 1, 41));
        assert_eq!(
            greeted,
            Greeted {
                missed: 0,
                retained: Some(41)
            }
        );
        // Again: it is no news.
        assert_eq!(
            sources.greeted(&a, "1", 5, retained(4, 1, 41)).retained,
            None
        );
        let stamp = sources.stamp();
        assert_eq!(stamp, 2);
        sources.retain_own(stamp, 1);
        assert_eq!(sources.retained(&own), Some(1));
        // One with the same stamp: the later node.
        assert_eq!(sources.numbered(&b, "1", 9), Some(0));
        sources.retain(&b, "1", 2, 9);
        assert_eq!(sources.retained(&own), Some(1));
        // One that was missed is told instead of a part of the gap.
        sources.lost(&a);
        let greeted = sources.greeted(&a, "1", 8, retained(6, 3, 46));
        assert_eq!(
            greeted,
            Greeted {
                missed: 2,
                retained: Some(46)
            }
        );
        assert_eq!(sources.retained(&own), Some(46));
        sources.lost(&a);
        assert_eq!(sources.retained(&own), Some(1), "it goes with its node");
        // An older one is not told.
        assert_eq!(
            sources.greeted(&a, "2", 1, retained(1, 1, 40)).retained,
            None
        );
    }

    proptest! {
        /// A publisher, a connection that loses some, and losses of the node: each message is delivered once or counted.
        #[test]
        fn delivered_and_counted_are_all(steps in prop::collection::vec(0..10_u8, 0..80)) {
            let (mut sources, a) = (Sources::<u32>::new(), node("a"));
            let (mut next, mut delivered, mut counted, mut up) = (1_u64, 0_u64, 0_u64, true);
            sources.greeted(&a, "1", next, None);
            for step in steps {
                match step {
                    0 => { sources.lost(&a); up = false; }
                    1 => { counted += sources.greeted(&a, "1", next, None).missed; up = true; }
                    2 | 3 => next += 1,
                    _ => {
                        if up {
                            let missed = sources.numbered(&a, "1", next);
                            prop_assert!(missed.is_some());
                            counted += missed.unwrap_or_default();
                            delivered += 1;
                        }
                        next += 1;
                    }
                }
            }
            counted += sources.greeted(&a, "1", next, None).missed;
            prop_assert_eq!(delivered + counted, next - 1);
        }
    }
}
