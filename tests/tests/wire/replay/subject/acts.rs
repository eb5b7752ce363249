//! The actions of the recorded node's user.

use aemp_codec::NodeId;
use aemp_proto::{
    global::WatchId,
    mesh::Peers,
    peer::{MonitorId, Urge},
};
use serde_json::Value as Json;

use super::Subject;
use crate::replay::{
    script::Act,
    told::{Watching, value},
};

impl Subject {
    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::Set(family, key, json) => self.mesh.db_set(self.now, family, key, value(json)),
            Act::Del(family, key) => self.mesh.db_del(self.now, family, [&**key]),
            Act::Watch(label, family) => self.watch(label, family),
            Act::Unwatch(label) => {
                let gone = |id: &WatchId| self.watches[id].label == *label;
                let id = *self.watches.keys().find(|id| gone(id)).unwrap();
                self.mesh.db_unwatch(self.now, id);
            }
            Act::Query(query, family) => {
                self.mesh.db_query(self.now, *query, family);
            }
            Act::Send(node, port, message) => self.send(node, port, message),
            Act::Monitor(node, port) => self.monitor(node, port),
        }
        self.settle();
    }

    fn watch(&mut self, label: &str, family: &str) {
        let id = self.mesh.db_watch(self.now, family);
        let label = label.into();
        let states = Vec::new();
        self.watches.insert(id, Watching { label, states });
    }

    fn send(&mut self, node: &str, port: &str, message: &Json) {
        let node = NodeId::new(node).unwrap();
        let message = message.as_array().unwrap();
        let urge = self.mesh.peers().with(&node, |peer| {
            peer.send(port, |packet| {
                message.iter().try_for_each(|part| packet.arg(part))
            })
        });
        self.heed(&node, urge.unwrap());
    }

    fn monitor(&mut self, node: &str, port: &str) {
        let node = NodeId::new(node).unwrap();
        self.last_monitor += 1;
        let monitor = MonitorId(self.last_monitor);
        let urge = self
            .mesh
            .peers()
            .with(&node, |peer| peer.monitor(port, monitor));
        self.heed(&node, urge);
    }

    fn heed(&mut self, node: &NodeId, urge: Urge) {
        match urge {
            Urge::Connect => self.mesh.connect(self.now, node),
            Urge::Overflow => panic!("{node} overflows"),
            Urge::None | Urge::Write => {}
        }
    }
}
