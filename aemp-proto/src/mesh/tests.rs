//! Tests of one mesh, of two meshes in a bad network, and of the deadlines that all tests rely on.

mod failures;
mod rules;
mod seeds;
mod sim;
mod strangers;
mod streams;

use super::{Mesh, Peers, Time};

impl<P: Peers> Mesh<P> {
    /// Returns the deadline, and checks it against a search of all entries.
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
