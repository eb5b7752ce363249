//! Handles as keys: equal, ordered and hashed as the IDs of their ports.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{Handle, To};
use crate::message::Message;

impl<M: Message> PartialEq for Handle<M> {
    /// Two handles are equal if they belong to the same port. The comparison allocates only if one of two handles of
    /// a port of this node was made from its ID with another message type.
    fn eq(&self, other: &Self) -> bool {
        match (&self.to, &other.to) {
            // A port and its cell are one to one, so addresses are enough.
            (To::Local(this), To::Local(other)) => {
                Arc::as_ptr(this).addr() == Arc::as_ptr(other).addr()
            }
            (To::Far(this), To::Far(other)) => this.id == other.id,
            (To::Local(port), To::Far(to)) | (To::Far(to), To::Local(port)) => {
                port.node().id().as_str() == to.id.node()
                    && port.node().local_port_id(&**port) == to.id
            }
        }
    }
}

impl<M: Message> Eq for Handle<M> {}

impl<M: Message> Ord for Handle<M> {
    /// The order of the ports' IDs.
    fn cmp(&self, other: &Self) -> Ordering {
        self.id().cmp(&other.id())
    }
}

impl<M: Message> PartialOrd for Handle<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M: Message> Hash for Handle<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}
