//! Making a node.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicUsize},
    time::Duration,
};

use aemp_codec::{Codec, Format, Limits, NodeId};
use tokio::runtime::Handle;

use super::{
    Inner, Node,
    names::Names,
    registry::{InitFunction, Registry},
    remote::Remotes,
    spawn::{InitOutcome, Spawning},
    stillborn::Stillborn,
};
#[cfg(feature = "sim")]
use crate::sim::host::Host;
use crate::{
    Args, Cx, StartError,
    db::machine::Database,
    message::Origin,
    net::{Net, NetConfig, Place},
    port::{scheduler::Scheduler, table::Table},
    proto::{handshake::auth::Secret, peer::PeerLimits},
};

/// How a node is made: who it is, whom it trusts, where it listens, whom it knows.
///
/// Everything has a default but the secret, without which no connection is possible.
#[derive(Clone, Debug)]
#[must_use]
pub struct NodeBuilder {
    node_id: Option<String>,
    binds: Vec<String>,
    registry: Registry,
    secure: bool,
    limits: Limits,
    max_queue_bytes: usize,
    net: NetConfig,
    place: Place,
}

impl Default for NodeBuilder {
    fn default() -> Self {
        Self {
            node_id: None,
            binds: Vec::new(),
            registry: Registry::default(),
            secure: false,
            limits: Limits::default(),
            max_queue_bytes: 64 << 20,
            net: NetConfig::default(),
            place: Place::default(),
        }
    }
}

impl NodeBuilder {
    /// The node ID. The default is the host's name, `/` and a random text, so that no two processes share it.
    pub fn node_id(mut self, id: impl Into<String>) -> Self {
        self.node_id = Some(id.into());
        self
    }

    /// The secret that all nodes of the network share. Reference nodes take it as Latin-1: keep to ASCII.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.net.secret = Some(Secret::new(secret));
        self
    }

    /// An address to listen on, `host:port`; port 0 takes a free one. May be given several times. A node without any can
    /// connect, but not be connected to.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.binds.push(address.into());
        self
    }

    /// The address, `host:port`, of a node to stay connected to. May be given several times.
    pub fn seed(mut self, address: impl Into<String>) -> Self {
        self.net.seeds.push(address.into());
        self
    }

    /// The addresses of a node, to be connected to when something is first sent to it.
    pub fn address(mut self, node: impl Into<String>, address: impl Into<String>) -> Self {
        self.net.addresses.push((node.into(), address.into()));
        self
    }

    /// How soon a dead peer must be noticed, and how long a handshake may take. Default: 30 seconds.
    pub fn monitor_timeout(mut self, timeout: Duration) -> Self {
        self.net.monitor_timeout = timeout;
        self
    }

    /// How long an attempt to connect to a node may take, and the pause between its addresses. Default: 2 seconds.
    pub fn connect_interval(mut self, interval: Duration) -> Self {
        self.net.connect_interval = interval;
        self
    }

    /// Whether a peer may log in with the secret in clear text, as minimal clients do. Default: yes, as in the
    /// reference.
    pub fn accept_cleartext(mut self, accept: bool) -> Self {
        self.net.accept_cleartext = accept;
        self
    }

    /// Refuses every spawn, function call and eval that other nodes ask for.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Adds a wire format from outside; formats are preferred in the order in which they were added, then the built-in ones.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.net.formats.push(Format::Custom(Arc::new(codec)));
        self
    }

    /// The limits on single packets: size in bytes and nesting depth. A connection that exceeds them is ended.
    pub fn packet_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many bytes may wait to be written to one other node. Above it the connection is given up, which its
    /// monitors hear. Default: 64 MiB.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes;
        self
    }

    /// Registers an init function by hand: where nothing is collected at link time, and for closures. Its handlers are
    /// those that it sets with [`Cx::rcv`] if it returns `()`.
    #[track_caller]
    pub fn init<O: InitOutcome + 'static>(
        mut self,
        name: impl Into<String>,
        init: impl Fn(&mut Cx<'_>, Args) -> O + Send + Sync + 'static,
    ) -> Self {
        let caller = std::panic::Location::caller();
        let function = InitFunction {
            name: name.into(),
            signature: String::new(),
            position: format!("{}:{}", caller.file(), caller.line()),
        };
        let init = Arc::new(init);
        let start = move |mut spawning: Spawning<'_>| {
            let args = spawning.rest()?;
            let init = Arc::clone(&init);
            spawning.start(move |cx| init(cx, args));
            Ok(())
        };
        self.registry.add(function, Arc::new(start));
        self
    }

    /// Registers a function that other nodes may call with [`Node::snd_to_func`]. It is run by the task that reads the
    /// connection, and should not take long.
    pub fn function(
        mut self,
        name: impl AsRef<str>,
        run: impl Fn(Origin, Args) + Send + Sync + 'static,
    ) -> Self {
        self.registry.add_function(name.as_ref(), Arc::new(run));
        self
    }

    /// Makes a node without a name and without a network.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`], [`StartError::Registry`], [`StartError::Entropy`].
    pub fn start_local(self) -> Result<Node, StartError> {
        self.make(NodeId::unnamed())
    }

    /// Starts the node: binds its addresses and begins to connect to its seeds.
    ///
    /// # Errors
    ///
    /// [`StartError`], which names the setting or the init function that is at fault.
    pub async fn start(mut self) -> Result<Node, StartError> {
        let id = match self.node_id.take() {
            Some(id) => NodeId::new(id)?,
            None => default_node_id(&self.place)?,
        };
        let mut config = std::mem::take(&mut self.net);
        config.check()?;
        config.formats.extend(Format::built_in());
        config.limits = self.limits;
        let binds = std::mem::take(&mut self.binds);
        let node = self.make(id)?;
        let net = Net::start(&node, config, &binds).await?;
        node.attach(net);
        Ok(node)
    }

    /// The node is to run in a simulation. The host's name is that of the node, if it has been given one.
    #[cfg(feature = "sim")]
    pub(crate) fn simulated(mut self, host: impl FnOnce(Option<&str>) -> Host) -> Self {
        self.place = Place::Sim(host(self.node_id.as_deref()));
        self
    }

    fn make(self, id: NodeId) -> Result<Node, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let mut registry = Registry::linked();
        registry.merge(self.registry);
        registry.check()?;
        let mut random = [0; 19];
        self.place.fill_random(&mut random)?;
        #[cfg_attr(
            not(feature = "sim"),
            expect(unused_mut, reason = "only simulated nodes are mortal")
        )]
        let mut scheduler = Scheduler::new(runtime);
        #[cfg(feature = "sim")]
        if self.place.is_simulated() {
            scheduler.make_mortal();
        }
        let peers = PeerLimits {
            max_queue_bytes: self.max_queue_bytes,
            packet: self.limits,
        };
        Ok(Node(Arc::new(Inner {
            id,
            names: Names::new(random),
            table: Table::new(),
            spawned: Mutex::new(HashMap::new()),
            stillborn: Stillborn::default(),
            dying: AtomicUsize::new(0),
            scheduler,
            limits: self.limits,
            registry,
            secure: self.secure,
            remotes: Remotes::new(peers),
            net: OnceLock::new(),
            place: self.place,
            database: Database::default(),
        })))
    }
}

impl Node {
    fn attach(&self, net: Net) {
        // The node is new, so nobody has attached another.
        let _ = self.0.net.set(net);
        if let Some(net) = self.0.net.get() {
            net.run();
        }
    }
}

fn default_node_id(place: &Place) -> Result<NodeId, StartError> {
    let mut random = [0; 19];
    place.fill_random(&mut random)?;
    let name = Names::new(random).spawned();
    Ok(NodeId::new(format!("{}/{name}", host_name()))?)
}

/// The host's name, as `uname -n` has it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c))
        .collect();
    if name.is_empty() { "node".into() } else { name }
}
