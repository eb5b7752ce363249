//! Questions to reference nodes, which answer fewer requests than nodes of this project.

use std::time::Duration;

use aemp::{Node, NodeId};

/// The family of the global nodes (`aemp_proto::protocol::global`, "The database").
const GLOBAL: &str = "'g";

/// The variable in which a reference node keeps its master's ID. On a global node it may be out of date.
const MASTER: &str = "$AnyEvent::MP::Kernel::MASTER";

/// A node's role in the network, as far as other nodes can find it out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// True if it is global; `None` if the database does not answer.
    pub global: Option<bool>,
    /// Its master, if it is a slave.
    pub master: Option<String>,
}

/// The IDs of all global nodes; `None` without an answer, or if there are none, as in a network without a database.
pub async fn globals(from: &Node, time: Duration) -> Option<Vec<String>> {
    let globals = from.db_keys(GLOBAL).timeout(time).await.ok()?;
    (!globals.is_empty()).then_some(globals)
}

/// The master of a reference node, if the node evaluates the request.
pub async fn master(from: &Node, node: &str, time: Duration) -> Option<String> {
    let answer = from.eval_on(node, MASTER, time).await.ok()?;
    let [error, master] = &*answer else {
        return None;
    };
    error.text().filter(|error| error.is_empty())?;
    let master = NodeId::new(&master.text()?).ok()?;
    Some(master.as_str().to_owned())
}

/// The role of a reference node, which answers unless it is in secure mode.
pub async fn part(from: &Node, node: &str, time: Duration) -> Part {
    let (globals, master) = tokio::join!(globals(from, time), master(from, node, time));
    let global = globals.map(|globals| globals.iter().any(|global| global == node));
    Part {
        global,
        master: master.filter(|_| global != Some(true)),
    }
}
