//! Code that runs once in the context of a port, and its result.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use super::{
    any::AnyPort,
    extras::Job,
    queue::Pushed,
    slot::{Caller, Outcome, Slot},
};
use crate::{CallError, Cx, exec::scheduler};

/// Code that runs in the context of a port: a future of its result. Made by [`Handle::peval`](crate::Handle::peval).
///
/// The code runs even if this is not awaited, in order with the messages that the caller has sent. If it panics, the
/// port dies. If the port dies first, the code is dropped.
///
/// ```
/// use aemp::{Node, port};
///
/// struct Shop;
///
/// #[port]
/// impl Shop {
///     #[rcv]
///     fn open(&mut self) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shop = Node::local()?.port(Shop);
/// let id = shop.peval(|cx| cx.id()).await?;
/// assert_eq!(id, shop.id());
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`CallError::Died`] if the port is dead, or dies before the code has finished. [`CallError::Send`] with
/// [`SendError::Remote`](crate::SendError::Remote) if the port belongs to another node.
///
/// A handler that awaits it for its own port never gets the result: the code would run after the handler.
///
/// # Cancel safety
///
/// Dropping it does not stop the code. The result is dropped.
pub struct Peval<T> {
    slot: Arc<Slot<T>>,
}

impl<T: Send + 'static> Peval<T> {
    pub(super) fn start(
        port: &Arc<dyn AnyPort>,
        run: impl FnOnce(&mut Cx<'_>) -> T + Send + 'static,
    ) -> Self {
        let slot = Slot::new();
        let value = Arc::clone(&slot);
        let job: Job = Box::new(move |cx| {
            let result = cx.of_this_node(run);
            value.set(Outcome::Answer(result));
            Ok(())
        });
        // Only the port's death keeps the code from running, and a dying port tells the callers that it holds.
        let caller: Weak<Slot<T>> = Arc::downgrade(&slot);
        let mut caller: Option<Weak<dyn Caller>> = Some(caller);
        port.with_extras(&mut |extras| {
            if let Some(caller) = caller.take() {
                extras.hold(caller);
            }
        });
        match port.job(job) {
            Pushed::Wake => scheduler::schedule(Arc::clone(port)),
            Pushed::Queued | Pushed::Backlog => {}
            Pushed::Dead => slot.fail(CallError::Died(port.epitaph())),
        }
        Self { slot }
    }

    pub(super) fn failed(error: CallError) -> Self {
        let slot = Slot::new();
        slot.fail(error);
        Self { slot }
    }
}

impl<T> Drop for Peval<T> {
    fn drop(&mut self) {
        self.slot.leave();
    }
}

impl<T> Future for Peval<T> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot
            .poll(task)
            .map(|outcome| outcome.into_result().unwrap_or(Err(CallError::NoReply)))
    }
}

impl<T> fmt::Debug for Peval<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peval").finish_non_exhaustive()
    }
}
