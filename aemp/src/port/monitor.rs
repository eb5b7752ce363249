//! Monitors: actions that run once when a port dies.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use aemp_codec::{PortId, Value};

use super::{any::AnyPort, bound, destination::Destination};
use crate::{
    Node, Reason,
    exec::{scheduler, spans},
    guard,
    node::peer::Peer,
};

/// The action of a monitor when it fires.
pub(crate) enum Action {
    Call(Box<dyn FnOnce(&Reason) + Send>),
    /// Kill a port of this node with the same reason, if it still exists.
    Link(Weak<dyn AnyPort>),
    /// Kill a port that is known by its ID, such as one of another node, with the same reason.
    LinkFar(Arc<Destination>),
    /// Send a message with the elements of the reason appended.
    Send(Node, PortId, Vec<Value>),
    /// Report the death to the node that monitors the port, with the number of its monitor there.
    Tell(Arc<Peer>, Box<str>, u64),
}

impl Action {
    /// Runs the action. A panic in a callback or a log subscriber does not reach the other monitors of the port.
    pub(crate) fn fire(self, reason: &Reason) {
        guard::shielded(|| self.act(reason));
    }

    fn act(self, reason: &Reason) {
        match self {
            Self::Call(callback) => callback(reason),
            Self::Link(port) => {
                if !reason.is_normal()
                    && let Some(port) = port.upgrade()
                {
                    kill(&port, reason.clone());
                }
            }
            Self::LinkFar(to) => {
                if !reason.is_normal() {
                    to.kill(reason.clone());
                }
            }
            Self::Send(node, to, mut message) => {
                message.extend_from_slice(reason);
                node.relay(&to, message);
            }
            Self::Tell(peer, port, number) => peer.report_monitored_death(&port, number, reason),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call(_) => "Call",
            Self::Link(_) | Self::LinkFar(_) => "Link",
            Self::Send(..) => "Send",
            Self::Tell(..) => "Tell",
        })
    }
}

/// Kills a port of this node. If the caller is a handler of this port, the port dies when the handler returns;
/// otherwise the kill is in order with the caller's messages.
pub(crate) fn kill(port: &Arc<dyn AnyPort>, reason: Reason) {
    if !port.takes_answers() {
        spans::killed(&**port, &reason);
    }
    if crate::exec::current::kill_if_running(&**port, &reason) {
        return;
    }
    if port.kill(reason) == super::queue::Pushed::Wake {
        scheduler::schedule(Arc::clone(port));
    }
}

/// A monitor that has been set. Dropping it cancels it; [`detach`](Self::detach) keeps it until it fires.
///
/// After the guard has been dropped, the callback does not start, even if the port is already dying. Dropping never
/// waits: a callback that another thread has started, or is just about to start, continues.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
/// let node = aemp::Node::local()?;
/// let port = node.untyped(|_cx: &mut aemp::Cx<'_>, _message: aemp::Args| ());
/// let guard = port.monitor(|reason| println!("died: {reason}"));
/// drop(guard); // from now on nothing is printed
/// # Ok(()) }
/// ```
#[doc(alias = "DeathWatch")]
#[must_use = "dropping the guard cancels the monitor; `.detach()` keeps it"]
pub struct Monitor {
    target: Target,
}

enum Target {
    /// The monitor has fired, or is detached.
    Gone,
    Local(Weak<dyn AnyPort>, u64),
    Far(Arc<Peer>, Box<str>, u64),
    /// Values that a port of this node keeps, by their number.
    Kept(Weak<dyn AnyPort>, u64),
}

impl Monitor {
    pub(crate) fn local(port: &Arc<dyn AnyPort>, action: Action) -> Self {
        let target = match port.monitor(action) {
            Some(id) => Target::Local(Arc::downgrade(port), id),
            None => Target::Gone,
        };
        Self { target }
    }

    pub(crate) fn peer(peer: &Arc<Peer>, port: &str, action: Action) -> Self {
        let id = peer.monitor(port, action);
        Self {
            target: Target::Far(Arc::clone(peer), port.into(), id),
        }
    }

    /// The guard of values that a port keeps under this number.
    pub(crate) fn keeping(port: &Arc<dyn AnyPort>, id: u64) -> Self {
        Self {
            target: Target::Kept(Arc::downgrade(port), id),
        }
    }

    /// Ends the monitor of a call. The other node is not told at once, because calls come in series.
    pub(crate) fn release(mut self) {
        if let Target::Far(peer, port, id) = &self.target {
            peer.release(port, *id);
            self.target = Target::Gone;
        }
    }

    pub(crate) fn gone() -> Self {
        Self {
            target: Target::Gone,
        }
    }

    /// Keeps the monitor without a guard. It fires once, when the port dies.
    pub fn detach(mut self) {
        self.target = Target::Gone;
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.target, Target::Gone) {
            Target::Gone => {}
            Target::Local(port, id) => {
                if let Some(port) = port.upgrade() {
                    port.unmonitor(id);
                }
            }
            Target::Far(peer, port, id) => peer.unmonitor(&port, id),
            Target::Kept(port, id) => {
                if let Some(port) = port.upgrade() {
                    bound::forget(&*port, id);
                }
            }
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}
