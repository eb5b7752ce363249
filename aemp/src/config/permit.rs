//! Permits: functions that other nodes may run here.

use std::{fmt, str::FromStr};

/// A permit to have functions run here: a pattern of node IDs, and a pattern of functions. In both, `*` stands for any
/// text, and `?` for any character. It is written `NODES=FUNCTIONS`.
///
/// ```
/// use aemp::config::Permit;
///
/// let permit: Permit = "worker/*=My::Worker::*".parse()?;
/// assert!(permit.permits("worker/7", "My::Worker::start"));
/// assert!(!permit.permits("worker/7", "My::Master::start"));
/// assert!(!permit.permits("intruder", "My::Worker::start"));
/// # Ok::<_, aemp::config::PermitError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    nodes: String,
    functions: String,
}

impl Permit {
    /// Creates a permit from a pattern of node IDs and a pattern of functions.
    pub fn new(nodes: impl Into<String>, functions: impl Into<String>) -> Self {
        let (nodes, functions) = (nodes.into(), functions.into());
        Self { nodes, functions }
    }

    /// True if this permits a node to have a function run.
    #[must_use]
    pub fn permits(&self, node: &str, function: &str) -> bool {
        matches(&self.nodes, node) && matches(&self.functions, function)
    }
}

/// The error of a text that is not a [`Permit`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected NODES=FUNCTIONS, such as \"worker/*=My::Worker::*\", found {text:?}")]
pub struct PermitError {
    text: String,
}

impl FromStr for Permit {
    type Err = PermitError;

    /// Splits at the last `=`, because names of functions contain none.
    fn from_str(text: &str) -> Result<Self, PermitError> {
        match text.rsplit_once('=') {
            Some((nodes, functions))
                if !nodes.trim().is_empty() && !functions.trim().is_empty() =>
            {
                Ok(Self::new(nodes.trim(), functions.trim()))
            }
            _ => Err(PermitError { text: text.into() }),
        }
    }
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.nodes, self.functions)
    }
}

/// True if the text matches the pattern. This takes at most the product of their lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // The positions behind the last star, in the pattern and in the text, from which to try again.
    let mut star = None;
    loop {
        let rest = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((pattern.clone(), rest.clone()));
                text = rest;
            }
            (Some('?'), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => {
                let Some((behind, tried)) = &mut star else {
                    return false;
                };
                if tried.next().is_none() {
                    return false;
                }
                (pattern, text) = (behind.clone(), tried.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything::at/all", true),
            ("a*", "a", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*::start", "My::start", true),
            ("*::start", "My::started", false),
            ("?", "\u{e4}", true),
            ("a?c", "ac", false),
            ("**b*", "aab", true),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_last_sign_divides() {
        let permit: Permit = " odd=node/* = My::* ".parse().unwrap();
        assert_eq!(permit, Permit::new("odd=node/*", "My::*"));
        assert_eq!(permit.to_string(), "odd=node/*=My::*");
        for text in ["", "node", "=My::x", "node="] {
            assert!(
                text.parse::<Permit>()
                    .unwrap_err()
                    .to_string()
                    .contains("expected NODES=FUNCTIONS")
            );
        }
    }
}
