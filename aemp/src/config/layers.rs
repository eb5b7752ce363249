//! The choice among several values of a key.
//!
//! The builder keeps the program's settings as a map by the names of keys, so that values of every source take the same
//! way: `Layers` finds the one that counts, `read` makes a type of it or an error, and the error names the source.
//! Values that the editing functions put into a file go through the same `read`. With `force` the reference also lets
//! its built-in defaults win over the file, and treats an unknown parent as an empty one; here neither is so.

use std::{borrow::Cow, fmt};

use aemp_codec::{Map, Value};

use super::{
    ConfigError, ConfigFile, Environment, Key, Method, Place, ValueError, edit::no_key, read,
};
use crate::spelling::nearest;

/// The sources of a node's settings, and their order.
///
/// Lowest first: built-in defaults, the program's arguments, the top level of the file, the parents of the profile from
/// the farthest to the nearest, the profile, the [environment](Environment). With [`force`](Self::force), the program's
/// arguments come last. A value replaces those of lower sources as a whole, and so do lists. A null stands for the
/// built-in default.
///
/// This is [protocol](aemp_proto::protocol::configuration#which-value-counts), with two additions of this implementation: the environment, and that `force` does
/// not let built-in defaults win.
#[derive(Clone, Default)]
pub struct Sources<'a> {
    /// The file, unless none is to be read (`norc`). Without a file, the environment is ignored.
    pub file: Option<&'a ConfigFile>,
    /// The profile. `$AEMP_PROFILE` comes before it, unless `force` is set. If there is neither, it is the host's name.
    /// A profile with this name need not exist.
    pub profile: Option<&'a str>,
    /// The program's arguments, by the names of keys.
    pub arguments: Cow<'a, Map>,
    /// True if the program's arguments come last, so that they win.
    pub force: bool,
    /// The source of environment variables.
    pub environment: Environment,
}

impl fmt::Debug for Sources<'_> {
    // The arguments may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<&str> = self.arguments.keys().collect();
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("profile", &self.profile)
            .field("arguments", &arguments)
            .field("force", &self.force)
            .finish_non_exhaustive()
    }
}

/// The source of a value in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// No source sets the key: the built-in default.
    Default,
    /// The program's arguments, or those of the command line.
    Arguments,
    /// The configuration file, with the position, and the profile that has the key.
    File(Place),
    /// This environment variable.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Arguments => f.write_str("arguments"),
            Self::Environment(variable) => write!(f, "environment: {variable}"),
            Self::File(place) => {
                let profile = place.profile.as_ref();
                let section =
                    profile.map_or_else(|| "top level".into(), |name| format!("profile {name:?}"));
                let Some((path, position)) = &place.file else {
                    return f.write_str(&section);
                };
                write!(f, "{}:", path.display())?;
                if let Some(position) = position {
                    write!(f, "{position}:")?;
                }
                write!(f, " {section}")
            }
        }
    }
}

enum Section {
    Arguments,
    File { profile: Option<String> },
    Environment,
}

struct Layer<'a> {
    section: Section,
    map: Cow<'a, Map>,
}

/// The sections in effect, the lowest first.
pub(super) struct Layers<'a> {
    file: Option<&'a ConfigFile>,
    layers: Vec<Layer<'a>>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(sources: &'a Sources<'_>, profile: &str) -> Result<Self, ConfigError> {
        for key in sources.arguments.keys() {
            Key::named(key).ok_or_else(|| no_key(key))?;
        }
        let arguments = || Layer {
            section: Section::Arguments,
            map: Cow::Borrowed(&*sources.arguments),
        };
        let mut layers = Vec::new();
        if !sources.force {
            layers.push(arguments());
        }
        if let Some(file) = sources.file {
            layers.push(Layer {
                section: Section::File { profile: None },
                map: Cow::Borrowed(file.document()),
            });
            layers.extend(chain(file, profile)?.into_iter().rev());
            layers.push(Layer {
                section: Section::Environment,
                map: Cow::Owned(sources.environment.keys()),
            });
        }
        if sources.force {
            layers.push(arguments());
        }
        Ok(Self {
            file: sources.file,
            layers,
        })
    }

    fn find(&self, key: &str) -> Option<(&Layer<'a>, &Value)> {
        let mut layers = self.layers.iter().rev();
        layers.find_map(|layer| Some((layer, layer.map.get(key)?)))
    }

    /// Reads the value of a key by `read`. Returns `None` if no section has the key.
    pub(super) fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Value) -> Result<T, ValueError>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((layer, value)) = self.find(key).filter(|(_, value)| !value.is_null()) else {
            return Ok(None);
        };
        read(value).map(Some).map_err(|problem| ConfigError::Value {
            place: self.place(&layer.section, key).into(),
            problem,
        })
    }

    /// Reads a key whose value is a list of methods.
    ///
    /// Unknown methods in a file are skipped, like unknown formats, because other programs use the file as well. If all
    /// are unknown, the built-in default counts. Elsewhere they are errors.
    pub(super) fn methods(
        &self,
        key: &str,
        passed_over: &mut Vec<(Place, String)>,
    ) -> Result<Option<Vec<Method>>, ConfigError> {
        let Some(place) = self.place_in_file(key) else {
            return self.read(key, read::methods);
        };
        let Some(names) = self.read(key, read::names)? else {
            return Ok(None);
        };
        let known = names.iter().filter_map(|name| Method::from_name(name));
        let known: Vec<Method> = known.collect();
        // A list of methods that only other implementations have is no choice for this one.
        let known = (!known.is_empty() || names.is_empty()).then_some(known);
        let unknown = names
            .into_iter()
            .filter(|name| Method::from_name(name).is_none());
        passed_over.extend(unknown.map(|name| (place.clone(), name)));
        Ok(known)
    }

    /// The source of the value of a key. A null is the built-in default.
    pub(super) fn origin(&self, key: &str) -> Origin {
        match self.find(key).filter(|(_, value)| !value.is_null()) {
            None => Origin::Default,
            Some((layer, _)) => match &layer.section {
                Section::Arguments => Origin::Arguments,
                Section::Environment => Origin::Environment(Environment::name_of(key)),
                file @ Section::File { .. } => Origin::File(self.place(file, key)),
            },
        }
    }

    /// The place of the value of a key, if it is from the file.
    pub(super) fn place_in_file(&self, key: &str) -> Option<Place> {
        match self.origin(key) {
            Origin::File(place) => Some(place),
            _ => None,
        }
    }

    fn place(&self, section: &Section, key: &str) -> Place {
        match (section, self.file) {
            (Section::File { profile }, Some(file)) => match profile {
                None => file.place(&[key]),
                Some(profile) => file.place(&["profile", profile, key]),
            },
            (Section::Environment, _) => lone(Environment::name_of(key)),
            _ => lone(key),
        }
    }

    /// All values in effect, with those of unknown keys.
    pub(super) fn merged(&self) -> Map {
        let mut merged = Map::new();
        for layer in &self.layers {
            for (key, value) in layer.map.iter() {
                merged.insert(key, value);
            }
        }
        merged
    }

    /// The places of unknown keys.
    pub(super) fn unknown(&self) -> Vec<Place> {
        let mut unknown = Vec::new();
        for layer in &self.layers {
            let meaningless = |key: &&str| {
                Key::named(key).is_none() && !matches!(*key, "profile" | "version" | "dirty")
            };
            let keys = layer.map.keys().filter(meaningless);
            unknown.extend(keys.map(|key| self.place(&layer.section, key)));
        }
        unknown
    }
}

fn lone(key: &str) -> Place {
    Place {
        file: None,
        profile: None,
        key: key.into(),
    }
}

/// The layers of a profile and its parents.
fn chain<'a>(file: &'a ConfigFile, profile: &str) -> Result<Vec<Layer<'a>>, ConfigError> {
    let mut layers = Vec::new();
    let mut names = vec![profile.to_owned()];
    let mut section = file.profile(profile)?;
    while let Some(map) = section {
        let name = names.last().cloned().unwrap_or_default();
        let parent = parent(file, &name, map)?;
        layers.push(Layer {
            section: Section::File {
                profile: Some(name.clone()),
            },
            map: Cow::Borrowed(map),
        });
        let Some(parent) = parent else {
            break;
        };
        if let Some(at) = names.iter().position(|seen| *seen == parent) {
            names.push(parent);
            return Err(ConfigError::Circle {
                path: file.path().into(),
                circle: names[at..].join(" -> "),
            });
        }
        section = file.profile(&parent)?;
        if section.is_none() {
            return Err(ConfigError::NoParent {
                place: file.place(&["profile", &name, "parent"]).into(),
                near: nearest(file.profiles()?.into_iter(), &parent).map(str::to_owned),
                parent,
            });
        }
        names.push(parent);
    }
    Ok(layers)
}

fn parent(file: &ConfigFile, name: &str, map: &Map) -> Result<Option<String>, ConfigError> {
    let Some(value) = map.get("parent") else {
        return Ok(None);
    };
    let parent = read::text(value).map_err(|problem| ConfigError::Value {
        place: file.place(&["profile", name, "parent"]).into(),
        problem,
    })?;
    Ok((!parent.is_empty()).then_some(parent))
}
