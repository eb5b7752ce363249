//! Names of families and keys ([protocol](crate::protocol::global#the-database)).

use thiserror::Error;

/// The family of listeners: the key is a node ID, and the value an array of `host:port`.
pub const LISTENERS: &str = "'l";
/// The family of global nodes: the key is a node ID, and the value null.
pub const GLOBALS: &str = "'g";

/// The longest name that nodes may give to families, ports, functions and nodes, in bytes. Keys have no such limit.
pub const LONGEST_NAME: usize = 255;

/// The reason why a text is not a valid name of a family or key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name of the family is empty.
    #[error("the name of a database family must not be empty")]
    NoFamily,
    /// The family's name has a character that is not allowed there.
    #[error("database family {family:?}: {found:?} is not allowed {}", if *.first { "as the first character: it must be a letter" } else { "in it: only letters, digits, `_` and `:` are" })]
    Family {
        /// The name.
        family: String,
        /// The character.
        found: char,
        /// True if it is the first character.
        first: bool,
    },
    /// A family's name is too long.
    #[error("the name of a database family must not be longer than 255 bytes, this one has {0}")]
    LongFamily(usize),
    /// A key is empty.
    #[error("database family {family:?}: a key must not be empty")]
    NoKey {
        /// The family.
        family: String,
    },
}

/// Checks the name of a family that a user may change: `[A-Za-z][A-Za-z0-9_:]*`, at most 255 bytes.
///
/// ```
/// use aemp_proto::global::check_family;
///
/// assert!(check_family("My::workers").is_ok());
/// assert_eq!(
///     check_family("my-workers").unwrap_err().to_string(),
///     "database family \"my-workers\": '-' is not allowed in it: only letters, digits, `_` and `:` are"
/// );
/// ```
///
/// # Errors
///
/// [`NameError`] with the mistake. The protocol's own families (`'l`, `'g`) are errors, because users may not change
/// them.
pub fn check_family(family: &str) -> Result<(), NameError> {
    if family.len() > LONGEST_NAME {
        return Err(NameError::LongFamily(family.len()));
    }
    let mut characters = family.chars();
    let first = characters.next().ok_or(NameError::NoFamily)?;
    let wrong = |found, first| NameError::Family {
        family: family.into(),
        found,
        first,
    };
    if !first.is_ascii_alphabetic() {
        return Err(wrong(first, true));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "_:".contains(*c);
    match characters.find(|c| !allowed(c)) {
        Some(found) => Err(wrong(found, false)),
        None => Ok(()),
    }
}

/// Checks the name of a family that is to be read. This allows the names of [`check_family`], and the protocol's own
/// families.
///
/// # Errors
///
/// [`NameError`] with the mistake.
pub fn check_readable(family: &str) -> Result<(), NameError> {
    if family == LISTENERS || family == GLOBALS {
        return Ok(());
    }
    check_family(family)
}

/// Checks a key. Any text but the empty one is valid.
///
/// # Errors
///
/// [`NameError::NoKey`] if the key is empty.
pub fn check_key(family: &str, key: &str) -> Result<(), NameError> {
    if key.is_empty() {
        let family = family.into();
        return Err(NameError::NoKey { family });
    }
    Ok(())
}

/// True if a key belongs to a node by its name: the node's ID, or the ID of a port of the node.
pub(super) fn is_own_key(node: &str, key: &str) -> bool {
    key.strip_prefix(node)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_families_follow_the_protocol() {
        for family in ["a", "Z9", "My::Family", "a_b"] {
            assert_eq!(check_family(family), Ok(()), "{family}");
        }
        for family in ["", "9a", "_a", ":a", "a-b", "a b", "ä", "'l", "aä"] {
            assert!(check_family(family).is_err(), "{family}");
        }
        assert!(check_readable("'l").is_ok() && check_readable("'x").is_err());
        assert!(check_family(&"a".repeat(255)).is_ok() && check_family(&"a".repeat(256)).is_err());
    }

    #[test]
    fn invalid_names_are_explained() {
        let text = |family| check_family(family).unwrap_err().to_string();
        assert_eq!(text(""), "the name of a database family must not be empty");
        assert_eq!(
            text("1st"),
            "database family \"1st\": '1' is not allowed as the first character: it must be a letter"
        );
        assert_eq!(
            check_key("f", "").unwrap_err().to_string(),
            "database family \"f\": a key must not be empty"
        );
    }

    #[test]
    fn ports_belong_to_their_node() {
        assert!(is_own_key("a", "a") && is_own_key("a", "a#port"));
        assert!(!is_own_key("a", "ab") && !is_own_key("a", "b#a") && !is_own_key("a", "a/1#p"));
    }
}
