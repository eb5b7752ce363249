//! Node IDs and port IDs: the addresses of nodes and ports.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::IdError;

/// The longest node ID, in bytes.
const MAX_NODE: usize = 255;

/// The name of a node in its network. Cheap to clone.
///
/// ```
/// use aemp_codec::NodeId;
///
/// let node = NodeId::new("worker/1").unwrap();
/// assert_eq!(node.as_str(), "worker/1");
/// assert!(NodeId::new("worker#1").is_err());
/// ```
#[derive(Clone)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// Creates a node ID from a text.
    ///
    /// # Errors
    ///
    /// If the text is empty, longer than 255 bytes, or contains `#`, `;`, white space or control characters.
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        let text = text.as_ref();
        check_node(text)?;
        Ok(Self(text.into()))
    }

    /// The empty ID of a node that has not joined a network.
    #[must_use]
    pub fn unnamed() -> Self {
        static UNNAMED: LazyLock<NodeId> = LazyLock::new(|| NodeId("".into()));
        UNNAMED.clone()
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if this is the empty ID of a node that has not joined a network.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_node(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_NODE {
        return Err(IdError::TooLong(text.len()));
    }
    let forbidden = |c: &char| matches!(c, '#' | ';') || c.is_control() || c.is_whitespace();
    match text.chars().find(forbidden) {
        Some(c) => Err(IdError::Forbidden(c)),
        None => Ok(()),
    }
}

/// The address of a port, `node#name`. Cheap to clone.
///
/// A bare node ID is the address of that node's own port, whose name is empty. A port of a node that has not joined a
/// network is `#name`.
///
/// ```
/// use aemp_codec::PortId;
///
/// let port = PortId::parse("worker/1#queue#2").unwrap();
/// assert_eq!((port.node(), port.name()), ("worker/1", "queue#2"));
/// assert!(PortId::parse("worker/1").unwrap().is_node_port());
/// ```
#[derive(Clone)]
pub struct PortId(Arc<str>);

impl PortId {
    /// The port with this name on this node. With an empty name it is the node's own port.
    #[must_use]
    pub fn new(node: &NodeId, name: &str) -> Self {
        match (node.as_str(), name) {
            ("", "") => Self("#".into()),
            (node, "") => Self(node.into()),
            (node, name) => {
                // Each call to another node makes an ID, and formatting costs three times as much.
                let mut id = String::with_capacity(node.len() + 1 + name.len());
                id.push_str(node);
                id.push('#');
                id.push_str(name);
                Self(id.into())
            }
        }
    }

    /// Parses a port ID.
    ///
    /// # Errors
    ///
    /// If the text is empty, or the part before the first `#` is not a node ID.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let Some((node, name)) = text.split_once('#') else {
            check_node(text)?;
            return Ok(Self(text.into()));
        };
        if !node.is_empty() {
            check_node(node)?;
        }
        // "node#" and "node" are the same port, so they become the same text.
        let whole = if name.is_empty() && !node.is_empty() {
            node
        } else {
            text
        };
        Ok(Self(whole.into()))
    }

    /// The ID of the port's node. It is empty for a node that has not joined a network.
    #[must_use]
    pub fn node(&self) -> &str {
        self.0.split_once('#').map_or(&*self.0, |(node, _)| node)
    }

    /// The port's name on its node. It is empty for the node's own port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('#').map_or("", |(_, name)| name)
    }

    /// The ID of the port's node.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        match self.node() {
            "" => NodeId::unnamed(),
            node => NodeId(node.into()),
        }
    }

    /// True if this is a node's own port.
    #[must_use]
    pub fn is_node_port(&self) -> bool {
        self.name().is_empty()
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<NodeId> for PortId {
    /// The node's own port.
    fn from(node: NodeId) -> Self {
        if node.is_unnamed() {
            Self::new(&node, "")
        } else {
            Self(node.0)
        }
    }
}

/// The common part of both kinds of ID: they are text, and are compared as text.
macro_rules! text_id {
    ($id:ident, $parse:path, $receive:path, $name:literal) => {
        impl PartialEq for $id {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl Eq for $id {}

        impl PartialOrd for $id {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $id {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.cmp(&other.0)
            }
        }

        impl Hash for $id {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl Borrow<str> for $id {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $id {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($id), &*self.0)
            }
        }

        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                $parse(text)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $id;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($name)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$id, E> {
                        $receive(text).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}

/// A node ID from the wire, which may be the empty ID of an unnamed node.
fn receive_node(text: &str) -> Result<NodeId, IdError> {
    if text.is_empty() {
        Ok(NodeId::unnamed())
    } else {
        NodeId::new(text)
    }
}

text_id!(NodeId, NodeId::new, receive_node, "a node ID");
text_id!(PortId, PortId::parse, PortId::parse, "a port ID");
