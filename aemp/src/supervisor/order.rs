//! The messages that a supervisor sends to itself, and its parent to it. They cannot leave the process.

use std::fmt;

use super::{
    SupervisorRef,
    machine::{Key, Run},
    port::stopped,
    spec::Made,
};
use crate::{Local, Node, Reason, Sent};

/// A message within supervisors. Nothing outside can make one.
#[doc(hidden)]
pub struct Order(pub(super) Event);

pub(super) enum Event {
    Begin,
    Tick,
    Made {
        key: Key,
        run: Run,
        made: Result<Born, Reason>,
    },
    Served {
        key: Key,
        run: Run,
    },
    Died {
        key: Key,
        run: Run,
        reason: Reason,
    },
    Gone {
        key: Key,
        run: Run,
    },
    Arrived {
        key: Key,
        run: Run,
    },
    Shutdown,
    Hold(Lifeline),
}

impl SupervisorRef {
    pub(super) fn notify(&self, event: Event) -> Sent {
        self.order(Local(Order(event)))
    }

    pub(super) fn begin(&self) {
        self.notify(Event::Begin);
    }
}

/// A new incarnation on its way to its supervisor. If it does not arrive, it is killed, so that none is left alone.
pub(super) struct Born {
    node: Node,
    made: Option<Made>,
}

impl Born {
    pub(super) fn new(node: &Node, made: Made) -> Self {
        Self {
            node: node.clone(),
            made: Some(made),
        }
    }

    pub(super) fn keep(mut self) -> Made {
        let nothing = || Made::at(self.node.id().clone().into());
        self.made.take().unwrap_or_else(nothing)
    }
}

impl Drop for Born {
    fn drop(&mut self) {
        if let Some(made) = self.made.take() {
            self.node.destination(&made.port).kill(stopped());
        }
    }
}

/// Tells a supervisor, when it is dropped, that a subtree has ended.
pub(super) struct Lifeline {
    parent: SupervisorRef,
    key: Key,
    run: Run,
}

impl Lifeline {
    pub(super) fn new(parent: SupervisorRef, key: Key, run: Run) -> Self {
        Self { parent, key, run }
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        let (key, run) = (self.key, self.run);
        self.parent.notify(Event::Gone { key, run });
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Order")
    }
}
