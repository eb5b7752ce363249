//! The sessions of a relay.

use std::collections::{BTreeMap, BTreeSet};

use aemp_codec::NodeId;

use super::{MOST_SESSIONS, WINDOW, frame::Act};

/// All sessions that this node passes on.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    sessions: BTreeMap<u64, Session>,
    of: BTreeMap<NodeId, BTreeSet<u64>>,
    last: u64,
}

/// A session between two connected nodes: the caller and the called.
#[derive(Debug)]
struct Session {
    ends: [NodeId; 2],
    /// The octets that each end has sent, and the other has not read yet.
    in_flight: [usize; 2],
    /// True for an end that sends no more octets.
    closed: [bool; 2],
}

/// The consequence of an act.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The session has ended before, or was never this node's.
    Not,
    /// The other end is told.
    To(NodeId, Act),
    /// The end breaks the rules: the session is over.
    Broken([NodeId; 2]),
}

impl Exchange {
    /// Opens a session between two nodes. Returns `None` if one of them has as many as it may.
    pub(crate) fn open(&mut self, from: &NodeId, to: &NodeId) -> Option<u64> {
        if self.len_of(from).max(self.len_of(to)) >= MOST_SESSIONS {
            return None;
        }
        self.last += 1;
        let ends = [from.clone(), to.clone()];
        for end in &ends {
            self.of.entry(end.clone()).or_default().insert(self.last);
        }
        let session = Session {
            ends,
            in_flight: [0; 2],
            closed: [false; 2],
        };
        self.sessions.insert(self.last, session);
        Some(self.last)
    }

    /// Takes an act of one end of a session.
    pub(crate) fn pass(&mut self, from: &NodeId, number: u64, act: Act) -> Passed {
        let Some(session) = self.sessions.get_mut(&number) else {
            return Passed::Not;
        };
        let Some(side) = session.ends.iter().position(|end| end == from) else {
            return Passed::Not;
        };
        let to = session.ends[1 - side].clone();
        match act {
            Act::Data(_) => {
                session.in_flight[side] += act.octets();
                if session.in_flight[side] > WINDOW || session.closed[side] {
                    return self.end(number).map_or(Passed::Not, Passed::Broken);
                }
            }
            Act::Room(count) => {
                let sent = &mut session.in_flight[1 - side];
                if count > *sent {
                    return self.end(number).map_or(Passed::Not, Passed::Broken);
                }
                *sent -= count;
            }
            Act::End(ref text) => {
                session.closed[side] = true;
                if !text.is_empty() || session.closed[1 - side] {
                    self.end(number);
                }
            }
        }
        Passed::To(to, act)
    }

    /// Ends a session. Returns its ends.
    pub(crate) fn end(&mut self, number: u64) -> Option<[NodeId; 2]> {
        let session = self.sessions.remove(&number)?;
        for end in &session.ends {
            if let Some(sessions) = self.of.get_mut(end) {
                sessions.remove(&number);
                if sessions.is_empty() {
                    self.of.remove(end);
                }
            }
        }
        Some(session.ends)
    }

    /// Ends the sessions of a node that is lost. Returns their numbers and their other ends.
    pub(crate) fn lost(&mut self, node: &NodeId) -> Vec<(u64, NodeId)> {
        let sessions = self.of.get(node).cloned().unwrap_or_default();
        let ended = sessions.into_iter().filter_map(|number| {
            let [caller, called] = self.end(number)?;
            let other = if caller == *node { called } else { caller };
            Some((number, other))
        });
        ended.collect()
    }

    fn len_of(&self, node: &NodeId) -> usize {
        self.of.get(node).map_or(0, BTreeSet::len)
    }

    /// The number of sessions.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn data(count: usize) -> Act {
        Act::Data(vec![0; count])
    }

    #[test]
    fn acts_go_to_the_other_end_until_the_session_ends() {
        let (a, b, c) = (node("a"), node("b"), node("c"));
        let mut exchange = Exchange::default();
        let session = exchange.open(&a, &b).unwrap();
        assert_eq!(
            exchange.pass(&a, session, data(3)),
            Passed::To(b.clone(), data(3))
        );
        assert_eq!(
            exchange.pass(&b, session, data(4)),
            Passed::To(a.clone(), data(4))
        );
        assert_eq!(exchange.pass(&c, session, data(5)), Passed::Not);
        let end = || Act::End("over".into());
        assert_eq!(
            exchange.pass(&b, session, end()),
            Passed::To(a.clone(), end())
        );
        assert_eq!(exchange.pass(&a, session, data(3)), Passed::Not);
        assert_eq!((exchange.len(), exchange.of.len()), (0, 0));
        let session = exchange.open(&a, &b).unwrap();
        let close = || Act::End(String::new());
        assert_eq!(
            exchange.pass(&a, session, close()),
            Passed::To(b.clone(), close())
        );
        assert_eq!(
            exchange.pass(&b, session, data(4)),
            Passed::To(a.clone(), data(4))
        );
        exchange.pass(&b, session, close());
        assert_eq!((exchange.len(), exchange.of.len()), (0, 0));
        assert_eq!(
            exchange.open(&a, &b),
            Some(session + 1),
            "no number is used twice"
        );
    }

    #[test]
    fn an_end_that_sends_more_than_it_may_ends_the_session() {
        let (a, b) = (node("a"), node("b"));
        let mut exchange = Exchange::default();
        let session = exchange.open(&a, &b).unwrap();
        exchange.pass(&a, session, data(WINDOW));
        assert!(matches!(
            exchange.pass(&b, session, Act::Room(10)),
            Passed::To(..)
        ));
        assert!(matches!(
            exchange.pass(&a, session, data(10)),
            Passed::To(..)
        ));
        let broken = Passed::Broken([a.clone(), b.clone()]);
        assert_eq!(exchange.pass(&a, session, data(1)), broken);
        let session = exchange.open(&a, &b).unwrap();
        exchange.pass(&a, session, data(10));
        assert_eq!(exchange.pass(&b, session, Act::Room(11)), broken);
        assert_eq!(exchange.len(), 0);
    }

    #[test]
    fn a_lost_node_has_no_sessions() {
        let (a, b, c) = (node("a"), node("b"), node("c"));
        let mut exchange = Exchange::default();
        let [one, other] = [
            exchange.open(&a, &b).unwrap(),
            exchange.open(&c, &a).unwrap(),
        ];
        let kept = exchange.open(&b, &c).unwrap();
        let lost = exchange.lost(&a);
        assert_eq!(lost, [(one, b.clone()), (other, c)]);
        assert_eq!(exchange.len(), 1);
        assert!(matches!(exchange.pass(&b, kept, data(1)), Passed::To(..)));
    }

    #[test]
    fn a_node_has_a_limited_number_of_sessions() {
        let (a, b, c) = (node("a"), node("b"), node("c"));
        let mut exchange = Exchange::default();
        for _ in 0..MOST_SESSIONS {
            exchange.open(&a, &b).unwrap();
        }
        assert_eq!(exchange.open(&a, &c), None);
        assert_eq!(exchange.open(&c, &b), None);
        exchange.lost(&a);
        assert!(exchange.open(&c, &b).is_some());
    }
}
