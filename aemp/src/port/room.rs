//! Waiting for room in the bounded queue of a port of this node.

use std::{future::poll_fn, sync::Arc};

use super::{any::LocalPort, line::Place, queue::Pushed};
use crate::{SendError, exec::scheduler, message::Message};

/// Sends a message to a port with a bounded queue, after waiting for room.
pub(crate) async fn send_bounded<M: Message>(
    port: &Arc<dyn LocalPort<M>>,
    mut message: M,
) -> Result<(), SendError> {
    let mut place: Option<Place> = None;
    let pushed = loop {
        let line = match port.try_push(message) {
            Ok(pushed) => break pushed,
            Err((back, line)) => {
                message = back;
                line
            }
        };
        let place = place.get_or_insert_with(|| Place::new(line));
        poll_fn(|task| place.poll(task, || port.has_room())).await;
    };
    if let Some(place) = place {
        place.leave(|| port.has_room());
    }
    match pushed {
        Pushed::Wake => scheduler::schedule(Arc::<dyn LocalPort<M>>::clone(port)),
        Pushed::Queued | Pushed::Backlog => {}
        Pushed::Dead => return Err(SendError::Dead),
    }
    Ok(())
}
