//! Names of families and keys ([protocol](crate::protocol::global#the-database)).

use thiserror::Error;

/// The family of listener addresses: a node ID's value is an array of `host:port`.
pub const LISTENERS: &str = "'l";
/// The family of global nodes: a node ID's value is null.
pub const GLOBALS: &str = "'g";

/// How long names are at most that nodes give each other, in bytes: of families, ports, functions and nodes. Keys are as long as they like.
pub const LONGEST_NAME: usize = 255;

/// Why something is not the name of a family or a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name of the family is empty.
    #[error("the name of a database family must not be empty")]
    NoFamily,
    /// A family's name has a character that it must not have, there.
    #[error("database family {family:?}: {found:?} is not allowed {}", if *.first { "as the first character: it must be a letter" } else { "in it: only letters, digits, `_` and `:` are" })]
    Family {
        /// The name.
        family: String,
        /// The character.
        found: char,
        /// Whether it is the first.
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
/// [`NameError`], which says what is wrong. The protocol's own families (`'l`, `'g`) are no names that a user may
/// change.
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

/// Checks the name of a family that is to be read: as [`check_family`], and the protocol's own as well.
///
/// # Errors
///
/// [`NameError`], which says what is wrong.
pub fn check_readable(family: &str) -> Result<(), NameError> {
    if family == LISTENERS || family == GLOBALS {
        return Ok(());
    }
    check_family(family)
}

/// Checks a key: any text that is not empty.
///
/// # Errors
///
/// [`NameError::NoKey`].
pub fn check_key(family: &str, key: &str) -> Result<(), NameError> {
    if key.is_empty() {
        let family = family.into();
        return Err(NameError::NoKey { family });
    }
    Ok(())
}

/// Whether a key is a node's own by its name: the node's ID, or a port of it.
pub(super) fn is_own_key(node: &str, key: &str) -> bool {
    key.strip_prefix(node)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_what_the_protocol_allows() {
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
    fn what_is_wrong_is_said() {
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
