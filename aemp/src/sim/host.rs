//! One node's place in a simulation.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Chance, HostId, SimListener, SimStream, hub::Hub};

/// A host of a simulated network, on which a node runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Host {
    hub: Hub,
    id: HostId,
    chance: Arc<Mutex<Chance>>,
}

impl Host {
    pub(super) fn new(hub: Hub, id: HostId, chance: Chance) -> Self {
        let chance = Arc::new(Mutex::new(chance));
        Self { hub, id, chance }
    }

    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.fill(bytes);
    }

    pub(crate) async fn connect(&self, addr: &str) -> io::Result<SimStream> {
        self.hub.connect(self.id, addr).await
    }

    /// Listens on what is written as `host:port`. The host can be no other than this one, whatever it is called.
    pub(crate) fn bind(&self, bind: &str) -> io::Result<SimListener> {
        let port = bind.rsplit_once(':').map_or(bind, |(_, port)| port);
        let port = match port {
            "*" => 0,
            port => port.parse().map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidInput, "not of the form host:port")
            })?,
        };
        self.hub.listen(self.id, port)
    }
}
