//! The common state of the commands of one command line.

use std::collections::{BTreeSet, VecDeque};

use aemp::config::{ConfigError, ConfigFile, Environment, Settings, Sources};

use crate::{
    client::{self, Client, Kept},
    failure::{Failure, Outcome},
    input::Input,
    logs,
    network::Network,
    options::Options,
    output::Output,
};

/// The options, the output, and the configuration file, if a command has read it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) output: Output,
    file: Option<ConfigFile>,
    /// The profile that is being configured; `None` for the top level of the file.
    profile: Option<String>,
    /// The profiles that may have changed.
    touched: BTreeSet<String>,
    /// The texts of standard input for commands with a `-`, in their order.
    pub(crate) input: VecDeque<Input>,
    /// True if the command line has several commands.
    pub(crate) is_chain: bool,
    /// A client that has joined the network already.
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
            is_chain: false,
            kept: None,
        }
    }

    /// Joins the network, runs the work of a command, and leaves the network. A client that has joined already stays.
    pub(crate) fn with_client(&mut self, job: impl AsyncFnOnce(&Client<'_>) -> Outcome) -> Outcome {
        self.save()?;
        if let Some(kept) = &self.kept {
            return kept.run(&self.options, &self.output, job);
        }
        let _logs = logs::for_client(&self.options, &self.output);
        let network = self.network()?;
        client::once(network, &self.options, &self.output, job)
    }

    /// Joins the network for many commands. On Control-C, an interruptible client ends the running command instead of
    /// the process.
    pub(crate) fn stay(&mut self, interruptible: bool) -> Result<Kept, Failure> {
        self.save()?;
        let network = self.network()?;
        Kept::join(network, &self.options, &self.output, interruptible)
    }

    /// The network that the commands join.
    fn network(&mut self) -> Result<Network, Failure> {
        let file = loaded(&mut self.file, &self.output)?;
        Network::of(file, self.profile.clone(), &self.options)
    }

    /// The configuration file, with the changes of earlier commands.
    pub(crate) fn file(&mut self) -> Result<&ConfigFile, Failure> {
        loaded(&mut self.file, &self.output)
    }

    /// The configuration file, for changes. It stays locked against other processes until it is [saved](Self::save).
    pub(crate) fn change(&mut self) -> Result<&mut ConfigFile, Failure> {
        let file = match self.file.take() {
            // The file may have been replaced since it was read.
            Some(file) if file.is_changed() || file.is_locked() => file,
            _ => ConfigFile::lock(ConfigFile::default_path(&Environment::process())?)?,
        };
        Ok(self.file.insert(file))
    }

    /// The profile that is being configured.
    pub(crate) fn profile(&self) -> Option<String> {
        self.profile.clone()
    }

    /// Lets later commands configure this profile.
    pub(crate) fn enter(&mut self, profile: String) {
        self.touched.insert(profile.clone());
        self.profile = Some(profile);
    }

    /// Writes the changes, and warns of settings that no node can use.
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

/// The configuration file, read now if it has not been read.
fn loaded<'a>(
    known: &'a mut Option<ConfigFile>,
    output: &Output,
) -> Result<&'a ConfigFile, Failure> {
    let file = match known.take() {
        Some(file) => file,
        None => ConfigFile::load_default(&Environment::process())?,
    };
    output.exposure(&file);
    Ok(known.insert(file))
}
