//! A port without its type, as the table, the scheduler, monitors and links see it.

use std::{any::Any, sync::Arc};

use aemp_codec::{DecodeError, NodeId, PacketReader};
use tokio::time::Instant;

use super::{
    credit::{Asking, Room},
    extras::{Extras, Job},
    monitor::Action,
    queue::Pushed,
};
use crate::{
    Node, Reason,
    exec::{
        drainer::Turn,
        pace::{Manner, Pace, Record},
    },
    guard,
};

pub(crate) trait AnyPort: Send + Sync {
    fn node(&self) -> &Node;
    fn number(&self) -> u64;

    /// Handles what is queued. To be called by whoever owns the work (see `scheduler`).
    fn run(self: Arc<Self>, turn: &mut Turn<'_>);

    /// How quick it has shown to be.
    fn pace(&self) -> &Pace;

    /// How quick its handlers have shown to be, in all ports of its type.
    fn record(&self) -> &'static Record;

    /// Where it is to be run.
    fn manner(&self) -> Manner {
        Manner::Unknown
    }

    /// True if that handler may run on somebody else's task.
    fn trusts(&self, _handler: u32) -> bool {
        false
    }

    /// The name of a handler, for people.
    fn handler_name(&self, handler: u32) -> &'static str;

    /// Ends the port here and now, whoever is running it: what that one has in hand is dropped when it comes back with it. No lock
    /// may be held.
    fn perish(self: Arc<Self>, reason: &Reason);

    /// Queues a kill, in order with what the caller sent before.
    fn kill(&self, reason: Reason) -> Pushed;

    /// Queues code to run in the port's context.
    fn job(&self, job: Job) -> Pushed;

    /// Decodes a message and queues it. An error is one of syntax, hence the connection's fault; a message that
    /// the port does not understand kills the port.
    fn deliver(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError>;

    /// Changes the port's extras under its lock; `None` if it is dying or dead.
    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()>;

    /// Adds a monitor, also to a port that is dying; one that is dead hands it back.
    fn add_monitor(&self, action: Action) -> Result<u64, Action>;

    /// Takes a monitor back, if it has not fired: from now on it does not.
    fn take_monitor(&self, id: u64) -> Option<Action>;

    /// The reason, once it is dying or dead.
    fn died(&self) -> Option<Reason>;

    /// The reason, as long as it is dying.
    fn dying(&self) -> Option<Reason>;

    /// How many messages wait.
    fn queue_len(&self) -> usize;

    /// What it is, for people: the type of its state.
    fn type_name(&self) -> &'static str;

    /// Whether it is one that waits for the answer of a call.
    fn takes_answers(&self) -> bool {
        false
    }

    /// How many messages the senders of another node may send it, if there is room in its bound. So many are promised to them.
    fn room_for(&self, _node: &NodeId, _asking: Asking, _now: Instant) -> Room {
        Room::Open
    }

    /// How much waits for it, and who waits for its end; `None` if it is dying or dead.
    fn counts(&self) -> Option<Counts>;

    /// The name that the spawning node gave it, if another node did.
    fn spawned_name(&self) -> Option<Box<str>> {
        None
    }

    /// Stores itself into an `Option<Arc<dyn LocalPort<M>>>` if `M` is what it takes; see [`typed`].
    fn typed(self: Arc<Self>, into: &mut dyn Any);
}

/// What can be counted of a port without disturbing it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Messages that wait in its queue, without those that it has taken in hand already.
    pub(crate) queued: usize,
    pub(crate) monitors: usize,
}

impl dyn AnyPort + '_ {
    /// Calls `change` once with the port's extras and returns what it returned; `None` if the port is dead.
    pub(crate) fn extras<R>(&self, change: impl FnOnce(&mut Extras) -> R) -> Option<R> {
        let mut change = Some(change);
        let mut result = None;
        self.with_extras(&mut |extras| {
            if let Some(change) = change.take() {
                result = Some(change(extras));
            }
        });
        result
    }

    /// Adds a monitor. If the port is dead, the monitor fires at once.
    pub(crate) fn monitor(&self, action: Action) -> Option<u64> {
        match self.add_monitor(action) {
            Ok(id) => Some(id),
            Err(action) => {
                super::absent::fire(action, self.epitaph(), self.node());
                None
            }
        }
    }

    /// Removes a monitor; one that has fired is gone already.
    pub(crate) fn unmonitor(&self, id: u64) {
        // What the action holds is the user's: it is dropped outside of the port's lock.
        guard::discard(self.take_monitor(id));
    }

    /// What somebody hears who comes too late: the reason as long as the port is dying, or if it has just failed to be
    /// spawned; afterwards that there is no such port, as the reference has it.
    pub(crate) fn epitaph(&self) -> Reason {
        self.dying()
            .unwrap_or_else(|| self.node().epitaph(&self.port_id()))
    }

    pub(crate) fn port_id(&self) -> aemp_codec::PortId {
        self.node().local_port_id(self)
    }
}

/// A port that takes messages of type `M`.
pub(crate) trait LocalPort<M>: AnyPort {
    fn push(&self, message: M) -> Pushed;

    /// Whether a message would fit into the port's bound now; a dead port has room for everything.
    fn has_room(&self) -> bool;

    /// Queues the message if the port's bound allows it, or hands it back with what tells of room.
    fn try_push(&self, message: M) -> Result<Pushed, (M, Arc<tokio::sync::Notify>)>;
}

/// The port as one that takes `M`, if that is what it takes.
pub(crate) fn typed<M: 'static>(port: Arc<dyn AnyPort>) -> Option<Arc<dyn LocalPort<M>>> {
    let mut typed: Option<Arc<dyn LocalPort<M>>> = None;
    port.typed(&mut typed);
    typed
}

/// The `Arc` behind a context, without its type.
pub(crate) trait PortArc: Sync {
    fn arc(&self) -> Arc<dyn AnyPort>;
    fn port(&self) -> &dyn AnyPort;
}

impl<T: AnyPort + 'static> PortArc for Arc<T> {
    fn arc(&self) -> Arc<dyn AnyPort> {
        Self::clone(self)
    }

    fn port(&self) -> &dyn AnyPort {
        &**self
    }
}
