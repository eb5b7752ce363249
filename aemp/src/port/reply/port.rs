//! The caller's end of a call that leaves the process, or is encoded: a port for one answer.

use std::{
    any::Any,
    fmt,
    sync::{Arc, MutexGuard, OnceLock},
};

use aemp_codec::{DecodeError, NodeId, PacketReader, PortId};
use tokio::time::Instant;

use crate::{
    CallError, Node, Reason,
    exec::{
        drainer::Turn,
        pace::{Pace, Record},
        tally,
    },
    lock::Lock,
    node::{life::NODE_STOPPED, names},
    port::{
        any::{AnyPort, Counts},
        extras::{Extras, Job},
        monitor::Action,
        queue::Pushed,
        slot::{Outcome, Raw, Read, Slot},
    },
};

/// A port that waits for one answer. It lives until the answer has come or the caller no longer waits.
struct ReplyPort<T> {
    node: Node,
    number: u64,
    read: Read<T>,
    open: Lock<Option<Open<T>>>,
}

struct Open<T> {
    slot: Arc<Slot<T>>,
    /// Present if the answering node monitors the port, to know whether the answer is still wanted.
    extras: Option<Box<Extras>>,
}

impl<T> ReplyPort<T> {
    /// Ends the port. The caller gets the outcome, and monitors of the port get the reason.
    fn finish(&self, outcome: Outcome<T>, reason: &Reason) {
        let taken = self.open().take();
        let Some(Open { slot, extras }) = taken else {
            crate::guard::discard(outcome);
            return;
        };
        let _own = self.node.take_number(self.number);
        slot.set(outcome);
        if let Some(mut extras) = extras {
            let monitors = std::mem::take(&mut extras.monitors);
            extras.end(reason);
            monitors
                .into_iter()
                .for_each(|(_, action)| action.fire(reason));
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Open<T>>> {
        self.open.lock()
    }
}

/// Keeps a reply port open. Dropping it closes the port.
pub(crate) struct LocalReply {
    node: Node,
    number: u64,
}

impl LocalReply {
    pub(crate) fn open<T: Send + 'static>(node: &Node, slot: Arc<Slot<T>>, read: Read<T>) -> Self {
        let port = node.insert(|number| {
            Arc::new(ReplyPort {
                node: node.clone(),
                number,
                read,
                open: Lock::new(Some(Open { slot, extras: None })),
            })
        });
        Self {
            node: node.clone(),
            number: port.number,
        }
    }

    pub(crate) fn id(&self) -> PortId {
        self.node.reply_port_id(self.number)
    }

    /// The ID for the called port. With `limited`, it says how long the call still waits, if that is limited.
    pub(crate) fn id_for<T>(&self, slot: &Slot<T>, limited: bool) -> PortId {
        match slot.deadline().filter(|_| limited) {
            Some(deadline) => names::with_limit(&self.id(), deadline - Instant::now()),
            None => self.id(),
        }
    }

    /// Closes the port. Returns true if no answer had come yet.
    pub(crate) fn close(&self) -> bool {
        let open = self.node.take_number(self.number);
        if let Some(port) = &open {
            port.kill(Reason::normal());
        }
        open.is_some()
    }
}

impl Drop for LocalReply {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for LocalReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalReply({})", self.id())
    }
}

impl<T: Send + 'static> AnyPort for ReplyPort<T> {
    fn node(&self) -> &Node {
        &self.node
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn core(self: Arc<Self>) -> Arc<dyn AnyPort> {
        self
    }

    fn run(self: Arc<Self>, _turn: &mut Turn<'_>) {}

    fn pace(&self) -> &Pace {
        // A reply port is never run, so all share one value.
        static PACE: OnceLock<Pace> = OnceLock::new();
        PACE.get_or_init(|| Pace::unknown(0))
    }

    fn record(&self) -> &'static Record {
        static RECORD: Record = Record::new();
        &RECORD
    }

    fn tally_number(&self) -> u32 {
        tally::SHARED
    }

    fn handler_name(&self, _handler: u32) -> &'static str {
        "reply"
    }

    fn perish(self: Arc<Self>, reason: &Reason) {
        let reason = match reason.is_normal() {
            true => Reason::transport_error(self.node.id().as_str(), NODE_STOPPED),
            false => reason.clone(),
        };
        self.kill(reason);
    }

    fn kill(&self, reason: Reason) -> Pushed {
        let outcome = Outcome::Failed(CallError::of_killed(&reason));
        self.finish(outcome, &reason);
        Pushed::Dead
    }

    fn job(&self, job: Job) -> Pushed {
        drop(job);
        Pushed::Dead
    }

    fn deliver(
        &self,
        _origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        let kept = message.keep(self.node.limits());
        let malformed = kept.as_ref().err().filter(|error| error.is_malformed());
        let malformed = malformed.cloned();
        let outcome = match kept {
            Ok(packet) => Outcome::Raw(Box::new(Raw {
                node: self.node.clone(),
                packet,
                read: self.read,
            })),
            Err(error) => Outcome::Failed(CallError::Answer(error)),
        };
        self.finish(outcome, &Reason::normal());
        malformed.map_or(Ok(Pushed::Queued), Err)
    }

    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()> {
        change(self.open().as_mut()?.extras.get_or_insert_default());
        Some(())
    }

    fn add_monitor(&self, action: Action) -> Result<u64, Action> {
        match self.open().as_mut() {
            Some(open) => Ok(open.extras.get_or_insert_default().add_monitor(action)),
            None => Err(action),
        }
    }

    fn take_monitor(&self, id: u64) -> Option<Action> {
        self.open().as_mut()?.extras.as_mut()?.monitors.remove(id)
    }

    fn died(&self) -> Option<Reason> {
        None
    }

    fn queue_len(&self) -> usize {
        0
    }

    fn type_name(&self) -> &'static str {
        "reply"
    }

    fn takes_answers(&self) -> bool {
        true
    }

    fn counts(&self) -> Option<Counts> {
        self.open().as_ref().map(|_| Counts::default())
    }

    fn typed(self: Arc<Self>, _into: &mut dyn Any) {}
}
