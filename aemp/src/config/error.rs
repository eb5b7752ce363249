//! The errors of a configuration.

mod syntax;
mod value;

use std::{fmt, io, path::PathBuf, time::Duration};

pub use self::{
    syntax::SyntaxError,
    value::{Expected, ValueError},
};
use super::Position;

/// The reason why a configuration cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither `$PERL_ANYEVENT_MP_RC` nor a home directory gives the path of the file.
    #[error("no configuration file: neither PERL_ANYEVENT_MP_RC nor HOME is set")]
    NoPath,
    /// The file exists, but cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file cannot be written. Its old content is still there.
    #[error("{}: cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file is not valid JSON.
    #[error("{}:{position}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The position of the mistake.
        position: Position,
        /// The mistake.
        problem: SyntaxError,
    },
    /// Another process changed the file after it was read. Nothing was written.
    #[error("{}: another process has changed it meanwhile", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Another process has kept the file [locked](super::ConfigFile::lock) for too long. Nothing was written.
    #[error(
        "{}: another process has been changing it for {} s (the lock is {}~lock)",
        path.display(), waited.as_secs(), path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The time that was waited.
        waited: Duration,
    },
    /// A key has a value that it cannot have.
    #[error("{place}: {problem}")]
    Value {
        /// The place of the value.
        place: Box<Place>,
        /// The problem of the value.
        problem: ValueError,
    },
    /// A profile has a parent that does not exist. AEMP takes such a parent for an empty profile.
    #[error("{place}: there is no profile {parent:?}{}", hint(near.as_deref()))]
    NoParent {
        /// The place of the key `parent`.
        place: Box<Place>,
        /// The name of the parent.
        parent: String,
        /// An existing name that is similar.
        near: Option<String>,
    },
    /// The parents of a profile form a circle, which AEMP allows.
    #[error("{}: the parents of profiles form a circle: {circle}", path.display())]
    Circle {
        /// The file.
        path: PathBuf,
        /// The names of the profiles, as `a -> b -> a`.
        circle: String,
    },
    /// There is no such key.
    #[error("there is no key {key:?}{}", hint(near.as_deref()))]
    NoKey {
        /// The name that was given.
        key: String,
        /// An existing name that is similar.
        near: Option<String>,
    },
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

/// The place of a value in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file and the position in it, if the value came from there.
    pub file: Option<(PathBuf, Option<Position>)>,
    /// The profile; `None` for the top level, and for values from other sources.
    pub profile: Option<String>,
    /// The key, or the environment variable.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((path, position)) = &self.file {
            write!(f, "{}:", path.display())?;
            if let Some(position) = position {
                write!(f, "{position}:")?;
            }
            f.write_str(" ")?;
        }
        match &self.profile {
            Some(profile) if self.key.is_empty() => write!(f, "profile {profile:?}"),
            Some(profile) => write!(f, "profile {profile:?}: {}", self.key),
            None => f.write_str(&self.key),
        }
    }
}
