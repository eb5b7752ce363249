//! Waiting for room in the bounded queue of a port of this node.

use std::{future::poll_fn, pin::pin, sync::Arc};

use super::{any::LocalPort, queue::Pushed};
use crate::{SendError, exec::scheduler, message::Message};

/// Sends a message to a port with a bounded queue, after waiting for room.
pub(crate) async fn send_bounded<M: Message>(
    port: &Arc<dyn LocalPort<M>>,
    message: M,
) -> Result<(), SendError> {
    let mut message = Some(message);
    loop {
        let Some(next) = message.take() else {
            return Ok(());
        };
        let room = match port.try_push(next) {
            Ok(Pushed::Wake) => {
                scheduler::schedule(Arc::<dyn LocalPort<M>>::clone(port));
                return Ok(());
            }
            Ok(Pushed::Queued | Pushed::Backlog) => return Ok(()),
            Ok(Pushed::Dead) => return Err(SendError::Dead),
            Err((back, room)) => {
                message = Some(back);
                room
            }
        };
        wait_for_room(port, &room).await;
    }
}

/// Ready when there may be room. The queue is checked again after the waiter is registered, so that no notification
/// is missed.
async fn wait_for_room<M>(port: &Arc<dyn LocalPort<M>>, room: &tokio::sync::Notify) {
    let mut notified = pin!(room.notified());
    if notified.as_mut().enable() || port.has_room() {
        return;
    }
    poll_fn(|task| notified.as_mut().poll(task)).await;
}
