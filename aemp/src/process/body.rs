//! The future of a process: the port keeps it, and polls it in its own turns.

use std::{
    pin::Pin,
    ptr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::task::coop::has_budget_remaining;

use super::{
    Inbox,
    mailbox::{Mailbox, Polling},
};
use crate::{
    Cx, Reason,
    exec::spans::{Hidden, SpanEnd},
    guard::{self, Foreign},
    message::Outcome,
    port::{
        any::AnyPort,
        bound::{self, Closure},
    },
};

/// The right to poll the future of a process, in the context of its port.
pub(crate) struct Ticket {
    port: Weak<dyn AnyPort>,
    /// The number under which the port keeps the future.
    id: u64,
    /// True if a poll is queued.
    queued: AtomicBool,
}

impl Ticket {
    /// Polls the future. The port must be running.
    pub(super) fn run(&self, cx: &mut Cx<'_>) -> Result<(), Reason> {
        bound::run_kept(cx, self.id, ())
    }

    /// True if this waker polls the future.
    pub(super) fn is_of(&self, waker: &Waker) -> bool {
        // The waker of an `Arc` points to its content.
        ptr::eq(waker.data(), ptr::from_ref(self).cast())
    }

    /// Queues a poll, unless one is queued.
    pub(super) fn call(&self) {
        if !self.queued.swap(true, Ordering::AcqRel)
            && let Some(port) = self.port.upgrade()
        {
            bound::call_kept(port, self.id);
        }
    }

    /// Queues a poll for when the present task has yielded.
    fn call_later(self: &Arc<Self>) {
        if let Some(port) = self.port.upgrade() {
            let ticket = Arc::clone(self);
            port.node().scheduler().spawn(async move { ticket.call() });
        }
    }
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.call();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.call();
    }
}

/// Lets the port keep the future of `body`, which begins at the port's next turn. If the port is dead, the body is
/// dropped.
pub(super) fn attach<F>(
    port: &Arc<dyn AnyPort>,
    mailbox: &Arc<Mailbox>,
    body: impl FnOnce(Inbox) -> F + Send + 'static,
) where
    F: Future + Send + 'static,
    F::Output: Outcome,
{
    let inbox = Inbox::new(port, mailbox);
    // The body is called in the first poll, where the port dies of its panic.
    let future = Foreign::new(async move { body(inbox).await });
    let counted = Arc::clone(mailbox);
    let (weak, polled) = (Arc::downgrade(port), Arc::clone(mailbox));
    let id = bound::keep_closure(&**port, |id| {
        let ticket = Arc::new(Ticket {
            port: weak,
            id,
            queued: AtomicBool::new(true),
        });
        polled.belongs_to(Arc::clone(&ticket));
        closure(future, ticket, polled)
    });
    if let Some(id) = id {
        let before = port.extras(|extras| {
            if let Some(bound) = &extras.bound {
                counted.is_bounded(&bound.line);
            }
            extras.mailbox.replace(counted)
        });
        // The mailbox of an earlier process is dropped outside of the port's lock.
        drop(before);
        bound::call_kept(Arc::clone(port), id);
    }
}

/// The closure that polls the future once. Its error is the reason of the port's death: the body has ended.
fn closure<F>(mut future: Foreign<F>, ticket: Arc<Ticket>, mailbox: Arc<Mailbox>) -> Closure<()>
where
    F: Future + Send + 'static,
    F::Output: Outcome,
{
    let waker = Waker::from(Arc::clone(&ticket));
    Box::new(move |_, ()| {
        // A wake-up from now on needs another poll.
        ticket.queued.store(false, Ordering::Release);
        if !has_budget_remaining() {
            // All that the body awaits from tokio would only be pending, and be polled again and again until this
            // task yields.
            ticket.call_later();
            return Ok(());
        }
        mailbox.begin_poll();
        let polled = {
            let _polling = Polling::begin(&mailbox);
            let _hidden = Hidden::enter();
            let mut span = mailbox.take_span();
            let inside = span.enter_process();
            let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
            inside.leave();
            match &polled {
                Poll::Pending => mailbox.keep_span(span),
                Poll::Ready(Ok(_)) => span.end(SpanEnd::Returned),
                Poll::Ready(Err(_)) => span.end(SpanEnd::Panicked),
            }
            polled
        };
        mailbox.end_poll();
        match polled {
            Poll::Pending => Ok(()),
            // The `Display` of an error is user code as well.
            Poll::Ready(Ok(output)) => {
                guard::run(|| output.outcome())??;
                Err(Reason::normal())
            }
            Poll::Ready(Err(reason)) => Err(reason),
        }
    })
}
