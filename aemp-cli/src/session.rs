//! What the commands of one command line share.

use std::collections::{BTreeSet, VecDeque};

use aemp::config::{ConfigError, ConfigFile, Environment, Settings, Sources};

use crate::{client::Kept, failure::Failure, input::Input, options::Options, output::Output};

/// The options, where results go, and the configuration file, if a command has asked for it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) output: Output,
    file: Option<ConfigFile>,
    /// The profile that is being configured; `None` for what holds for all.
    profile: Option<String>,
    /// Profiles that may have been changed.
    touched: BTreeSet<String>,
    /// The texts of standard input for commands that take `-` for it, in their order.
    pub(crate) input: VecDeque<Input>,
    /// A client that is in the network already.
    pub(crate) kept: Option<Kept>,
}

impl Session {
    pub(crate) fn new(options: Options, output: Output) -> Self {
        let profile = options.profile.clone();
        Self {
            touched: profile.clone().into_iter().collect(),
            options,
            output,
            file: None,
            profile,
            input: VecDeque::new(),
            kept: None,
        }
    }

    /// The configuration file, with what has been configured already.
    pub(crate) fn file(&mut self) -> Result<&ConfigFile, Failure> {
        let file = match self.file.take() {
            Some(file) => file,
            None => ConfigFile::load_default(&Environment::process())?,
        };
        self.output.exposure(&file);
        Ok(self.file.insert(file))
    }

    /// The configuration file, to be changed: other commands that change it wait until it is [saved](Self::save).
    pub(crate) fn change(&mut self) -> Result<&mut ConfigFile, Failure> {
        let file = match self.file.take() {
            // The file that is there now may be another one than was read.
            Some(file) if file.is_changed() || file.is_locked() => file,
            _ => ConfigFile::lock(ConfigFile::default_path(&Environment::process())?)?,
        };
        Ok(self.file.insert(file))
    }

    /// The profile that is being configured.
    pub(crate) fn profile(&self) -> Option<String> {
        self.profile.clone()
    }

    /// What is configured from now on belongs to that profile.
    pub(crate) fn enter(&mut self, profile: String) {
        self.touched.insert(profile.clone());
        self.profile = Some(profile);
    }

    /// Writes what has been configured, and warns of what no node could use.
    pub(crate) fn save(&mut self) -> Result<(), Failure> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if !file.save()? {
            return Ok(());
        }
        self.output.exposure(file);
        for profile in &self.touched {
            let settings = Settings::resolve(&Sources {
                file: Some(file),
                profile: Some(profile),
                ..Sources::default()
            });
            if let Err(error @ (ConfigError::Circle { .. } | ConfigError::NoParent { .. })) =
                settings
            {
                self.output.note(&format!("warning: {error}"));
            }
        }
        Ok(())
    }
}
