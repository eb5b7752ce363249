//! Two nodes that are connected over loopback, with a runtime of one thread each.

use aemp::{Node, NodeBuilder};
use tokio::runtime::{Builder, Runtime};

/// The runtime of one node, with one thread.
///
/// # Panics
///
/// Panics if the system gives no thread.
#[must_use]
pub fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all();
    builder.build().expect("a runtime")
}

/// Two connected nodes, `here` and `there`, with their runtimes.
#[derive(Debug)]
pub struct Pair {
    /// The node that has dialled.
    pub here: (Runtime, Node),
    /// The node that listens.
    pub there: (Runtime, Node),
}

impl Pair {
    /// Starts both nodes. The builder is called with the ID of each.
    ///
    /// # Panics
    ///
    /// Panics if a node does not start.
    pub fn new(builder: impl Fn(&str) -> NodeBuilder) -> Self {
        let (here, there) = (runtime(), runtime());
        let far = builder("there").bind("127.0.0.1:0");
        let far = there.block_on(far.start()).expect("it starts");
        let near = builder("here").seed(far.listeners().remove(0));
        let near = here.block_on(near.start()).expect("it starts");
        here.block_on(near.until_up("there"));
        Self {
            here: (here, near),
            there: (there, far),
        }
    }

    /// Stops both nodes.
    pub fn stop(self) {
        self.here.0.block_on(self.here.1.stop());
        self.there.0.block_on(self.there.1.stop());
    }
}
