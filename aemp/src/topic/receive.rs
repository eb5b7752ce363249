//! The receiving half of a topic at one node with subscribers: its inlet, and the entry of the inlet.
//!
//! A new inlet is made when there is a subscriber again, because the end of the old one tells publishers that they need
//! not send. An inlet that a flood of messages or a kill has ended is replaced, and the subscribers are told.

use std::collections::BTreeMap;

use aemp_codec::{NodeId, PortId};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::{
    News,
    wire::{self, Incoming},
};
use crate::{Monitor, Node, UntypedMsg, db::DbGuard, port::Handle};

pub(super) struct Receiving {
    node: Node,
    inlet: Handle<UntypedMsg>,
    pub(super) messages: mpsc::Receiver<Incoming>,
    /// `None` if the node could not set it.
    _entry: Option<DbGuard>,
    /// Reports the death of the inlet.
    _monitor: Monitor,
    /// The publishing nodes, whose losses are reported, by the number of their monitors.
    publishers: BTreeMap<NodeId, (u64, Monitor)>,
    last: u64,
}

impl Receiving {
    pub(super) fn new(node: &Node, family: &str, news: &UnboundedSender<News>) -> Self {
        let (inlet, messages) = wire::inlet(node);
        let (tell, id) = (news.clone(), inlet.id());
        let monitor = inlet.monitor(move |_| drop(tell.send(News::InletDied(id))));
        // The value is the version of the messages.
        let entry = node.db_set(family, inlet.id().as_str(), 1);
        Self {
            node: node.clone(),
            inlet,
            messages,
            _entry: entry.ok().map(crate::db::DbEntry::guard),
            _monitor: monitor,
            publishers: BTreeMap::new(),
            last: 0,
        }
    }

    pub(super) fn inlet(&self) -> PortId {
        self.inlet.id()
    }

    /// Has the loss of a publishing node reported, once.
    pub(super) fn watch(&mut self, publisher: &NodeId, news: &UnboundedSender<News>) {
        if publisher == self.node.id() || self.publishers.contains_key(publisher) {
            return;
        }
        self.last += 1;
        let (number, tell, lost) = (self.last, news.clone(), publisher.clone());
        let monitor = self.node.mon(&PortId::from(publisher.clone()), move |_| {
            let _ = tell.send(News::NodeLost(lost, number));
        });
        self.publishers.insert(publisher.clone(), (number, monitor));
    }

    /// A monitor has reported the loss of a node. Returns false if it is not the present one.
    pub(super) fn is_lost(&mut self, publisher: &NodeId, number: u64) -> bool {
        let is_present = self
            .publishers
            .get(publisher)
            .is_some_and(|(present, _)| *present == number);
        if is_present {
            self.publishers.remove(publisher);
        }
        is_present
    }

    /// The losses of a node are of no interest any more.
    pub(super) fn unwatch(&mut self, publisher: &NodeId) {
        self.publishers.remove(publisher);
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.node.kil(&self.inlet.id(), ());
    }
}
