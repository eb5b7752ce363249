//! The arbiter: it decides which of several connections to one node completes.
//!
//! Each end of a connection writes its authentication line as soon as it has read the other's greeting. The *arbiter*
//! is an exception: it has at most one such line out for each peer at a time, and holds further connections to that
//! peer until the first is decided. A connection is up only when both lines have arrived, so the arbiter alone decides
//! which one completes. A reference node never holds back, so a node of this project is always the arbiter against one.
//! Between two nodes of this project (greeting key `arbiter=1`) the one with the lower node ID is.
//!
//! A node ID is a claim until it is proved. So that a silent stranger cannot block a node, the arbiter closes a
//! connection that holds the place without a proof within `connect_interval`, once another connection of that ID has
//! given its proof.
//!
//! # A connection with our own node ID
//!
//! The peer may be this node itself. Then its nonce belongs to one of this node's own handshakes, and one of the two
//! ends was dialled and the other accepted. A stranger can pass a greeting on as well, so both ends go on to the proofs
//! (`Handshake::meet_myself`). Only if both find the other's proof right are they one connection of this node with
//! itself. Otherwise another node uses the same ID, and this node does not become global because of it. To a third
//! node, two nodes with one ID look like one that reconnects before its loss is noticed. If that goes on for longer
//! than `monitor_timeout`, it is reported.

use std::time::Duration;

use aemp_codec::NodeId;

use crate::{Time, peer::ConnId};

/// True if this end chooses between several connections.
///
/// Reference nodes never hold their authentication line back, so this end has to choose. Between two nodes of this
/// project, the one with the lower ID chooses.
pub(super) fn we_arbitrate(own: &NodeId, other: &NodeId, other_arbitrates: bool) -> bool {
    !other_arbitrates || own < other
}

/// The connections to one node whose greetings have been exchanged, where this end chooses.
///
/// Only the holder has our authentication line, so no other connection can complete. Any peer can claim to be that node,
/// so a holder without a proof must make room for a connection with one.
#[derive(Debug, Default)]
pub(super) struct Arbiter {
    /// The connection that has our authentication line, and the time at which it got it.
    holder: Option<(ConnId, Time)>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    conn: ConnId,
    /// The time at which the peer's proof was verified.
    verified: Option<Time>,
}

impl Arbiter {
    pub(super) fn is_idle(&self) -> bool {
        self.holder.is_none() && self.waiting.is_empty()
    }

    /// Adds a connection that is ready for our authentication line. Returns true if the line may be sent at once.
    pub(super) fn request(&mut self, now: Time, conn: ConnId) -> bool {
        if self.holder.is_none() {
            self.holder = Some((conn, now));
            return true;
        }
        let verified = None;
        self.waiting.push(Waiting { conn, verified });
        false
    }

    /// Takes note that the peer of a connection has proved itself.
    pub(super) fn verified(&mut self, now: Time, conn: ConnId) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.conn == conn) {
            waiting.verified = Some(now);
        }
    }

    /// Removes a connection that has failed. Returns the connection that may continue instead.
    pub(super) fn leave(&mut self, now: Time, conn: ConnId) -> Option<ConnId> {
        self.waiting.retain(|waiting| waiting.conn != conn);
        if self.holder()? != conn {
            return None;
        }
        let next = self.first_verified().unwrap_or(0);
        let next = (next < self.waiting.len()).then(|| self.waiting.remove(next).conn);
        self.holder = next.map(|next| (next, now));
        next
    }

    fn holder(&self) -> Option<ConnId> {
        self.holder.map(|(conn, _)| conn)
    }

    /// Takes note that a connection has completed. Returns the others, which the caller closes.
    pub(super) fn complete(&mut self, conn: ConnId) -> Vec<ConnId> {
        let waiting = std::mem::take(&mut self.waiting);
        let others = self
            .holder
            .take()
            .map(|(conn, _)| conn)
            .into_iter()
            .chain(waiting.into_iter().map(|waiting| waiting.conn));
        others.filter(|&other| other != conn).collect()
    }

    /// The time at which the holder must make room.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Time> {
        let (_, since) = self.holder?;
        let verified = self.waiting.iter().filter_map(|waiting| waiting.verified);
        // Each holder gets the full time, however long others have waited.
        verified.min().map(|first| first.max(since) + patience)
    }

    /// The holder, if it must make room now.
    pub(super) fn overdue(&self, now: Time, patience: Duration) -> Option<ConnId> {
        self.holder().filter(|_| {
            self.deadline(patience)
                .is_some_and(|deadline| deadline <= now)
        })
    }

    fn first_verified(&self) -> Option<usize> {
        self.waiting
            .iter()
            .position(|waiting| waiting.verified.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn at(seconds: u64) -> Time {
        Time::from(Duration::from_secs(seconds))
    }

    #[test]
    fn both_ends_agree_on_the_arbiter() {
        let (a, b) = (NodeId::new("a").unwrap(), NodeId::new("b").unwrap());
        assert!(we_arbitrate(&a, &b, true) && !we_arbitrate(&b, &a, true));
        assert!(we_arbitrate(&a, &b, false) && we_arbitrate(&b, &a, false));
    }

    #[test]
    fn one_at_a_time_in_order() {
        let mut arbiter = Arbiter::default();
        assert!(arbiter.request(at(0), ConnId(1)));
        assert!(!arbiter.request(at(0), ConnId(2)));
        assert!(!arbiter.request(at(0), ConnId(3)));
        assert_eq!(arbiter.leave(at(3), ConnId(2)), None);
        assert_eq!(arbiter.leave(at(3), ConnId(1)), Some(ConnId(3)));
        assert_eq!(arbiter.leave(at(3), ConnId(3)), None);
        assert!(arbiter.is_idle());
    }

    #[test]
    fn a_proved_connection_goes_first() {
        let mut arbiter = Arbiter::default();
        for conn in 1..=3 {
            arbiter.request(at(0), ConnId(conn));
        }
        assert_eq!(arbiter.overdue(at(9), PATIENCE), None);
        arbiter.verified(at(1), ConnId(3));
        assert_eq!(arbiter.deadline(PATIENCE), Some(at(3)));
        assert_eq!(arbiter.overdue(at(2), PATIENCE), None);
        assert_eq!(arbiter.overdue(at(3), PATIENCE), Some(ConnId(1)));
        assert_eq!(arbiter.leave(at(3), ConnId(1)), Some(ConnId(3)));
        arbiter.verified(at(1), ConnId(2));
        assert_eq!(
            arbiter.overdue(at(4), PATIENCE),
            None,
            "it has its time too"
        );
        assert_eq!(arbiter.overdue(at(5), PATIENCE), Some(ConnId(3)));
    }

    #[test]
    fn when_one_completes_the_others_go() {
        let mut arbiter = Arbiter::default();
        for conn in 1..=3 {
            arbiter.request(at(0), ConnId(conn));
        }
        assert_eq!(arbiter.complete(ConnId(1)), [ConnId(2), ConnId(3)]);
        assert!(arbiter.is_idle());
    }
}
