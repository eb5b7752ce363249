//! Presence: the members of a topic, with metadata.
//!
//! A member is a port, and its entry in the topic's family of members. Port IDs are never used twice, so an entry that is
//! deleted and comes back under the same key is the same member. A member that leaves, or whose port dies, is marked in
//! its entry before the entry is deleted. So a watcher knows departures at once, and waits only after a deletion without
//! a mark, which the loss of a node causes, or a change of masters.

mod roster;
mod watch;

use std::{
    collections::BTreeMap, collections::HashMap, fmt, marker::PhantomData, sync::Arc,
    time::Duration,
};

use aemp_codec::{PortId, Value, to_value};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

pub use self::watch::{PresenceEvent, PresenceWatch};
use super::name::{self, TopicNameError};
use crate::{DbError, EncodeError, Monitor, Node, db::Watch, guard, lock::Lock};

/// The time for which the entry of a member that has left stays marked.
const MARKED: Duration = Duration::from_secs(2);

/// The members of a topic whose metadata are `M`s, made by [`Node::presence`]. Cheap to clone.
///
/// ```
/// use aemp::{Node, topic::PresenceEvent};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let room = node.presence::<String>("room:42")?;
/// let mut watch = room.watch();
/// let PresenceEvent::Here(none) = watch.next().await.ok_or("ended")? else { unreachable!("it comes first") };
/// assert!(none.is_empty());
/// let port = node.empty_port();
/// let membership = room.join(&port.id(), &"ann".to_string())?;
/// assert_eq!(watch.next().await, Some(PresenceEvent::Joined(port.id(), "ann".into())));
/// drop(membership);
/// assert_eq!(watch.next().await, Some(PresenceEvent::Left(port.id())));
/// # Ok(()) }
/// ```
pub struct Presence<M> {
    node: Node,
    family: Arc<str>,
    _meta: PhantomData<fn(M) -> M>,
}

/// The error of [`Presence::join`] and [`Membership::update`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// The port is not of this node. A node enters its own ports only.
    #[error("{0} is no port of this node, so it cannot become a member here")]
    NotHere(PortId),
    /// The metadata cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The entry cannot be set.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The members that this node has entered, by family and port, with the number of their present membership.
#[derive(Debug, Default)]
pub(crate) struct Members(Lock<Entered>);

#[derive(Debug, Default)]
struct Entered {
    last: u64,
    members: HashMap<Key, State>,
}

/// The state of a member's entry, with the number of the membership.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Present(u64),
    /// It is marked, and will be deleted.
    Marked(u64),
}

impl Node {
    /// The members of a topic that are present, with metadata. It needs no topic of the same name.
    ///
    /// # Errors
    ///
    /// [`TopicNameError`], as for [`topic`](Self::topic), with a limit of 240 instead of 243.
    pub fn presence<M: Serialize + DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Presence<M>, TopicNameError> {
        Ok(Presence {
            node: self.clone(),
            family: name::family(name::MEMBERS, name)?.into(),
            _meta: PhantomData,
        })
    }
}

impl<M: Serialize> Presence<M> {
    /// Makes a port of this node a member, until the result is dropped or the port dies. A port that is a member already
    /// gets the new metadata, and belongs to the new result.
    ///
    /// # Errors
    ///
    /// [`PresenceError`].
    pub fn join(&self, port: &PortId, meta: &M) -> Result<Membership<M>, PresenceError> {
        if !self.node.port_is_local(port) || port.is_node_port() {
            return Err(PresenceError::NotHere(port.clone()));
        }
        let value = encode(meta)?;
        let key = (Arc::clone(&self.family), port.clone());
        let number = self.node.members().enter(&self.node, &key, value)?;
        let (node, of) = (self.node.clone(), key.clone());
        let monitor = self.node.mon(port, move |_| leave(&node, &of, number));
        Ok(Membership {
            node: self.node.clone(),
            key,
            number,
            _monitor: monitor,
            _meta: PhantomData,
        })
    }
}

impl<M: DeserializeOwned> Presence<M> {
    /// Watches the members: those that are present, and then each that joins or leaves.
    #[must_use]
    pub fn watch(&self) -> PresenceWatch<M> {
        PresenceWatch::new(&self.node, Watch::new(&self.node, &self.family))
    }

    /// The members that are present now, with their metadata. A program that needs them often keeps a
    /// [`watch`](Self::watch).
    ///
    /// # Errors
    ///
    /// [`DbError::Stopped`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn members(&self) -> Result<BTreeMap<PortId, M>, DbError> {
        match self.watch().next().await {
            Some(PresenceEvent::Here(members)) => Ok(members),
            _ => Err(DbError::Stopped),
        }
    }
}

fn encode<M: Serialize>(meta: &M) -> Result<Value, EncodeError> {
    let value = guard::attempt(|| to_value(meta));
    let value = value.unwrap_or_else(|text| Err(EncodeError::Custom(text)))?;
    Ok(Value::Array(vec![value]))
}

type Key = (Arc<str>, PortId);

impl Members {
    /// Sets a member's entry. The entry and the number change together.
    fn enter(&self, node: &Node, key: &Key, value: Value) -> Result<u64, DbError> {
        let mut entered = self.0.lock();
        node.db_set(&key.0, key.1.as_str(), value)?;
        entered.last += 1;
        let number = entered.last;
        entered.members.insert(key.clone(), State::Present(number));
        Ok(number)
    }

    /// Sets a present member's entry, if this is still its membership. It stays present, or is marked now.
    fn change(
        &self,
        node: &Node,
        key: &Key,
        number: u64,
        value: Value,
        to: State,
    ) -> Result<bool, DbError> {
        let mut entered = self.0.lock();
        let Some(state) = entered
            .members
            .get_mut(key)
            .filter(|state| **state == State::Present(number))
        else {
            return Ok(false);
        };
        node.db_set(&key.0, key.1.as_str(), value)?;
        *state = to;
        Ok(true)
    }

    /// Deletes a member's entry, if it is still marked.
    fn delete(&self, node: &Node, key: &Key, number: u64) {
        let mut entered = self.0.lock();
        if entered.members.get(key) == Some(&State::Marked(number)) {
            entered.members.remove(key);
            let _ = node.db_del(&key.0, [key.1.as_str()]);
        }
    }
}

/// Marks the entry of a member that leaves, and deletes it later.
fn leave(node: &Node, key: &Key, number: u64) {
    let mark = Value::Array(Vec::new());
    let marked = node
        .members()
        .change(node, key, number, mark, State::Marked(number));
    if marked.unwrap_or(false) {
        let (weak, key) = (node.downgrade(), key.clone());
        let delete = move || {
            if let Some(node) = weak.upgrade() {
                node.members().delete(&node, &key, number);
            }
        };
        let _timer = node.after(MARKED, delete);
    }
}

/// A member of this node, made by [`Presence::join`]. Dropping it makes the member leave.
#[must_use = "dropping it makes the member leave"]
pub struct Membership<M> {
    node: Node,
    key: Key,
    number: u64,
    _monitor: Monitor,
    _meta: PhantomData<fn(M)>,
}

impl<M: Serialize> Membership<M> {
    /// Changes the metadata. Nothing happens if the member has left, or has joined anew.
    ///
    /// # Errors
    ///
    /// [`PresenceError`].
    pub fn update(&self, meta: &M) -> Result<(), PresenceError> {
        let value = encode(meta)?;
        let (members, number) = (self.node.members(), self.number);
        members.change(&self.node, &self.key, number, value, State::Present(number))?;
        Ok(())
    }
}

impl<M> Drop for Membership<M> {
    fn drop(&mut self) {
        leave(&self.node, &self.key, self.number);
    }
}

impl<M> Clone for Presence<M> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            family: Arc::clone(&self.family),
            _meta: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Presence<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence")
            .field("family", &self.family)
            .finish_non_exhaustive()
    }
}

impl<M> fmt::Debug for Membership<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("port", &self.key.1)
            .finish_non_exhaustive()
    }
}
