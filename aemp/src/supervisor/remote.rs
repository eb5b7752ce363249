//! Children on other nodes.
//!
//! The supervisor spawns `Aemp::supervised` there, with its own port ID, the name of the init function and that
//! function's arguments. The other node does not make a port of its own for it: it spawns the function under the
//! given name, as for any spawn, and then monitors the supervisor's port over the connection that has brought the
//! request. When that monitor fires, for whatever reason, the child is killed. So a child whose supervisor's node is lost
//! dies after at most the `monitor_timeout` of its own node.
//!
//! The permit is that of the init function, not of this one. A node names only ports of its own as supervisors, because
//! the monitor would otherwise let it use this node against a third.

use std::{sync::Arc, time::Duration};

use aemp_codec::{PortId, Value};
use tokio::sync::oneshot;

use super::port::stopped;
use crate::{
    Node,
    port::{
        any::AnyPort,
        bound,
        monitor::{self, Action},
    },
};

/// The function by which a supervisor spawns its children on other nodes.
const SUPERVISED: &str = "Aemp::supervised";

/// The pause between two attempts to connect a lost node.
const RETRY: Duration = Duration::from_secs(1);

/// Spawns a child.
pub(super) fn spawn(
    node: &Node,
    there: &str,
    function: &str,
    args: &[Value],
    supervisor: &PortId,
) -> PortId {
    if node
        .node_named(there)
        .is_some_and(|there| there == *node.id())
    {
        // The supervisor kills it when it ends. There is no node to be lost.
        return node.spawn(there, function, args.to_vec());
    }
    let mut all: Vec<Value> = vec![supervisor.as_str().into(), function.into()];
    all.extend_from_slice(args);
    node.spawn(there, SUPERVISED, all)
}

/// Waits until a node has served all requests that were sent to it before, or is lost.
pub(super) async fn until_served(node: &Node, other: &str) {
    if let Ok(time) = node.cal_to_func(other, "time", Vec::new()) {
        let _ = time.await;
    }
}

/// Waits until a node is connected, and lets this node try to connect it.
pub(super) async fn until_connected(node: &Node, other: &str) {
    let Ok(port) = node.node_port(other) else {
        return std::future::pending().await;
    };
    loop {
        let (fired, lost) = oneshot::channel();
        let _connecting = node.mon(&port, move |_| {
            let _ = fired.send(());
        });
        tokio::select! {
            biased;
            up = node.until_up(other) => match up {
                true => return,
                // This node has ended.
                false => return std::future::pending().await,
            },
            _ = lost => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// A spawn, as another node has asked for it.
pub(crate) struct Asked {
    pub(crate) function: String,
    pub(crate) args: Vec<Value>,
    /// The supervisor of the new port.
    pub(crate) supervisor: Option<PortId>,
}

/// Takes a spawn of a supervisor apart. `None` if `from` may not ask for it in this way.
pub(crate) fn asked(from: Option<&str>, function: &str, mut args: Vec<Value>) -> Option<Asked> {
    if function != SUPERVISED {
        return Some(Asked {
            function: function.into(),
            args,
            supervisor: None,
        });
    }
    if args.len() < 2 {
        return None;
    }
    let rest = args.split_off(2);
    let supervisor = args[0].as_str().and_then(|id| PortId::parse(id).ok())?;
    let function = args[1].as_str()?.into();
    let is_its_own = from == Some(supervisor.node()) && !supervisor.is_node_port();
    is_its_own.then_some(Asked {
        function,
        args: rest,
        supervisor: Some(supervisor),
    })
}

/// Lets a new port end with its supervisor.
pub(crate) fn tie(node: &Node, port: &Arc<dyn AnyPort>, supervisor: &PortId) {
    let weak = Arc::downgrade(port);
    let end = Action::Call(Box::new(move |_| {
        if let Some(port) = weak.upgrade() {
            monitor::kill(&port, stopped());
        }
    }));
    let watching = node.destination(supervisor).monitor(end);
    // It is taken back when the port dies.
    bound::guard(port, watching).detach();
}
