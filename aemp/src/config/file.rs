//! The configuration file.
//!
//! A file that was not understood gives no `ConfigFile`, and a file that has changed since it was loaded is not saved
//! over. So nothing in the file is lost by a program. A node reads the file only if the program asks for it: a library
//! must not depend on the home directory of its user.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use aemp_codec::{Map, Value};

use super::{
    ConfigError, Environment, Expected, Place, Position, ValueError, exposure,
    lock::{self, Hold},
    parse::{self, Fault},
    places::Places,
    read, save, write,
};

/// The configuration file that AEMP programs in Rust and in Perl share ([protocol](aemp_proto::protocol::configuration#the-file)).
///
/// It contains the whole document, so unknown keys survive a change. Comments do not survive. As the reference does,
/// [`save`](Self::save) keeps the old file beside the new one, with `~` behind its name.
///
/// A file that is [loaded](Self::load) may have comments (`#` to the end of the line) and commas behind last elements.
/// A file that cannot be read and parsed gives no `ConfigFile`, so it is never overwritten.
///
/// If two programs [load](Self::load), change and save the file at the same time, one of them gets the error
/// [`Changed`](ConfigError::Changed). If they [lock](Self::lock) it instead, as the command `aemp` does, the second
/// waits, and then changes the result of the first.
///
/// ```
/// use aemp::config::ConfigFile;
///
/// # let dir = std::env::temp_dir().join(format!("aemp-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("rc");
/// let mut file = ConfigFile::lock(&path)?;
/// file.set(None, "secret", "between friends")?;
/// file.set(Some("worker"), "seeds", "10.0.0.1:4040,10.0.0.2:4040")?;
/// file.add(Some("worker"), "seeds", "10.0.0.3:4040")?;
/// file.save()?;
///
/// let file = ConfigFile::load(&path)?;
/// assert_eq!(file.profiles()?, ["worker"]);
/// let seeds = file.value(Some("worker"), "seeds")?.unwrap();
/// assert_eq!(seeds.to_string(), r#"["10.0.0.1:4040","10.0.0.2:4040","10.0.0.3:4040"]"#);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ConfigFile {
    path: PathBuf,
    pub(super) map: Map,
    pub(super) places: Places,
    /// The document as it is in the file.
    saved: Map,
    /// The content of the file; `None` if it does not exist.
    octets: Option<Vec<u8>>,
    hold: Hold,
}

impl ConfigFile {
    /// The default path of the file: `$PERL_ANYEVENT_MP_RC`, or `~/.perl-anyevent-mp`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPath`] if there is neither the variable nor a home directory.
    pub fn default_path(environment: &Environment) -> Result<PathBuf, ConfigError> {
        let home = || {
            environment
                .path("HOME")
                .map(|home| home.join(".perl-anyevent-mp"))
        };
        let app_data = || {
            environment
                .path("APPDATA")
                .map(|home| home.join("perl-anyevent-mp"))
        };
        environment
            .path("PERL_ANYEVENT_MP_RC")
            .or_else(home)
            .or_else(app_data)
            .ok_or(ConfigError::NoPath)
    }

    /// Reads the file at its [default path](Self::default_path).
    ///
    /// # Errors
    ///
    /// Like [`load`](Self::load), and [`ConfigError::NoPath`].
    pub fn load_default(environment: &Environment) -> Result<Self, ConfigError> {
        Self::load(Self::default_path(environment)?)
    }

    /// Reads a file. A file that does not exist or is empty is an empty configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Read`] if it cannot be read; [`ConfigError::Syntax`], with line and column, if it cannot be
    /// parsed.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let octets = match std::fs::read(&path) {
            Ok(octets) => Some(octets),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(ConfigError::Read { path, error }),
        };
        let parsed = parse::document(octets.as_deref().unwrap_or_default());
        match parsed {
            Ok(parsed) => {
                let (map, places) = parsed.unwrap_or_else(|| (empty(), Places::default()));
                let saved = map.clone();
                Ok(Self {
                    path,
                    map,
                    places,
                    saved,
                    octets,
                    hold: Hold::None,
                })
            }
            Err(Fault { at, problem }) => Err(ConfigError::Syntax {
                path,
                position: at,
                problem,
            }),
        }
    }

    /// Reads a file like [`load`](Self::load), in order to change it.
    ///
    /// Other processes that call this wait until it is [saved](Self::save) or dropped. This call waits for them, for
    /// twenty seconds at most, and blocks the thread. Clones are not locked.
    ///
    /// The lock is on a file beside it, with `~lock` behind its name. If the lock cannot be taken, `save` returns the
    /// error. Perl's `aemp` does not use the lock.
    ///
    /// # Errors
    ///
    /// Like [`load`](Self::load), and [`ConfigError::Locked`].
    pub fn lock(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let hold = Hold::take(&path, lock::PATIENCE)?;
        let file = Self::load(path)?;
        Ok(Self { hold, ..file })
    }

    /// True if other processes wait with their changes until this is saved or dropped.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self.hold, Hold::Locked(_))
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if there are changes for [`save`](Self::save) to write.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.map != self.saved
    }

    /// Writes the changes, all or nothing: readers see either the old or the new file. Returns true if there were
    /// changes.
    ///
    /// A new file can be read by its owner only, because it contains secrets. An existing file keeps its permissions.
    /// Symbolic links are followed. Afterwards the file is not [locked](Self::lock) any more, even after an error.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Changed`] if the file has changed since it was loaded. [`ConfigError::Write`] if it cannot be
    /// written. [`ConfigError::Locked`] if this has not locked the file, but another process has. The file is unchanged
    /// after an error.
    pub fn save(&mut self) -> Result<bool, ConfigError> {
        let held = std::mem::take(&mut self.hold);
        if !self.is_changed() {
            return Ok(false);
        }
        let held = match held {
            Hold::None => Hold::take(&self.path, lock::PATIENCE)?,
            held => held,
        };
        let failed = |error| ConfigError::Write {
            path: self.path.clone(),
            error,
        };
        if let Hold::Impossible(error) = held {
            return Err(failed(error));
        }
        let invalid = |problem| failed(io::Error::new(io::ErrorKind::InvalidData, problem));
        let text = write::document(&self.map).map_err(invalid)?;
        let now = save::current(&self.path).map_err(failed)?;
        if now != self.octets {
            let path = self.path.clone();
            return Err(ConfigError::Changed { path });
        }
        save::replace(&self.path, text.as_bytes()).map_err(failed)?;
        if let Ok(Some((_, places))) = parse::document(text.as_bytes()) {
            self.places = places;
        }
        self.saved = self.map.clone();
        self.octets = Some(text.into_bytes());
        Ok(true)
    }

    /// Returns a warning, with a command that helps, if users other than the owner can read secrets in the file or in
    /// the copy beside it.
    ///
    /// The warning is returned **once for each file in a process**, to the first caller. A node that is started with
    /// the file logs it. There is no warning on systems without Unix permissions.
    #[must_use]
    pub fn exposure(&self) -> Option<String> {
        exposure::first(&self.path, &self.saved)
    }

    /// The error of a value at `path` that is not as expected.
    pub(super) fn wrong(&self, path: &[&str], expected: Expected, found: &Value) -> ConfigError {
        ConfigError::Value {
            place: self.place(path).into(),
            problem: ValueError::Unexpected {
                expected,
                found: read::kind(found).into(),
            },
        }
    }

    pub(super) fn place(&self, path: &[&str]) -> Place {
        let position: Option<Position> = self.places.of(path);
        let (profile, key) = match path {
            ["profile", profile, key] => (Some((*profile).into()), *key),
            ["profile", profile] => (Some((*profile).into()), ""),
            _ => (None, path.last().copied().unwrap_or_default()),
        };
        Place {
            file: Some((self.path.clone(), position)),
            profile,
            key: key.into(),
        }
    }
}

/// The content with which the reference begins a new file.
fn empty() -> Map {
    [("version", 1)].into_iter().collect()
}

impl fmt::Debug for ConfigFile {
    // The content is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
