//! Where the network is that commands join, and what lets them in.

use aemp::{
    Node, NodeBuilder,
    config::{Environment, Settings, Sources, effective, expand_node_id, host_name},
};

use crate::{cmd::random_text, failure::Failure, session::Session};

/// The profile that commands join the network with.
const PROFILE: &str = "aemp";

/// Who commands are in the network, unless the profile `aemp` says otherwise.
const NODE_ID: &str = "aemp/%n/%u";

/// How long the random part of a node ID is.
const RANDOM: usize = 10;

/// The network that the options and the configuration name.
pub(crate) struct Network {
    pub(crate) seeds: Vec<String>,
    builder: NodeBuilder,
}

impl Network {
    /// Reads the configuration as far as the options do not say all.
    pub(crate) fn of(session: &mut Session) -> Result<Self, Failure> {
        let profile = session.profile().unwrap_or_else(|| PROFILE.into());
        let file = session.file()?;
        let own_id = file
            .value(Some(PROFILE), "nodeid")
            .map_err(Failure::config)?;
        let own_id = own_id.filter(|_| profile == PROFILE);
        let own_id = own_id.and_then(|id| Some(id.text()?.into_owned()));
        let sources = Sources {
            file: Some(file),
            profile: Some(&profile),
            // The environment of a node names the node, and not those that look at it.
            force: true,
            environment: Environment::process(),
            ..Sources::default()
        };
        let settings = Settings::resolve(&sources).map_err(Failure::config)?;
        let secret = effective(&sources).map_err(Failure::config)?;
        let secret = secret
            .get("secret")
            .and_then(|secret| Some(secret.as_bytes()?.into_owned()));
        let path = file.path().display().to_string();
        let options = &session.options;
        let mut seeds = options.seeds.clone();
        if seeds.is_empty() {
            seeds = settings.seeds.iter().map(ToString::to_string).collect();
        }
        if seeds.is_empty() {
            return Err(Failure::config(format_args!(
                "no seeds are known: name one with -s HOST:PORT, or configure them with `aemp setseeds HOST:PORT` ({path} has none)"
            )));
        }
        let secret = options
            .secret
            .as_ref()
            .map(|text| text.clone().into_bytes())
            .or(secret);
        let secret = secret.ok_or_else(|| {
            Failure::config(format_args!(
                "no secret is known: configure the network's with `aemp setsecret TEXT` ({path} has none)"
            ))
        })?;
        let id = own_id.unwrap_or_else(|| NODE_ID.into());
        let id = expand_node_id(&id, &host_name(), &random_text(RANDOM)?);
        let builder = Node::builder()
            .node_id(id)
            .secret(secret)
            .connect_interval(settings.connect_interval)
            .monitor_timeout(settings.monitor_timeout);
        let builder = seeds.iter().fold(builder, NodeBuilder::seed);
        Ok(Self { seeds, builder })
    }

    /// A node that is to join it.
    pub(crate) async fn start(self) -> Result<(Node, Vec<String>), Failure> {
        let started = self.builder.start().await;
        let node = started
            .map_err(|error| Failure::config(format_args!("cannot join the network: {error}")))?;
        Ok((node, self.seeds))
    }
}
