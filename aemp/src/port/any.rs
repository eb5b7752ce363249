//! A port without its type, for the table, the scheduler, monitors and links.

use std::{
    any::{Any, TypeId},
    sync::Arc,
};

use aemp_codec::{DecodeError, NodeId, PacketReader};
use tokio::time::Instant;

use super::{
    credit::{Asking, Room},
    extras::{Act, Extras, Job},
    idle::Passive,
    line::Line,
    monitor::Action,
    queue::{Behind, Pushed},
};
use crate::{
    Node, Reason,
    exec::{
        circle::Asker,
        drainer::Turn,
        pace::{Manner, Pace, Record},
    },
    guard,
};

pub(crate) trait AnyPort: Send + Sync {
    fn node(&self) -> &Node;
    fn number(&self) -> u64;

    /// The port itself, where this is only a holder of it. Code that keeps a port without holding it takes this.
    fn core(self: Arc<Self>) -> Arc<dyn AnyPort>;

    /// Handles the queued messages. Only the owner of the work may call it (see `scheduler`).
    fn run(self: Arc<Self>, turn: &mut Turn<'_>);

    /// The speed that the port has shown.
    fn pace(&self) -> &Pace;

    /// The speed that the handlers of this port type have shown.
    fn record(&self) -> &'static Record;

    /// The number of the port's type, for counts.
    fn tally_number(&self) -> u32;

    /// The way in which the port is to be run.
    fn manner(&self) -> Manner {
        Manner::Unknown
    }

    /// True if this handler may run on another task, such as that of a caller.
    fn trusts(&self, _handler: u32) -> bool {
        false
    }

    /// True if a call of this handler is answered by the handler's result, and by nothing else.
    fn returns(&self, _handler: u32) -> bool {
        false
    }

    /// Asks the waiting handler for its waits. Returns its number, or nothing if there is none to be asked.
    fn ask(&self, _asker: Asker) -> Option<u32> {
        None
    }

    /// The name of a handler, for display.
    fn handler_name(&self, handler: u32) -> &'static str;

    /// Ends the port at once, even while it runs: the batch in hand is dropped when the run ends. The caller must
    /// hold no lock.
    fn perish(self: Arc<Self>, reason: &Reason);

    /// Queues a kill, in order with the caller's messages.
    fn kill(&self, reason: Reason) -> Pushed;

    /// Queues a normal end. Unlike a kill, it cancels no handler.
    fn stop(&self) -> Pushed {
        self.kill(Reason::normal())
    }

    /// Ends the port as soon as the running handler waits or returns. The queue is dropped.
    fn cut(&self, reason: Reason) -> Pushed {
        self.kill(reason)
    }

    /// Queues a normal end if the port has been idle for its idle time, which this task of it watches.
    fn end_if_idle(&self, _task: u64, _now: Instant) -> Passive {
        Passive::Never
    }

    /// Queues code to run in the port's context.
    fn job(&self, job: Job) -> Pushed;

    /// Queues code to run in the port's context with its state.
    fn act(&self, act: Act) -> Pushed {
        guard::discard(act);
        Pushed::Dead
    }

    /// The type of its state.
    fn state_type(&self) -> Option<TypeId> {
        None
    }

    /// Decodes a message and queues it. An error is one of syntax, and therefore the fault of the connection. A
    /// message that the port does not understand kills the port.
    fn deliver(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError>;

    /// Changes the port's extras under its lock; `None` if it is dying or dead.
    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()>;

    /// Adds a monitor, also to a dying port. A dead port returns the action.
    fn add_monitor(&self, action: Action) -> Result<u64, Action>;

    /// Removes a monitor that has not fired, so that it will not fire.
    fn take_monitor(&self, id: u64) -> Option<Action>;

    /// The reason, if the port is dying or dead, or has been stopped.
    fn died(&self) -> Option<Reason>;

    /// True if [`died`](Self::died) has a reason. It takes no lock where it can do without.
    fn has_ended(&self) -> bool {
        self.died().is_some()
    }

    /// True if a kill or a stop is known to be queued, or the port is dying or dead.
    fn is_ending(&self) -> bool {
        self.died().is_some()
    }

    /// The number of queued messages.
    fn queue_len(&self) -> usize;

    /// The number of messages that the port has not handled. Also counts those that its worker has in hand, if they are
    /// many.
    fn behind(&self) -> Behind {
        Behind {
            waiting: self.queue_len(),
            handled: 0,
        }
    }

    /// The name of the type of its state, for display.
    fn type_name(&self) -> &'static str;

    /// True if it is a reply port, which waits for the answer of a call.
    fn takes_answers(&self) -> bool {
        false
    }

    /// The number of messages that senders of another node may send now, within its bound. This number is promised to
    /// that node.
    fn room_for(&self, _node: &NodeId, _asking: Asking, _now: Instant) -> Room {
        Room::Open
    }

    /// Its queue length and its number of monitors; `None` if it is dying or dead.
    fn counts(&self) -> Option<Counts>;

    /// The name that the spawning node gave it, if another node spawned it.
    fn spawned_name(&self) -> Option<Box<str>> {
        None
    }

    /// Stores itself into an `Option<Arc<dyn LocalPort<M>>>` if its message type is `M`; see [`typed`].
    fn typed(self: Arc<Self>, into: &mut dyn Any);
}

/// The figures of a port that can be read without disturbing it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// The messages in its queue, without the batch that it is handling.
    pub(crate) queued: usize,
    pub(crate) monitors: usize,
    /// True if an async handler waits, and can be asked for its calls.
    pub(crate) waits: bool,
}

impl dyn AnyPort + '_ {
    /// Calls `change` once with the port's extras and returns its result; `None` if the port is dead.
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

    /// True if its state is of this type.
    pub(crate) fn is_of<P: 'static>(&self) -> bool {
        self.state_type() == Some(TypeId::of::<P>())
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

    /// Removes a monitor, if it has not fired.
    pub(crate) fn unmonitor(&self, id: u64) {
        // The action holds values of the user, so it is dropped outside of the port's lock.
        guard::discard(self.take_monitor(id));
    }

    /// The reason for a monitor or a call that comes too late: the port's own reason. The holder of a port keeps its cell,
    /// and the cell keeps the reason.
    pub(crate) fn epitaph(&self) -> Reason {
        self.died()
            .unwrap_or_else(|| self.node().epitaph(&self.port_id()))
    }

    pub(crate) fn port_id(&self) -> aemp_codec::PortId {
        self.node().local_port_id(self)
    }
}

/// A port that accepts messages of type `M`.
pub(crate) trait LocalPort<M>: AnyPort {
    fn push(&self, message: M) -> Pushed;

    /// True if the port's bound allows a message now. A dead port has room for every message.
    fn has_room(&self) -> bool;

    /// Queues the message if the port's bound allows it. Otherwise returns it, with the line to wait in.
    fn try_push(&self, message: M) -> Result<Pushed, (M, Arc<Line>)>;
}

/// The port with its message type, if that is `M`.
pub(crate) fn typed<M: 'static>(port: Arc<dyn AnyPort>) -> Option<Arc<dyn LocalPort<M>>> {
    let mut typed: Option<Arc<dyn LocalPort<M>>> = None;
    port.typed(&mut typed);
    typed
}

/// The `Arc` of the port behind a context, without its type.
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
