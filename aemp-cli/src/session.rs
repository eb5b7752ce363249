//! What the commands of one command line share.

use aemp::{Node, NodeBuilder};

use crate::{failure::Failure, options::Options, output::Output};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) output: Output,
}

/// Where the network is, and what lets us in.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    pub(crate) seeds: Vec<String>,
    secret: String,
}

impl Whereabouts {
    pub(crate) fn builder(&self) -> NodeBuilder {
        let builder = Node::builder().secret(&self.secret);
        self.seeds.iter().fold(builder, NodeBuilder::seed)
    }
}

impl Session {
    pub(crate) fn new(options: Options, output: Output) -> Self {
        Self { options, output }
    }

    /// The network that the configuration and the options name.
    pub(crate) fn network(&self) -> Result<Whereabouts, Failure> {
        let seeds = self.options.seeds.clone();
        if seeds.is_empty() {
            return Err(Failure::config(
                "no seeds are known: name one with -s HOST:PORT, or configure them with `aemp setseeds HOST:PORT`",
            ));
        }
        let secret = self.options.secret.clone().ok_or_else(|| {
            Failure::config("no secret is known: configure it with `aemp setsecret TEXT`")
        })?;
        Ok(Whereabouts { seeds, secret })
    }

    /// Writes what has been configured.
    pub(crate) fn save(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
