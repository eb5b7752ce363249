//! Ports that end when they have handled nothing for a while (passivation).
//!
//! The end of each run of a port is noted in its extras, if it has an idle time. A task sleeps until the port could be
//! due, and then decides under the port's lock: an idle port whose last run is long enough ago gets a stop in the same
//! step, so no message comes between the decision and the stop. A port without an idle time pays nothing: the note is
//! made where ports with extras look for a bound anyway.
//!
//! Dangers: a message that comes after the stop vanishes, as with every stop. A sender that must not lose
//! it calls, and makes the port again when the call fails. Left out: timers and closures of the port count as work, so
//! a port with an interval shorter than its idle time never ends in this way.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    any::AnyPort,
    bound::{self, LONGEST, SHORTEST},
    extras::{Content, Kept},
};
use crate::{Cx, exec::scheduler};

/// The idle time of a port.
pub(crate) struct Idle {
    limit: Duration,
    /// The number of the task that watches the port.
    task: u64,
    /// The time at which the port was last seen at work.
    pub(super) last: Instant,
}

/// The answer of a port to the question of its idle time.
pub(crate) enum Passive {
    /// It has been idle for long enough, and a stop is queued. The caller must schedule it.
    Stopped,
    /// It is to be asked again then.
    Until(Instant),
    /// It has no such idle time, or has ended.
    Never,
}

impl Idle {
    /// True if this task watches the port. An earlier one may not have ended yet.
    pub(super) fn is_watched_by(&self, task: u64) -> bool {
        self.task == task
    }

    /// The time at which the port is due, if it stays idle.
    pub(super) fn due(&self) -> Instant {
        self.last + self.limit.max(SHORTEST)
    }
}

/// Sets the idle time of a port, or replaces it.
fn set(port: &Arc<dyn AnyPort>, limit: Duration) {
    let now = bound::due(port.node(), Duration::ZERO);
    let replaced = port.extras(|extras| {
        let id = extras.keep(Content::Task);
        let idle = Idle {
            limit: limit.min(LONGEST),
            task: id,
            last: now,
        };
        let before = extras.rare().idle.replace(idle);
        let before = before.and_then(|before| extras.kept.remove(before.task));
        (id, before)
    });
    let Some((id, before)) = replaced else { return };
    before.into_iter().for_each(Kept::end);
    if limit >= LONGEST {
        return;
    }
    let weak = Arc::downgrade(port);
    let mut next = now + limit;
    bound::start(port, id, async move {
        loop {
            tokio::time::sleep_until(next).await;
            let Some(port) = weak.upgrade() else { return };
            match port.end_if_idle(id, Instant::now()) {
                Passive::Stopped => return scheduler::schedule(port),
                Passive::Until(due) => next = due,
                Passive::Never => return,
            }
        }
    });
}

impl Cx<'_> {
    /// Stops the port when it has handled nothing for `limit` (*passivation*). The end is that of
    /// [`stop`](Self::stop): a normal reason, after the `#[stop]` method. A later call replaces the limit;
    /// [`Duration::MAX`] means never.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Cx, Node, port};
    ///
    /// struct Session;
    ///
    /// #[port]
    /// impl Session {
    ///     #[start]
    ///     fn start(&mut self, cx: &mut Cx<'_>) { cx.idle_after(Duration::from_millis(20)); }
    ///
    ///     #[stop]
    ///     fn save(&mut self) { println!("saved"); }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let session = Node::local()?.port(Session);
    /// assert!(session.closed().await.is_normal());
    /// # Ok(()) }
    /// ```
    ///
    /// *Semantics.* The time counts from the end of the last message, timer, or closure of the port. A port whose async
    /// handler waits is not idle. The decision and the stop are one step, so every message that was queued before is
    /// handled.
    ///
    /// *Limits.* A message that comes after the stop vanishes, and a call fails with
    /// [`CallError::Died`](crate::CallError::Died). A timer of the port counts as work when it runs. Futures of
    /// [`then`](Self::then) and [`spawn`](Self::spawn) that are not ready, streams without an item, and calls whose
    /// [`Reply`](crate::Reply) the port keeps do not keep it from ending: take a limit that is longer than they last. The port's idle time costs a task and a timer; a port without one
    /// pays nothing.
    #[doc(alias = "passivate")]
    #[doc(alias = "receive_timeout")]
    pub fn idle_after(&self, limit: Duration) {
        set(&self.arc(), limit);
    }
}
