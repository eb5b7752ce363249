//! One mesh, two in a bad network, and a check of what all tests rely on.

mod failures;
mod rules;
mod seeds;
mod sim;
mod strangers;

use super::{Mesh, Peers, Time};

impl<P: Peers> Mesh<P> {
    /// The deadline, as it is found without looking at everything, and as it is found by looking at everything.
    pub(crate) fn checked_deadline(&self) -> Option<Time> {
        let patience = self.config.connect_interval;
        let conns = self.conns.iter().map(|(_, conn)| conn.phase.deadline());
        let nodes = self.nodes.iter().map(|(_, node)| node.deadline(patience));
        let others = [self.seeds.deadline(), self.global.deadline()];
        let others = others.into_iter().filter(|_| !self.stopped);
        let scanned = conns.chain(nodes).chain(others).flatten().min();
        assert_eq!(self.deadline(), scanned);
        scanned
    }
}
