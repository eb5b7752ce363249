//! The names that a node has for its own ports.
//!
//! A name belongs to a port until the port dies: a monitor of the port removes it. Between the death and that monitor
//! the name counts as free, so `register` does not depend on the order of the monitors. A registration is known by its
//! number, so that a late monitor removes no later one.
//!
//! The table (`table`) has a weak reference to the port itself, not a handle. So a `#[port(owned)]` ends with its handles although
//! it has a name, and the type of its messages can be checked: the port gives out its typed half only for the right
//! message type.

use std::{fmt, pin::pin};

use aemp_codec::PortId;
use thiserror::Error;

use super::table::Table;
use crate::{
    Handle, Monitor, Node, PortRef,
    port::{any::typed, monitor::Action},
};

/// The error of [`Node::register`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is empty.
    #[error("a name must not be empty")]
    Empty,
    /// A living port has the name.
    #[error("the name {name:?} is taken by {by}")]
    Taken {
        /// The name.
        name: String,
        /// The port that has it.
        by: PortId,
    },
    /// The port is dead, or was stopped.
    #[error("the port {0} is dead")]
    Dead(PortId),
    /// The port belongs to another node.
    #[error("the port {0} belongs to another node")]
    Remote(PortId),
}

/// The error of [`Node::whereis`] and [`Node::until_registered`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WhereisError {
    /// No living port has the name.
    #[error("no port of this node is named {0:?}")]
    Unknown(String),
    /// The port that has the name does not take the messages of this handle type.
    #[error("the port {port} with the name {name:?} takes other messages than those of {handle}")]
    OtherType {
        /// The name.
        name: String,
        /// The port that has it.
        port: PortId,
        /// The type of the handle that was asked for.
        handle: &'static str,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// The names of a node's ports.
#[derive(Default)]
pub(crate) struct Registered {
    table: Table,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").finish_non_exhaustive()
    }
}

impl Node {
    /// Gives a port of this node a name, by which [`whereis`](Self::whereis) finds it. The name is free again when the port
    /// dies. A port may have several names. They are not seen by other nodes; [`claim`](Self::claim) gives names in the
    /// network.
    ///
    /// ```
    /// use aemp::{Node, port};
    ///
    /// struct Log;
    ///
    /// #[port]
    /// impl Log {
    ///     #[rcv] fn lines(&self) -> u32 { 3 }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// node.register("log", &node.port(Log))?;
    /// assert_eq!(node.whereis::<LogRef>("log")?.lines().await?, 3);
    /// assert!(node.register("log", &node.port(Log)).is_err(), "it is taken");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if a living port has the name, the port is dead or of another node, or the name is empty.
    #[doc(alias = "registry")]
    pub fn register<R: PortRef>(&self, name: &str, port: &R) -> Result<(), RegisterError> {
        if name.is_empty() {
            return Err(RegisterError::Empty);
        }
        let handle = port.handle();
        let Some(port) = handle
            .to_local()
            .filter(|_| self.port_is_local(&handle.id()))
        else {
            let id = handle.id();
            return Err(match handle.is_local() && self.port_is_local(&id) {
                true => RegisterError::Dead(id),
                false => RegisterError::Remote(id),
            });
        };
        if port.has_ended() {
            return Err(RegisterError::Dead(port.port_id()));
        }
        let names = self.registered_ports();
        let number = names.table.insert(name, &port).map_err(|by| {
            let (name, by) = (name.into(), by.port_id());
            RegisterError::Taken { name, by }
        })?;
        let (node, owned) = (self.downgrade(), Box::<str>::from(name));
        // If the port is dead, this fires at once.
        let forget = Action::Call(Box::new(move |_| {
            if let Some(node) = node.upgrade() {
                node.registered_ports().table.forget(&owned, number);
            }
        }));
        let monitor = Monitor::local(&port, forget);
        if !names.table.keep(name, number, monitor) && port.has_ended() {
            return Err(RegisterError::Dead(port.port_id()));
        }
        names.table.tell(name);
        Ok(())
    }

    /// Takes a name back. Returns the port that had it.
    pub fn unregister(&self, name: &str) -> Option<PortId> {
        Some(self.registered_ports().table.remove(name)?.port_id())
    }

    /// The handle of the port of this node that has the name.
    ///
    /// # Errors
    ///
    /// [`WhereisError::Unknown`] if no living port has the name. [`WhereisError::OtherType`] if the port takes other
    /// messages: `R` must be the port's own handle type. [`whereis_id`](Self::whereis_id) does not ask for the type.
    pub fn whereis<R: PortRef>(&self, name: &str) -> Result<R, WhereisError> {
        match self.registered_ports().table.get(name).map(typed::<R::Msg>) {
            Some(Some(port)) => Ok(Handle::local(port).into()),
            Some(None) => Err(self.other_type::<R>(name)),
            None => Err(WhereisError::Unknown(name.into())),
        }
    }

    #[cold]
    fn other_type<R>(&self, name: &str) -> WhereisError {
        let name = name.to_owned();
        match self.whereis_id(&name) {
            Some(port) => WhereisError::OtherType {
                name,
                port,
                handle: std::any::type_name::<R>(),
            },
            None => WhereisError::Unknown(name),
        }
    }

    /// The ID of the port of this node that has the name.
    #[must_use]
    pub fn whereis_id(&self, name: &str) -> Option<PortId> {
        Some(self.registered_ports().table.get(name)?.port_id())
    }

    /// As [`whereis`](Self::whereis). If no port has the name, it waits until one has.
    ///
    /// # Errors
    ///
    /// As [`whereis`](Self::whereis). [`WhereisError::Stopped`] when the node stops.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn until_registered<R: PortRef>(&self, name: &str) -> Result<R, WhereisError> {
        let awaiting = self.registered_ports().table.awaits(name);
        loop {
            let mut more = pin!(awaiting.given.notified());
            more.as_mut().enable();
            match self.whereis(name) {
                Err(WhereisError::Unknown(_)) => {}
                found => return found,
            }
            tokio::select! {
                biased;
                () = more => {}
                _ = self.ended() => return Err(WhereisError::Stopped),
            }
        }
    }

    /// The names of this node's ports, in order.
    #[must_use]
    pub fn registered(&self) -> Vec<(String, PortId)> {
        let all = self.registered_ports().table.all().into_iter();
        all.map(|(name, port)| (name, port.port_id())).collect()
    }
}
