//! One node's place in a simulation.

use std::{io, sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::Instant};

use crate::{config::Address, lock::Lock};

use super::{Chance, HostId, SimListener, SimStream, hub::Hub};

/// A host of a simulated network, on which a node runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Host {
    hub: Hub,
    id: HostId,
    chance: Arc<Lock<Chance>>,
    runtime: Handle,
}

impl Host {
    pub(super) fn new(hub: Hub, id: HostId, chance: Chance, runtime: Handle) -> Self {
        let chance = Arc::new(Lock::new(chance));
        Self {
            hub,
            id,
            chance,
            runtime,
        }
    }

    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        let mut chance = self.chance.lock();
        chance.fill(bytes);
    }

    /// The time since `origin`. Must be called inside of the runtime, because the real clock applies outside.
    pub(crate) fn since(&self, origin: Instant) -> Duration {
        let _entered = self.runtime.enter();
        origin.elapsed()
    }

    pub(crate) async fn connect(&self, addr: &str) -> io::Result<SimStream> {
        self.hub.connect(self.id, addr).await
    }

    /// Listens on a port, or on a free one. The host is always this one; the address may name another.
    pub(crate) fn bind(&self, bind: &Address) -> io::Result<SimListener> {
        self.hub.listen(self.id, bind.port.unwrap_or(0))
    }
}
