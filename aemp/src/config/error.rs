//! The errors of a configuration.

use std::{fmt, io, path::PathBuf, time::Duration};

use super::Position;

/// Why a configuration cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither `$PERL_ANYEVENT_MP_RC` nor a home directory says where the file is.
    #[error("no configuration file: neither PERL_ANYEVENT_MP_RC nor HOME is set")]
    NoPath,
    /// The file is there, but cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The file cannot be written. What was there before is still there.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("{}:{position}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        position: Position,
        /// What was expected there, and what was found.
        problem: String,
    },
    /// The file was changed by somebody else after it was read; nothing was written.
    #[error("{}: changed by somebody else meanwhile", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file is [locked](super::ConfigFile::lock) by somebody else, who does not come to an end; nothing was written.
    #[error(
        "{}: somebody else has been changing it for {} s, and is not done (the lock is {}~lock)",
        path.display(), waited.as_secs(), path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// For how long it was waited.
        waited: Duration,
    },
    /// A value cannot be what its key needs.
    #[error("{place}: {problem}")]
    Value {
        /// Which value.
        place: Box<Place>,
        /// What was expected, and what was found.
        problem: String,
    },
    /// A profile has a parent that does not exist.
    #[error("{place}: there is no profile {parent:?}{}", hint(near.as_deref()))]
    NoParent {
        /// Which key.
        place: Box<Place>,
        /// The name that stands there.
        parent: String,
        /// The name that may have been meant.
        near: Option<String>,
    },
    /// The parents of a profile lead back to it.
    #[error("{}: the parents of profiles form a circle: {circle}", path.display())]
    Circle {
        /// The file.
        path: PathBuf,
        /// `a -> b -> a`.
        circle: String,
    },
    /// There is no such key.
    #[error("there is no key {key:?}{}", hint(near.as_deref()))]
    NoKey {
        /// The name that was given.
        key: String,
        /// The name that may have been meant.
        near: Option<String>,
    },
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

/// Which value of a configuration is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file and the position in it, if the value came from there.
    pub file: Option<(PathBuf, Option<Position>)>,
    /// The profile; `None` for the top level, and for what came from elsewhere.
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
