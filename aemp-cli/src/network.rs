//! The network that commands join, and the means to join it.

use std::path::Path;

use aemp::{
    Node, NodeBuilder, Value,
    config::{ConfigFile, Environment, Settings, Sources},
};

use crate::{failure::Failure, options::Options};

/// The profile for commands.
const PROFILE: &str = "aemp";

/// The node ID of commands, unless the profile `aemp` sets one.
const NODE_ID: &str = "aemp/%n/%u";

/// The network that the options and the configuration name.
pub(crate) struct Network {
    /// The seeds, as written in the configuration or the options.
    pub(crate) seeds: Vec<String>,
    builder: NodeBuilder,
}

impl Network {
    /// The network of this profile, which is `aemp` by default, as far as the options do not replace the configuration.
    pub(crate) fn of(
        file: &ConfigFile,
        profile: Option<String>,
        options: &Options,
    ) -> Result<Self, Failure> {
        let profile = profile.unwrap_or_else(|| PROFILE.into());
        let settings = Settings::resolve(&Sources {
            file: Some(file),
            profile: Some(&profile),
            force: true,
            environment: Environment::process(),
            ..Sources::default()
        })?;
        let id = own_id(file, &profile)?.unwrap_or_else(|| NODE_ID.into());
        let path = file.path();
        let seeds = match options.seeds.as_slice() {
            [] => settings.seeds.iter().map(ToString::to_string).collect(),
            seeds => seeds.to_vec(),
        };
        if seeds.is_empty() {
            return Err(no_seeds(path));
        }
        if options.secret.is_none() && settings.secret.is_none() && settings.cert.is_none() {
            return Err(no_secret(path));
        }
        // A command accepts no connections and runs no services. These settings of the file are meant for nodes.
        let nothing = || Value::Array(Vec::new());
        let builder = Node::builder()
            .profile(profile)
            .config_file(path)
            .force(true)
            .node_id(id)
            .setting("binds", nothing())
            .setting("services", nothing());
        let mut builder = seeds.iter().fold(builder, NodeBuilder::seed);
        if let Some(secret) = &options.secret {
            builder = builder.secret(secret.text());
        }
        Ok(Self { seeds, builder })
    }

    /// Starts a node that joins the network. Also returns the seeds as written.
    pub(crate) async fn start(self) -> Result<(Node, Vec<String>), Failure> {
        let started = self.builder.start().await;
        let node = started
            .map_err(|error| Failure::config(format_args!("cannot join the network: {error}")))?;
        Ok((node, self.seeds))
    }
}

/// The node ID in the profile `aemp` itself. An inherited ID belongs to another node, which may be running.
fn own_id(file: &ConfigFile, profile: &str) -> Result<Option<String>, Failure> {
    if profile != PROFILE {
        return Ok(None);
    }
    let id = file.value(Some(PROFILE), "nodeid")?;
    Ok(id.and_then(|id| Some(id.text()?.into_owned())))
}

/// The failure if there are no seeds.
fn no_seeds(file: &Path) -> Failure {
    Failure::config(format_args!(
        "no seeds are known: name one with -s HOST:PORT, or configure them with `aemp setseeds HOST:PORT` ({} has none)",
        file.display()
    ))
}

/// The failure if there is neither a secret nor a certificate.
pub(crate) fn no_secret(file: &Path) -> Failure {
    Failure::config(format_args!(
        "no secret is known: configure the network's with `aemp setsecret -` ({} has none)",
        file.display()
    ))
}
