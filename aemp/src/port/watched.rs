//! A port whose death a task awaits.

use aemp_codec::PortId;
use tokio::sync::oneshot;

use super::Monitor;
use crate::{Node, Reason};

/// A port that is monitored, until this is dropped.
pub(crate) struct Watched {
    pub(crate) port: PortId,
    /// The reason of its death.
    pub(crate) died: oneshot::Receiver<Reason>,
    _monitor: Monitor,
}

impl Watched {
    pub(crate) fn new(node: &Node, port: PortId) -> Self {
        let (tell, died) = oneshot::channel();
        let monitor = node.mon(&port, move |reason| {
            let _ = tell.send(reason.clone());
        });
        Self {
            port,
            died,
            _monitor: monitor,
        }
    }
}
