//! The clock of a port whose decisions are a machine, and its one timer.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Cx, Node, Timer};

/// The time since the first question for it, and a timer for the machine's next deadline.
pub(crate) struct Alarm {
    node: Node,
    origin: Option<Instant>,
    /// The deadline. There is no timer if it had passed already.
    set: Option<(Duration, Option<Timer>)>,
}

impl Alarm {
    pub(crate) fn new(node: &Node) -> Self {
        Self {
            node: node.clone(),
            origin: None,
            set: None,
        }
    }

    pub(crate) fn now(&mut self) -> Duration {
        let _runtime = self.node.scheduler().enter();
        let origin = *self.origin.get_or_insert_with(Instant::now);
        self.node.place().since(origin)
    }

    /// Sets the timer, instead of the one before. `tick` sends the port a message, which must call [`rang`](Self::rang).
    pub(crate) fn set(
        &mut self,
        cx: &Cx<'_>,
        deadline: Option<Duration>,
        tick: impl FnOnce() + Send + 'static,
    ) {
        if self.set.as_ref().map(|(due, _)| *due) == deadline {
            return;
        }
        if let Some((_, Some(timer))) = self.set.take() {
            timer.cancel();
        }
        let Some(due) = deadline else { return };
        let pause = due.saturating_sub(self.now());
        // A timer takes a millisecond at least.
        let timer = if pause.is_zero() {
            tick();
            None
        } else {
            Some(cx.after(pause, move |_| tick()))
        };
        self.set = Some((due, timer));
    }

    /// The deadline has passed.
    pub(crate) fn rang(&mut self) {
        self.set = None;
    }
}
