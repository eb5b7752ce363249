//! The places of keys' values in a file.

use std::{collections::HashMap, fmt};

/// A position in a text. Both numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The number of the line.
    pub line: usize,
    /// The number of the character in the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The positions of values, by the keys that lead to them, down to the keys of profiles.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(HashMap<Vec<String>, Position>);

impl Places {
    /// The depth of a profile's key: `profile`, the name, and the key.
    pub(super) const DEPTH: usize = 3;

    /// Creates the positions of values that begin at these offsets, in ascending order.
    pub(super) fn new(text: &str, spots: Vec<(Vec<String>, usize)>) -> Self {
        let mut places = HashMap::with_capacity(spots.len());
        let (mut line, mut column, mut seen) = (1, 1, 0);
        for (path, at) in spots {
            for c in text[seen..at].chars() {
                (line, column) = if c == '\n' {
                    (line + 1, 1)
                } else {
                    (line, column + 1)
                };
            }
            seen = at;
            // If a key occurs twice, the last one counts, as in the reference.
            places.insert(path, Position { line, column });
        }
        Self(places)
    }

    pub(super) fn of(&self, path: &[&str]) -> Option<Position> {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        self.0.get(&path).copied()
    }

    /// Forgets a value that was changed, so that the file's text no longer shows it.
    pub(super) fn forget(&mut self, path: &[&str]) {
        let below = |other: &Vec<String>| {
            other.len() >= path.len() && path.iter().zip(other).all(|(a, b)| a == b)
        };
        self.0.retain(|other, _| !below(other));
    }
}
