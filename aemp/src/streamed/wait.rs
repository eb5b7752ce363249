//! Waiting for a state that is shared by two halves.

use std::task::{Context, Poll, Waker};

use crate::{guard, lock::Lock};

/// Ready with the result of `find`, if there is one. Otherwise the task is registered in `place`.
///
/// Wakers are foreign code. They are cloned and dropped outside of the lock.
pub(crate) fn poll_for<S, R>(
    state: &Lock<S>,
    task: &Context<'_>,
    mut find: impl FnMut(&mut S) -> Option<R>,
    place: impl Fn(&mut S) -> &mut Option<Waker>,
) -> Poll<R> {
    let mut locked = state.lock();
    if let Some(found) = find(&mut locked) {
        return Poll::Ready(found);
    }
    let before = place(&mut locked).as_ref();
    if before.is_some_and(|before| before.will_wake(task.waker())) {
        return Poll::Pending;
    }
    drop(locked);
    let waker = task.waker().clone();
    let mut locked = state.lock();
    let (found, unused) = match find(&mut locked) {
        Some(found) => (Poll::Ready(found), Some(waker)),
        None => (Poll::Pending, place(&mut locked).replace(waker)),
    };
    drop(locked);
    guard::discard(unused);
    found
}
