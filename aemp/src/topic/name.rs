//! The families of a topic: a topic's name is any text, and a family's name is not.

use aemp_codec::NodeId;
use thiserror::Error;

use aemp_proto::global::LONGEST_NAME;

/// The beginning of the families of subscribers.
pub(super) const SUBSCRIBERS: &str = "Aemp::topic:";
/// The beginning of the families of members.
pub(super) const MEMBERS: &str = "Aemp::presence:";

/// The error of a topic's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TopicNameError {
    /// The name is empty.
    #[error("the name of a topic must not be empty")]
    Empty,
    /// The name is too long for a family of the database.
    #[error("the name of a topic takes {0} bytes as the name of a family, which has at most 255")]
    Long(usize),
}

/// The family of a topic: ASCII letters, digits and `:` stand for themselves, each other byte of the name is `_` and two
/// hexadecimal digits.
pub(super) fn family(beginning: &str, topic: &str) -> Result<String, TopicNameError> {
    if topic.is_empty() {
        return Err(TopicNameError::Empty);
    }
    let mut family = String::from(beginning);
    for octet in topic.bytes() {
        if octet.is_ascii_alphanumeric() || octet == b':' {
            family.push(char::from(octet));
        } else {
            family.push_str(&format!("_{octet:02x}"));
        }
    }
    match family.len() {
        0..=LONGEST_NAME => Ok(family),
        long => Err(TopicNameError::Long(long)),
    }
}

/// The node of a port whose ID is a key, as far as the key is a port ID.
pub(super) fn port_of(key: &str) -> Option<(aemp_codec::PortId, NodeId)> {
    let port = aemp_codec::PortId::parse(key).ok()?;
    let node = port.node_id();
    (!port.is_node_port()).then_some((port, node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aemp_proto::global::check_family;

    #[test]
    fn any_text_becomes_a_family_of_its_own() {
        let topics = [
            "room:42",
            "room_42",
            "room 42",
            "Räume/ü",
            "'l",
            "_5f",
            "_",
            "\0",
            "雨",
        ];
        let families: Vec<_> = topics
            .iter()
            .map(|topic| family(SUBSCRIBERS, topic).unwrap())
            .collect();
        for (at, family) in families.iter().enumerate() {
            assert_eq!(check_family(family), Ok(()));
            assert!(!families[..at].contains(family), "{family} twice");
        }
        assert_eq!(families[0], "Aemp::topic:room:42");
        assert_eq!(families[2], "Aemp::topic:room_2042");
    }

    #[test]
    fn a_name_has_a_limit() {
        assert_eq!(family(SUBSCRIBERS, ""), Err(TopicNameError::Empty));
        let longest = 255 - SUBSCRIBERS.len();
        assert!(family(SUBSCRIBERS, &"x".repeat(longest)).is_ok());
        let error = family(SUBSCRIBERS, &"x".repeat(longest + 1)).unwrap_err();
        assert_eq!(error, TopicNameError::Long(256));
        assert!(family(SUBSCRIBERS, &" ".repeat(longest / 3 + 1)).is_err());
    }
}
