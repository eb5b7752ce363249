//! The look-up of the addresses that seeds stand for.

use tokio::time::sleep;

use super::{Net, connection::error};
use crate::node::task::{Ending, owned};
use aemp_proto::mesh::LookUpId;

/// The largest number of names of one source that are looked up.
const MOST_NAMES: usize = 64;

impl Net {
    /// The present addresses of a seed.
    async fn addresses_of(&self, seed: &str) -> Result<Vec<String>, String> {
        let Some(source) = self.0.config.sources.get(seed) else {
            return self.resolve(seed).await;
        };
        let (mut addresses, mut failure) = (Vec::new(), None);
        let mut names = source.look_up().await?;
        names.truncate(MOST_NAMES);
        for name in names {
            match self.resolve(&name).await {
                Ok(found) => addresses.extend(found),
                Err(error) => failure = Some(format!("{name}: {error}")),
            }
        }
        match failure {
            Some(failure) if addresses.is_empty() => Err(failure),
            _ => Ok(addresses),
        }
    }

    async fn resolve(&self, name: &str) -> Result<Vec<String>, String> {
        let found = self.node().place().look_up(name).await;
        found.map_err(|error| error::text(&error))
    }

    /// Looks up the addresses of a seed, on a task of its own. The mesh hears of the end in any case.
    pub(super) fn look_up(&self, look_up: LookUpId, seed: String) {
        let (net, told) = (self.clone(), self.clone());
        let task = async move {
            let found = tokio::select! {
                biased;
                _ = net.node().ended() => return,
                // The mesh has given the look-up up by then.
                () = sleep(net.0.config.monitor_timeout) => return,
                found = net.addresses_of(&seed) => found,
            };
            net.ask(|mesh, now| mesh.looked_up(now, look_up, found));
        };
        let task = owned(task, move |ending| {
            if let Ending::Panicked(reason) = ending {
                let failed = Err(reason.to_string());
                told.ask(|mesh, now| mesh.looked_up(now, look_up, failed));
            }
        });
        self.node().scheduler().spawn(task);
    }
}
