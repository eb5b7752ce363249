//! The names that a node has for its own ports.
//!
//! A name belongs to a port until the port dies: a monitor of the port removes it. Between the death and that monitor
//! the name counts as free, so `register` does not depend on the order of the monitors. A registration is known by its
//! number, so that a late monitor removes no later one.
//!
//! The table has a weak reference to the port itself, not a handle. So a `#[port(owned)]` ends with its handles although
//! it has a name, and the type of its messages can be checked: the port gives out its typed half only for the right
//! message type.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    pin::pin,
    sync::{Arc, Weak},
};

use aemp_codec::PortId;
use thiserror::Error;
use tokio::sync::Notify;

use crate::{
    Handle, Monitor, Node, PortRef, guard,
    lock::Lock,
    port::{
        any::{AnyPort, typed},
        monitor::Action,
    },
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
    /// The port is dead.
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
    table: Lock<Table>,
    /// Notified when a name is given.
    more: Notify,
}

#[derive(Default)]
struct Table {
    names: BTreeMap<Box<str>, Member>,
    last: u64,
}

/// One registration.
struct Member {
    number: u64,
    port: Weak<dyn AnyPort>,
    /// Removes the registration. `None` until it is set.
    monitor: Option<Monitor>,
}

impl Member {
    /// The port, if it is alive.
    fn alive(&self) -> Option<Arc<dyn AnyPort>> {
        let port = self.port.upgrade()?;
        port.died().is_none().then_some(port)
    }
}

impl Registered {
    /// Gives a name. Returns the number of the registration, or the living port that has the name.
    fn insert(&self, name: &str, port: &Arc<dyn AnyPort>) -> Result<u64, Arc<dyn AnyPort>> {
        let mut table = self.table.lock();
        let number = table.last + 1;
        let member = Member {
            number,
            port: Arc::downgrade(port),
            monitor: None,
        };
        let before = match table.names.entry(name.into()) {
            Entry::Vacant(vacant) => {
                vacant.insert(member);
                None
            }
            Entry::Occupied(mut taken) => match taken.get().alive() {
                Some(by) => return Err(by),
                None => Some(taken.insert(member)),
            },
        };
        table.last = number;
        drop(table);
        drop(before);
        Ok(number)
    }

    /// Keeps the monitor of a registration. Returns false if the registration is over.
    fn keep(&self, name: &str, number: u64, monitor: Monitor) -> bool {
        let mut unused = Some(monitor);
        if let Some(member) = self.table.lock().names.get_mut(name)
            && member.number == number
        {
            member.monitor = unused.take();
        }
        unused.is_none()
    }

    /// Takes a name back, if it still belongs to this registration.
    fn forget(&self, name: &str, number: u64) {
        let mut table = self.table.lock();
        let ours = table.names.get(name).map(|member| member.number) == Some(number);
        let member = ours.then(|| table.names.remove(name));
        drop(table);
        drop(member);
    }

    /// The living port that has the name.
    fn get(&self, name: &str) -> Option<Arc<dyn AnyPort>> {
        self.table.lock().names.get(name)?.alive()
    }
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
        let names = self.registered_ports();
        let number = names.insert(name, &port).map_err(|by| {
            let (name, by) = (name.into(), by.port_id());
            RegisterError::Taken { name, by }
        })?;
        let (node, owned) = (self.downgrade(), Box::<str>::from(name));
        // If the port is dead, this fires at once.
        let forget = Action::Call(Box::new(move |_| {
            if let Some(node) = node.upgrade() {
                node.registered_ports().forget(&owned, number);
            }
        }));
        if !names.keep(name, number, Monitor::local(&port, forget)) && port.died().is_some() {
            return Err(RegisterError::Dead(port.port_id()));
        }
        guard::shielded(|| names.more.notify_waiters());
        Ok(())
    }

    /// Takes a name back. Returns the port that had it.
    pub fn unregister(&self, name: &str) -> Option<PortId> {
        let removed = self.registered_ports().table.lock().names.remove(name)?;
        Some(removed.alive()?.port_id())
    }

    /// The handle of the port of this node that has the name.
    ///
    /// # Errors
    ///
    /// [`WhereisError::Unknown`] if no living port has the name. [`WhereisError::OtherType`] if the port takes other
    /// messages: `R` must be the port's own handle type. [`whereis_id`](Self::whereis_id) does not ask for the type.
    pub fn whereis<R: PortRef>(&self, name: &str) -> Result<R, WhereisError> {
        let found = self.registered_ports().get(name);
        let port = found.ok_or_else(|| WhereisError::Unknown(name.into()))?;
        match typed::<R::Msg>(Arc::clone(&port)) {
            Some(port) => Ok(Handle::local(port).into()),
            None => Err(WhereisError::OtherType {
                name: name.into(),
                port: port.port_id(),
                handle: std::any::type_name::<R>(),
            }),
        }
    }

    /// The ID of the port of this node that has the name.
    #[must_use]
    pub fn whereis_id(&self, name: &str) -> Option<PortId> {
        Some(self.registered_ports().get(name)?.port_id())
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
        loop {
            let mut more = pin!(self.registered_ports().more.notified());
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
        let table = self.registered_ports().table.lock();
        let all = table.names.iter();
        let alive: Vec<_> = all
            .filter_map(|(name, member)| Some((String::from(&**name), member.alive()?)))
            .collect();
        drop(table);
        let alive = alive.into_iter();
        alive.map(|(name, port)| (name, port.port_id())).collect()
    }
}
