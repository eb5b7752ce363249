//! Requests of another node for room in ports of this one.
//!
//! A question that cannot be answered yet waits in a task: one for each node and port, at most 1000 for a node. Beyond
//! that number one message is granted at once.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, Weak},
};

use aemp_codec::NodeId;
use tokio::time::Instant;

use super::{Peer, credit::Ask};
use crate::{
    Node, guard,
    lock::Lock,
    node::task::{Ending, owned},
    port::{
        any::AnyPort,
        credit::{Asking, GOOD_FOR, Room},
    },
};
use aemp_proto::request::CREDIT;

/// The number of ports of this node that one other may wait for. Beyond that, one message is granted at once.
const MOST_WAITING: usize = 1000;

/// The requests that wait for room, by the names of the ports. A task waits for each. A request outlives its
/// connection, so that a node that reconnects again and again does not add tasks.
#[derive(Default)]
pub(super) struct Grants(Lock<HashMap<Box<str>, Ask>>);

impl Grants {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Ask>> {
        self.0.lock()
    }
}

impl Peer {
    /// Handles a request for room in a port of this node. Earlier messages of the node are in the port's queue by now.
    pub(crate) fn grant(self: &Arc<Self>, node: &Node, name: &str, ask: Ask, left: u64) {
        let Some(port) = node.find(name) else {
            // There is no such port, and messages to it vanish.
            return self.answer(name, ask, None);
        };
        let mut waiting = self.grants.lock();
        if let Some(before) = waiting.get_mut(name) {
            *before = ask;
            return;
        }
        let asking = Asking::First {
            left: usize::try_from(left).unwrap_or(usize::MAX),
            may_wait: waiting.len() < MOST_WAITING,
        };
        let messages = match port.room_for(&self.id, asking, Instant::now()) {
            Room::Open => None,
            Room::Free(messages) => Some(messages),
            Room::Full(line) => {
                waiting.insert(name.into(), ask);
                drop(waiting);
                // The node has given back a part of its promise, which other nodes may have now.
                guard::shielded(|| line.nodes.notify_waiters());
                return self.grant_later(node, name.into(), Arc::downgrade(&port));
            }
        };
        drop(waiting);
        self.answer(name, ask, messages);
    }

    fn grant_later(self: &Arc<Self>, node: &Node, name: Box<str>, port: Weak<dyn AnyPort>) {
        let (peer, owner, port_name) = (Arc::clone(self), Arc::clone(self), name.clone());
        let task = async move {
            let messages = room_in(&port, &peer.id).await;
            let ask = peer.grants.lock().remove(&name);
            if let Some(ask) = ask {
                peer.answer(&name, ask, messages);
            }
        };
        node.scheduler().spawn(owned(task, move |ending| {
            if ending != Ending::Returned {
                owner.grants.lock().remove(&port_name);
            }
        }));
    }

    fn answer(&self, name: &str, ask: Ask, messages: Option<usize>) {
        let sent = self.send_over(ask.conn, |out| {
            out.str(CREDIT)?;
            out.str(name)?;
            out.arg(&ask.token)?;
            messages.iter().try_for_each(|messages| out.arg(messages))
        });
        self.check_credit(ask.conn, sent);
    }
}

/// Ready when a port has room for messages of a node, or has died. `None` means any number.
async fn room_in(port: &Weak<dyn AnyPort>, node: &NodeId) -> Option<usize> {
    loop {
        let found = port.upgrade()?;
        let line = match found.room_for(node, Asking::Again, Instant::now()) {
            Room::Open => return None,
            Room::Free(messages) => return Some(messages),
            Room::Full(line) => line,
        };
        // The waiter is registered before the port is asked again, so that no notification is missed.
        let notified = line.nodes.notified();
        match found.room_for(node, Asking::Again, Instant::now()) {
            Room::Open => return None,
            Room::Free(messages) => return Some(messages),
            Room::Full(_) => drop(found),
        }
        // The end of a promise to another node is not notified.
        let _ = tokio::time::timeout(GOOD_FOR, notified).await;
    }
}
