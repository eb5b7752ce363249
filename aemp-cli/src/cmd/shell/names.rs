//! The names that the shell completes, from the network itself.

use std::{future::Future, time::Duration};

use aemp::{Node, Shown};
use tokio::runtime::Handle;

use super::complete::Known;

/// The longest time that a user waits for completions.
const PATIENCE: Duration = Duration::from_millis(700);

/// Asks the network when completions are needed.
pub(super) struct Names {
    node: Node,
    handle: Handle,
}

impl Names {
    pub(super) fn new(node: Node, handle: Handle) -> Self {
        Self { node, handle }
    }

    /// The default value, if the answer takes too long.
    fn ask<T: Default>(&self, asked: impl Future<Output = Option<T>>) -> T {
        let asked = async { tokio::time::timeout(PATIENCE, asked).await };
        let answer = self.handle.block_on(asked);
        answer.ok().flatten().unwrap_or_default()
    }
}

impl Known for Names {
    fn nodes(&self) -> Vec<String> {
        let listed = self.ask(async { self.node.db_keys("'l").await.ok() });
        let up = self.node.up_nodes();
        let up = up.iter().map(|node| node.as_str().to_owned());
        let own = self.node.id().as_str();
        listed
            .into_iter()
            .chain(up)
            .filter(|node| node != own && is_plain(node))
            .collect()
    }

    fn ports(&self, node: &str) -> Vec<String> {
        let of = self.node.inspect(node);
        let ports = self.ask(async { of.ports().await.ok() });
        let ids = ports.ports.into_iter().map(|port| port.id);
        ids.filter(|id| is_plain(id)).collect()
    }

    fn functions(&self, node: &str) -> Vec<String> {
        let of = self.node.inspect(node);
        let functions = self.ask(async { of.functions().await.ok() });
        let names = functions.init.into_iter().map(|init| init.name);
        names.filter(|name| is_plain(name)).collect()
    }

    fn families(&self) -> Vec<String> {
        let asked = async {
            let globals = self.node.db_keys("'g").await.ok()?;
            for global in globals {
                if let Ok(families) = self.node.inspect(&global).families().await {
                    return Some(families.families);
                }
            }
            None
        };
        let families = self.ask(asked).into_iter();
        let names = families.map(|family| family.name);
        names.filter(|name| is_plain(name)).collect()
    }
}

/// True if a name can be written to the terminal unescaped. Other names are not offered, because they cannot be typed.
fn is_plain(name: &str) -> bool {
    !name.chars().any(Shown::escapes)
}
