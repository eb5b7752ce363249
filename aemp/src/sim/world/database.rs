//! The distributed database of a world, seen from outside.

use aemp_codec::{NodeId, Value};

use super::{Member, World, core::Core, machine::Machine};
use aemp_proto::global::{Query, QueryId, WatchId};

impl World {
    /// Sets a key of a family on behalf of a node. Does nothing if the node is not running. The names are not checked.
    pub fn db_set(&mut self, member: Member, family: &str, key: &str, value: Value) {
        self.work(member, |machine, core| {
            machine.mesh.db_set(core.now, family, key, value);
        });
    }

    /// Deletes a key of a family on behalf of a node, if the node has set it.
    pub fn db_del(&mut self, member: Member, family: &str, key: &str) {
        self.work(member, |machine, core| {
            machine.mesh.db_del(core.now, family, [key]);
        });
    }

    /// Makes a node watch a family. [`Observation::Watched`](super::Observation::Watched) reports its events. Returns
    /// `None` if the node is not running.
    pub fn db_watch(&mut self, member: Member, family: &str) -> Option<WatchId> {
        self.ask(member, |machine, core| {
            machine.mesh.db_watch(core.now, family)
        })
    }

    /// Ends a watch.
    pub fn db_unwatch(&mut self, member: Member, watch: WatchId) {
        self.work(member, |machine, core| {
            machine.mesh.db_unwatch(core.now, watch);
        });
    }

    /// Makes a node ask for the content of a family. [`Observation::Answered`](super::Observation::Answered) reports
    /// the answer. Returns `None` if the node is not running.
    pub fn db_query(&mut self, member: Member, kind: Query, family: &str) -> Option<QueryId> {
        self.ask(member, |machine, core| {
            machine.mesh.db_query(core.now, kind, family)
        })
    }
}

impl Machine {
    /// Reports to the mesh that everything that was queued for a node has been written, if the mesh has asked.
    pub(super) fn all_written(&mut self, core: &Core, node: &NodeId) -> bool {
        let wanted = self.tell_written.remove(node);
        if wanted {
            self.mesh.written(core.now, node);
        }
        wanted
    }
}
