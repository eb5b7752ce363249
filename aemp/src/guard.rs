//! The one way into code of the user: whatever is called goes through here, so that a panic in it is somebody's
//! result and never the end of a task, a thread or the process.
//!
//! Foreign code are handlers, init functions, closures and callbacks, `Serialize` and `Deserialize`, `Display` of
//! errors, `Drop` of states, messages and panic payloads, wakers, log subscribers, and codecs of other crates. None of it
//! is called while a lock of ours is held: a panic would be harmless there, but not slowness, nor a call back.

use std::{
    any::Any,
    cell::Cell,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::Reason;

/// What a panic with a payload that is no text is told as.
const NO_TEXT: &str = "panicked with a value that is no text";

/// Runs foreign code; the reason says how it panicked, if it did.
#[inline]
pub(crate) fn run<R>(foreign: impl FnOnce() -> R) -> Result<R, Reason> {
    catch_unwind(AssertUnwindSafe(foreign)).map_err(|payload| Reason::die(text(payload)))
}

/// As [`run`], for errors that are no deaths.
#[inline]
pub(crate) fn attempt<R>(foreign: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(foreign))
        .map_err(|payload| format!("panicked: {}", text(payload)))
}

/// Runs foreign code for whose result nobody waits. A panic in it is logged.
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

/// A value of the user, which is dropped through [`discard`] wherever it happens to be dropped.
pub(crate) struct Held<T>(Option<T>);

impl<T> Held<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

/// A future of the user: a panic in it, or in its drop, is a reason.
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

/// Polls a future of the user.
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
    /// Whether a subscriber is being told something by this thread.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `tell`, which logs: a subscriber that panics, loses its line. So is lost what a subscriber causes to be logged while it is told
/// something: one that sends each line to another node would otherwise be told of each line that it could not send.
pub(crate) fn log(tell: impl FnOnce()) {
    if LOGGING.replace(true) {
        return;
    }
    let told = catch_unwind(AssertUnwindSafe(tell));
    LOGGING.set(false);
    if let Err(payload) = told {
        // There is no other way to tell of it.
        text(payload);
    }
}

/// Whether this thread is in the middle of telling a subscriber something.
pub(crate) fn is_logging() -> bool {
    LOGGING.get()
}

/// What a panic says. The payload may be a value whose `Drop` panics, with another such payload: that one is leaked.
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
    fn what_a_subscriber_causes_to_be_logged_is_lost() {
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
    fn a_text_that_cannot_be_shown_is_told() {
        let text = display(&Unprintable);
        assert_eq!(text, "an error whose text cannot be shown: in Display");
    }
}
