//! Streams in messages.
//!
//! An end that is sent to another node is announced in this node's table under a random ID, and the message carries the
//! node and the ID. The receiver connects when it first uses its end, so a peer cannot make a node connect by messages
//! alone. The ID is the permission: any member of the network that knows it gets the stream, as the message may have
//! been passed on.
//!
//! The ID also tells the ways that the bytes may take: that of a stream that may begin over the connection of the nodes
//! ([`inline`](super::inline)) has a prefix.

use std::{fmt::Write as _, mem};

use aemp_codec::NodeId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use tokio::sync::oneshot;

use super::{ByteStream, End, Local, Opened, WAIT, inline::PREFIX};
use crate::{
    Node,
    lock::Lock,
    node::streams::{Key, Then, is_id},
    port::handle::decoding_node,
};

/// The end of a pair that can be sent.
pub(super) struct Offer {
    node: Node,
    /// True if its bytes may take the connection of the nodes.
    inline: bool,
    state: Lock<State>,
}

enum State {
    /// The other end waits here.
    Here(oneshot::Sender<Opened>),
    /// It was announced under this ID.
    Sent(String),
    Gone,
}

impl Offer {
    pub(super) fn new(node: &Node, inline: bool) -> (Self, oneshot::Receiver<Opened>) {
        let (sender, receiver) = oneshot::channel();
        let offer = Self {
            node: node.clone(),
            inline,
            state: Lock::new(State::Here(sender)),
        };
        (offer, receiver)
    }

    /// Uses the end in this process.
    pub(super) fn stay(&self) -> End {
        let before = mem::replace(&mut *self.state.lock(), State::Gone);
        match before {
            State::Here(other) => meet(other),
            State::Sent(_) | State::Gone => End::Failed("this end was sent to another node".into()),
        }
    }

    /// The ID under which the end is announced.
    fn announce(&self) -> Result<String, String> {
        let mut state = self.state.lock();
        if let State::Sent(id) = &*state {
            return Ok(id.clone());
        }
        let prefix = if self.inline { PREFIX } else { "" };
        let id = format!("{prefix}{}", random_id(&self.node)?);
        if let State::Here(waits) = mem::replace(&mut *state, State::Sent(id.clone())) {
            let (from, id) = (None, id.clone());
            self.node
                .expect(Key { from, id }, Then::Offer(waits), WAIT)?;
        }
        Ok(id)
    }
}

/// Connects an end of this process with the other one, which waits.
fn meet(other: oneshot::Sender<Opened>) -> End {
    let (one, two) = Local::pair();
    match other.send(Opened::Local(two)) {
        Ok(()) => End::Local(one),
        Err(_) => End::Failed("the other end was dropped".into()),
    }
}

/// An ID that cannot be guessed.
pub(super) fn random_id(node: &Node) -> Result<String, String> {
    let mut random = [0; 16];
    let filled = node.place().fill_random(&mut random);
    filled.map_err(|error| error.to_string())?;
    let mut id = String::with_capacity(2 * random.len() + 1 + node.id().as_str().len());
    for byte in random {
        let _ = write!(id, "{byte:02x}");
    }
    let _ = write!(id, "@{}", node.id());
    Ok(id)
}

/// An end that has come in a message.
pub(super) struct Fetch {
    node: Node,
    from: NodeId,
    id: String,
}

impl Fetch {
    /// Begins to connect. The task ends when the result is not wanted any more.
    pub(super) fn start(&mut self) -> End {
        if self.from == *self.node.id() {
            // The message has not left this node, or has come back.
            let other = self.node.take_offer(&self.id);
            return other.map_or_else(|| End::Failed("it is not offered any more".into()), meet);
        }
        let (sender, receiver) = oneshot::channel();
        let (node, from, id) = (
            self.node.clone(),
            self.from.clone(),
            mem::take(&mut self.id),
        );
        let scheduler = self.node.scheduler().clone();
        scheduler.spawn(super::open::fetch(node, from, id, sender));
        End::Waits(receiver.into())
    }
}

impl Serialize for ByteStream {
    /// Announces the stream, and writes the node and the ID of the stream.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let End::Offered(offer) = &self.end else {
            let text = "only an unused end of `Node::stream` can be sent";
            return Err(ser::Error::custom(text));
        };
        let id = offer.announce().map_err(ser::Error::custom)?;
        (offer.node.id().as_str(), id).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ByteStream {
    /// Works only while a message is being decoded.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (from, id) = <(String, String)>::deserialize(deserializer)?;
        if !is_id(&id) {
            return Err(de::Error::custom("not the ID of a stream"));
        }
        let node = decoding_node().ok_or_else(|| {
            de::Error::custom("a stream can be deserialised only while a message is being decoded")
        })?;
        // A node without a network has no valid ID.
        let from = match from == node.id().as_str() {
            true => node.id().clone(),
            false => NodeId::new(&from).map_err(de::Error::custom)?,
        };
        Ok(Self::new(End::Fetch(Fetch { node, from, id })))
    }
}
