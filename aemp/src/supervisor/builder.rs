//! The builder of a supervisor.

use std::{collections::HashSet, fmt, future::Future, sync::Arc, time::Duration};

use super::{Child, IntoChild, Restart, Strategy, Supervisor, SupervisorRef};
use crate::{Cx, InitOutcome, Node, Reason};

/// A supervisor that has not been started. An init function under [`spawnable`](macro@crate::spawnable) may return it,
/// which makes a supervisor that is spawned by name.
#[must_use = "a supervisor does nothing until it is started"]
pub struct Builder {
    strategy: Strategy,
    most: u32,
    period: Duration,
    children: Vec<Child>,
    names: HashSet<Arc<str>>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            strategy: Strategy::default(),
            most: 5,
            period: Duration::from_secs(10),
            children: Vec::new(),
            names: HashSet::new(),
        }
    }

    /// The children that restart together. Default: [`Strategy::OneForOne`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// The restart intensity: if there are more than `restarts` within `period`, the supervisor ends all its children
    /// and dies with `restart_limit, TEXT`. Default: 5 in 10 s. With `u32::MAX` there is no limit.
    #[doc(alias = "restart intensity")]
    #[doc(alias = "max_restarts")]
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        (self.most, self.period) = (restarts, period);
        self
    }

    /// Adds a child with all its choices.
    ///
    /// # Panics
    ///
    /// Panics if there is a child with this name.
    pub fn with_child(mut self, child: Child) -> Self {
        let name = &child.spec.name;
        let new = name.is_empty() || self.names.insert(Arc::clone(name));
        assert!(new, "two children are named {name:?}");
        self.children.push(child);
        self
    }

    /// Adds a child that a closure makes; see [`Child::new`].
    ///
    /// # Panics
    ///
    /// As [`with_child`](Self::with_child).
    pub fn child<C: IntoChild>(
        self,
        name: impl Into<Arc<str>>,
        restart: Restart,
        make: impl FnMut(&Node) -> C + Send + 'static,
    ) -> Self {
        self.with_child(Child::new(name, make).restart(restart))
    }

    /// Adds a child that an async closure makes; see [`Child::with_async`].
    ///
    /// # Panics
    ///
    /// As [`with_child`](Self::with_child).
    pub fn child_async<C, F>(
        self,
        name: impl Into<Arc<str>>,
        restart: Restart,
        make: impl FnMut(Node) -> F + Send + 'static,
    ) -> Self
    where
        C: IntoChild,
        F: Future<Output = C> + Send + 'static,
    {
        self.with_child(Child::with_async(name, make).restart(restart))
    }

    /// Adds a permanent child on another node, which waits for that node when it is lost; see [`Child::on`].
    ///
    /// # Panics
    ///
    /// As [`with_child`](Self::with_child).
    pub fn child_on(
        self,
        name: impl Into<Arc<str>>,
        node: impl Into<String>,
        function: &str,
        args: crate::Args,
    ) -> Self {
        self.with_child(Child::on(name, node, function, args))
    }

    /// Makes the supervisor's port and starts the children in order. [`SupervisorRef::ready`] waits for them.
    pub fn start(self, node: &Node) -> SupervisorRef {
        let sup = node.port(self.build(node));
        sup.begin();
        sup
    }

    fn build(self, node: &Node) -> Supervisor {
        Supervisor::new(node, self.strategy, (self.most, self.period), self.children)
    }
}

impl InitOutcome for Builder {
    type Port = Supervisor;

    fn finish(self, cx: &mut Cx<'_>) -> Result<Supervisor, Reason> {
        let node = cx.node().clone();
        if let Some(me) = cx.me::<SupervisorRef>() {
            me.begin();
        }
        Ok(self.build(&node))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("strategy", &self.strategy)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}
