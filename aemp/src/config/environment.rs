//! The environment variables of the configuration.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use aemp_codec::{Map, Value};

/// The source of environment variables: the process, or a table.
///
/// | variable | means |
/// | --- | --- |
/// | `PERL_ANYEVENT_MP_RC` | the path of the configuration file; `~/.perl-anyevent-mp` without it |
/// | `AEMP_PROFILE` | the name of the profile |
/// | `AEMP_NODEID`, `AEMP_SECRET`, `AEMP_SEEDS`, `AEMP_BINDS` | the key of that name; lists are separated by commas |
///
/// The `AEMP_` variables are read only if the file is, and come before its values. So each of many processes with the
/// same profile can have its own node ID. An empty variable counts as missing. The text `,` is an empty list.
///
/// ```
/// use aemp::config::{ConfigFile, Environment};
///
/// let environment = Environment::of([("PERL_ANYEVENT_MP_RC", "/etc/aemp")]);
/// assert_eq!(ConfigFile::default_path(&environment).unwrap().to_str(), Some("/etc/aemp"));
/// ```
#[derive(Clone, Default)]
pub struct Environment(Option<BTreeMap<String, String>>);

/// The variables that stand for keys.
const KEYS: [(&str, &str); 4] = [
    ("AEMP_NODEID", "nodeid"),
    ("AEMP_SECRET", "secret"),
    ("AEMP_SEEDS", "seeds"),
    ("AEMP_BINDS", "binds"),
];

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn process() -> Self {
        Self(None)
    }

    /// An environment with only these variables.
    pub fn of<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        Self(Some(variables.map(|(k, v)| (k.into(), v.into())).collect()))
    }

    /// Returns the value of a variable, if it is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            None => std::env::var(name).ok(),
            Some(table) => table.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The value of `AEMP_PROFILE`.
    #[must_use]
    pub fn profile(&self) -> Option<String> {
        self.variable("AEMP_PROFILE")
    }

    /// Returns the value of a variable as a path, which need not be UTF-8.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        let value = match &self.0 {
            None => std::env::var_os(name)?,
            Some(table) => table.get(name)?.into(),
        };
        (!value.is_empty()).then(|| value.into())
    }

    /// The values of variables, by the keys that they stand for.
    pub(super) fn keys(&self) -> Map {
        let value = |(name, key)| Some((key, Value::from(self.variable(name)?)));
        KEYS.into_iter().filter_map(value).collect()
    }

    /// The variable that stands for a key.
    pub(super) fn name_of(key: &str) -> &'static str {
        let found = KEYS.into_iter().find(|(_, known)| *known == key);
        found.map_or("", |(name, _)| name)
    }
}

impl fmt::Debug for Environment {
    // Variables may contain the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "Environment::process()",
            Some(_) => "Environment::of(..)",
        })
    }
}
