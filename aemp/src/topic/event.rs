//! The events of a subscription.

use std::sync::Arc;

use aemp_codec::NodeId;

use super::pending::Counted;
use crate::guard;

/// An event of a [`Subscription`](super::Subscription).
///
/// Code that only wants the messages uses [`message`](Self::message).
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum TopicEvent<T> {
    /// A message. All subscribers of a node share it.
    Message(Arc<T>),
    /// The retained message of the topic, which was published before this subscriber was known.
    Retained(Arc<T>),
    /// This subscriber was too slow: so many messages were lost here.
    Missed(u64),
    /// Messages were lost on the way to this node, or may have been.
    Gap(Gap),
}

impl<T> TopicEvent<T> {
    /// The message, retained or not.
    #[must_use]
    pub fn message(self) -> Option<Arc<T>> {
        match self {
            Self::Message(message) | Self::Retained(message) => Some(message),
            Self::Missed(_) | Self::Gap(_) => None,
        }
    }
}

impl<T> Clone for TopicEvent<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Message(message) => Self::Message(Arc::clone(message)),
            Self::Retained(message) => Self::Retained(Arc::clone(message)),
            Self::Missed(messages) => Self::Missed(*messages),
            Self::Gap(gap) => Self::Gap(gap.clone()),
        }
    }
}

/// Messages that were lost on the way between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The node that has published them. `None` if they may be of any other node, because this node had to begin anew.
    pub node: Option<NodeId>,
    /// Their number. `None` if it is not known, and may be zero: the node is lost. When it is back, a second gap gives
    /// the number, unless it is zero.
    pub messages: Option<u64>,
}

impl Gap {
    pub(super) fn of(node: &NodeId, messages: Option<u64>) -> Self {
        let node = Some(node.clone());
        Self { node, messages }
    }

    pub(super) const ANY: Self = Self {
        node: None,
        messages: None,
    };
}

/// A message that is shared by subscribers. The last one drops it as the user's code.
pub(super) struct Shared<T>(Option<Arc<T>>);

impl<T> Shared<T> {
    pub(super) fn new(message: T) -> Self {
        Self(Some(Arc::new(message)))
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        guard::discard(self.0.take());
    }
}

/// An event on its way to one subscriber.
pub(super) enum Item<T> {
    Message(Shared<T>),
    Retained(Shared<T>),
    Gap(Box<Gap>),
}

impl<T> Item<T> {
    pub(super) fn message(&self) -> Option<&T> {
        match self {
            Self::Message(message) | Self::Retained(message) => message.get(),
            Self::Gap(_) => None,
        }
    }

    pub(super) fn event(self) -> Option<TopicEvent<T>> {
        match self {
            Self::Message(mut message) => message.0.take().map(TopicEvent::Message),
            Self::Retained(mut message) => message.0.take().map(TopicEvent::Retained),
            Self::Gap(gap) => Some(TopicEvent::Gap(*gap)),
        }
    }
}

impl<T> Clone for Item<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Message(message) => Self::Message(message.clone()),
            Self::Retained(message) => Self::Retained(message.clone()),
            Self::Gap(gap) => Self::Gap(gap.clone()),
        }
    }
}

impl<T> Counted for Item<T> {
    /// A gap of unknown size counts as one, so that it is never lost without a trace.
    fn messages(&self) -> u64 {
        match self {
            Self::Message(_) | Self::Retained(_) => 1,
            Self::Gap(gap) => gap.messages.unwrap_or(1),
        }
    }
}
