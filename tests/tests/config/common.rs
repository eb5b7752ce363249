//! Helpers of many tests.

use std::{fs, path::PathBuf, time::Duration};

use aemp::{
    Map, Node, Value,
    config::{ConfigError, ConfigFile, Environment, Settings, Sources},
};
use tempfile::TempDir;

pub(crate) const SECRET: &str = "between friends";

/// The result of work that must not take long.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(10);
    let done = tokio::time::timeout(limit, future).await;
    done.expect("it takes too long")
}

/// Waits until a node is connected.
pub(crate) async fn up(node: &Node, other: &str) {
    let connected = async {
        while node.node_is_up(other) != Some(true) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(connected).await;
}

/// A directory of its own with the configuration file `rc` in it.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    /// With that text in the file.
    pub(crate) fn with(text: &str) -> Self {
        let home = Self::new();
        home.write(text);
        home
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("rc")
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    pub(crate) fn load(&self) -> Result<ConfigFile, ConfigError> {
        ConfigFile::load(self.path())
    }

    /// The error, without the path of the file.
    pub(crate) fn error<T>(&self, result: Result<T, ConfigError>) -> String {
        match result {
            Ok(_) => panic!("no error"),
            Err(error) => self.text_of(&error),
        }
    }

    pub(crate) fn text_of(&self, error: &impl ToString) -> String {
        let text = error.to_string();
        text.replace(&self.path().display().to_string(), "rc")
    }

    /// Names in the directory, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// The value of that JSON, as a file would give it.
pub(crate) fn json(text: &str) -> Value {
    let home = Home::with(&format!("{{\"x\": {text}}}"));
    home.load().unwrap().document().get("x").unwrap().clone()
}

/// The settings that result from the file, a profile and the program's arguments.
pub(crate) fn settings(
    home: &Home,
    profile: &str,
    arguments: &Map,
) -> Result<Settings, ConfigError> {
    let file = home.load()?;
    Settings::resolve(&Sources {
        file: Some(&file),
        profile: Some(profile),
        arguments: std::borrow::Cow::Borrowed(arguments),
        force: false,
        environment: Environment::of::<String, String>([]),
    })
}
