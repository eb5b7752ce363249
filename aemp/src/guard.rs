//! The only way into code of the user. A panic in it becomes a result, and never ends a task, a thread or the process.
//!
//! Foreign code never runs while a lock of ours is held. A panic would be harmless there, but neither slowness nor a
//! call back would be. The only exceptions are codecs of other crates, which write the mesh's own packets, and those
//! that were queued before a connection came up, under the lock of their peer.
//!
//! | foreign code | where it runs | it panics | it is slow | shown by (`tests/tests`) |
//! | --- | --- | --- | --- | --- |
//! | handlers, timers and tasks of ports, init functions | a worker of the runtime | the port dies | its port waits, and one worker | `ports/failures`, `ports/executor` |
//! | bodies and predicates of processes | a worker of the runtime | the port dies | its port waits, and one worker | `ports/processes` |
//! | `#[start]` methods, closures and streams of ports | as handlers | the port dies | its port waits | `ports/lifecycle` |
//! | concurrent handlers | a task each | the port dies | one place of their handler, and one worker | `ports/concurrent` |
//! | functions of workers of jobs | a task each | a failed attempt | a place of the worker | `ports/work` |
//! | work of `Cx::blocking` | a thread for blocking code | the code that awaits it panics | that thread | `ports/concurrent` |
//! | `#[stop]` methods | where the port ends, then a task each | logged | the monitors of its port wait, for its limit | `ports/lifecycle` |
//! | `Deserialize` of arguments | the port; if it is trusted, the connection | the port dies | its port waits | `network/blocking` |
//! | `Serialize` of arguments | the sender | an error of that send | the sender waits | `network/replies` |
//! | `Deserialize` of answers | the caller | the call ends with an error | the caller waits | `network/replies` |
//! | `Drop` of states, messages, guards | where the port dies | logged | that worker waits | `ports/failures` |
//! | monitors of a local port | where the port dies | logged | the monitors behind it wait | `ports/monitors` |
//! | monitors of far ports and nodes | a strand of that node | logged | those of that node wait, and its next connection | `network/life` |
//! | observers of nodes | a strand each | logged | it is called later | `network/life` |
//! | watches of the database | a task each | logged | it is called later, with more changes at once | `database/watches` |
//! | functions that other nodes call | a strand of the caller's node | logged | its further calls wait, a thousand of them | `network/functions`, `network/life` |
//! | `Node::after` | a task each | logged | nothing waits | `ports/timers` |
//! | log subscribers | a strand of the node | the line is lost | lines wait, a thousand of them | `process/logs` |
//! | log subscribers, when a catcher comes or goes | a strand or task of its own | it is ignored | that catcher waits | `network/catching` |
//! | `Enabled` of log subscribers for message traces | the connection | there are no traces | the connection waits | `network/traces` |
//! | `Debug` of fields of log lines | where the line is logged | the line says so | the code that logs waits | `network/catching` |
//! | `Display` of errors | where the error is | the text says so | its port waits | unit tests of `guard` |
//! | keys, `Deserialize` and `Drop` of messages of topics | the topic's task | logged; a gap | that topic waits, at this node | `ports/topics` |
//! | closures that make a port's messages of a topic's events | a task each | that subscription ends | it waits | `ports/topics` |
//! | wakers | where the wait ends | logged | that thread waits | unit tests of `guard` |
//! | tracers and spans (feature `trace`) | the handler; the sender; for other events a strand | logged; that span is lost | that port, or that sender, waits | `ports/spans` |
//! | codecs of other crates | sender, connection | the connection is lost | the connection waits | `network/life` |

use std::{
    any::Any,
    cell::Cell,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::Reason;

/// The text of a panic whose payload is not text.
const NO_TEXT: &str = "panicked with a value that is no text";

/// Runs foreign code. A panic becomes a reason.
#[inline]
pub(crate) fn run<R>(foreign: impl FnOnce() -> R) -> Result<R, Reason> {
    catch_unwind(AssertUnwindSafe(foreign)).map_err(|payload| Reason::die(text(payload)))
}

/// As [`run`], with the panic as a text: for errors that are not deaths.
#[inline]
pub(crate) fn attempt<R>(foreign: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(foreign))
        .map_err(|payload| format!("panicked: {}", text(payload)))
}

/// Runs foreign code that has no result. A panic is logged.
#[inline]
pub(crate) fn shielded(foreign: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign)) {
        panicked(payload);
    }
}

#[cold]
fn panicked(payload: Box<dyn Any + Send>) {
    let text = text(payload);
    crate::log::error!("a callback panicked: {text}");
}

/// Drops a value of the user.
#[inline]
pub(crate) fn discard<T>(value: T) {
    if mem::needs_drop::<T>() {
        shielded(|| drop(value));
    }
}

/// A value of the user. It is dropped through [`discard`] wherever it is dropped.
pub(crate) struct Held<T>(Option<T>);

impl<T> Held<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

/// A future of the user. A panic in its `poll` or its `Drop` becomes a reason.
pub(crate) struct Foreign<F>(Held<Pin<Box<F>>>);

impl<F> Foreign<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Held::new(Box::pin(future)))
    }
}

impl<F: Future> Future for Foreign<F> {
    type Output = Result<F::Output, Reason>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0.0 else {
            return Poll::Pending;
        };
        let polled = poll(|| future.as_mut().poll(task));
        if polled.is_ready() {
            discard(self.0.take());
        }
        polled
    }
}

/// Polls a future of the user. A panic becomes a reason.
pub(crate) fn poll<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, Reason>> {
    match run(poll) {
        Ok(polled) => polled.map(Ok),
        Err(reason) => Poll::Ready(Err(reason)),
    }
}

/// The text of a value of the user, such as an error.
pub(crate) fn display(value: &impl fmt::Display) -> String {
    match catch_unwind(AssertUnwindSafe(|| value.to_string())) {
        Ok(shown) => shown,
        Err(payload) => format!("an error whose text cannot be shown: {}", text(payload)),
    }
}

/// Wakes a task.
#[inline]
pub(crate) fn wake(waker: Waker) {
    shielded(|| waker.wake());
}

thread_local! {
    /// True if this thread is calling a log subscriber.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `log_line`, which logs one line. If the subscriber panics, the line is lost. Lines that are logged within the
/// subscriber are lost as well: a subscriber that sends each line to another node would otherwise log each line that
/// it could not send.
pub(crate) fn log(log_line: impl FnOnce()) {
    if LOGGING.replace(true) {
        return;
    }
    let logged = catch_unwind(AssertUnwindSafe(log_line));
    LOGGING.set(false);
    if let Err(payload) = logged {
        // The panic of a subscriber cannot be logged.
        text(payload);
    }
}

/// True if this thread is calling a log subscriber.
pub(crate) fn is_logging() -> bool {
    LOGGING.get()
}

/// The text of a panic. If the payload's `Drop` panics, the payload of this second panic is leaked, because its
/// `Drop` may panic again.
pub(crate) fn text(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or(NO_TEXT)
        .to_owned();
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    struct Unprintable;

    impl fmt::Display for Unprintable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in Display")
        }
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_one_more_panic() {
        let run = run(|| std::panic::panic_any(Bomb));
        assert_eq!(run, Err::<(), _>(Reason::die(NO_TEXT)));
        discard(Bomb);
    }

    #[test]
    fn lines_logged_within_a_subscriber_are_lost() {
        let told = Cell::new(0);
        log(|| {
            told.set(told.get() + 1);
            assert!(is_logging());
            log(|| told.set(100));
            std::panic::panic_any(Bomb);
        });
        log(|| told.set(told.get() + 1));
        assert!(!is_logging() && told.get() == 2);
    }

    #[test]
    fn a_panicking_display_becomes_a_text() {
        let text = display(&Unprintable);
        assert_eq!(text, "an error whose text cannot be shown: in Display");
    }
}
