//! Monitors of ports that do not exist: they fire at once, in the call that sets them.

use std::{cell::Cell, time::Duration};

use super::monitor::Action;
use crate::{Node, Reason, guard};

/// The nesting of callbacks that each set the monitor that runs the next one. A callback that restarts a dead port
/// for ever must not overflow the stack.
const DEPTH: u32 = 16;
/// The pause before the next callback, when this nesting is reached.
const PAUSE: Duration = Duration::from_secs(1);

thread_local! {
    /// The number of these callbacks that are running on this thread.
    static DEPTH_NOW: Cell<u32> = const { Cell::new(0) };
}

/// Fires a monitor.
pub(crate) fn fire(action: Action, reason: Reason, node: &Node) {
    if !matches!(action, Action::Call(_)) {
        // Only a callback runs user code, so only a callback can set another monitor.
        return action.fire(&reason);
    }
    let depth = DEPTH_NOW.get();
    if depth == DEPTH {
        return later(action, reason, node);
    }
    DEPTH_NOW.set(depth + 1);
    // It does not panic, because callbacks are guarded.
    action.fire(&reason);
    DEPTH_NOW.set(depth);
}

#[cold]
fn later(action: Action, reason: Reason, node: &Node) {
    let late = Late(Some(action));
    node.scheduler().spawn(async move {
        let mut late = late;
        tokio::time::sleep(PAUSE).await;
        if let Some(action) = late.0.take() {
            action.fire(&reason);
        }
    });
}

/// A monitor that will fire after the pause. If the runtime goes away, it is dropped instead, because firing it could
/// go on for ever.
struct Late(Option<Action>);

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            guard::discard(action);
            crate::log::error!(
                "a monitor that its own callback sets again and again is dropped, because its node has ended"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use aemp_codec::PortId;

    use super::*;

    fn again(node: &Node, fired: Arc<AtomicU32>) {
        let absent = PortId::parse("#absent").unwrap();
        let next = node.clone();
        node.mon(&absent, move |_| {
            fired.fetch_add(1, Ordering::Relaxed);
            again(&next, fired);
        })
        .detach();
    }

    #[tokio::test(start_paused = true)]
    async fn a_callback_that_sets_its_monitor_again_comes_back() {
        let fired = Arc::new(AtomicU32::new(0));
        again(&Node::local().unwrap(), Arc::clone(&fired));
        assert_eq!(fired.load(Ordering::Relaxed), DEPTH);
        tokio::time::sleep(PAUSE * 3 / 2).await;
        assert_eq!(fired.load(Ordering::Relaxed), 2 * DEPTH + 1);
    }
}
