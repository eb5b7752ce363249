//! The builder of a node.

mod limits;
mod settings;
mod start;
mod tls;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use aemp_codec::{Codec, Format, Map, NodeId};
use tokio::runtime::Handle;

use super::{
    Inner, Node, Ports, Rules, Strands,
    inspect::Inspection,
    peer::Peers,
    registry::{InitFunction, Registry},
    spawn::{InitOutcome, Spawning},
    trace::Traces,
};
#[cfg(feature = "sim")]
use crate::sim::host::Host;
use crate::{
    Args, Cx, StartError,
    config::{Cert, Environment, Settings},
    db::machine::Database,
    exec::scheduler::Scheduler,
    logs::Service,
    message::Origin,
    names::Registered,
    net::{Custom, Net, Place, SeedSource},
    topic::{Members, Topics},
};
use aemp_proto::handshake::auth::Secret;

/// The configuration of a node that is to be started: its name, its trust, its addresses, and the nodes that it knows.
///
/// Everything has a default except the secret and the certificate. Connections need one of them. **No configuration
/// file is read** unless [`profile`](Self::profile) or [`config_file`](Self::config_file) asks for it.
#[derive(Clone)]
#[must_use]
pub struct NodeBuilder {
    /// The settings of the program, by the keys of the configuration file.
    arguments: Map,
    /// The secret. It is not among the arguments, so that it can be wiped.
    secret: Option<Secret>,
    /// The certificate. It is not among the arguments, so that it can be wiped.
    cert: Option<Cert>,
    profile: Option<String>,
    config_file: Option<PathBuf>,
    norc: bool,
    force: bool,
    strict: bool,
    environment: Environment,
    global: bool,
    accept_cleartext: bool,
    call_timeout: Option<Duration>,
    codecs: Vec<Format>,
    /// Node IDs and their addresses.
    addresses: Vec<(String, String)>,
    /// Further sources of seeds, with their names.
    seed_sources: Vec<(String, Custom)>,
    registry: Registry,
    #[cfg(feature = "trace")]
    tracer: Option<Arc<dyn crate::span::Tracer>>,
    place: Place,
}

impl Default for NodeBuilder {
    fn default() -> Self {
        Self {
            arguments: Map::new(),
            secret: None,
            cert: None,
            profile: None,
            config_file: None,
            norc: false,
            force: false,
            strict: false,
            environment: Environment::process(),
            global: false,
            accept_cleartext: true,
            call_timeout: None,
            codecs: Vec::new(),
            addresses: Vec::new(),
            seed_sources: Vec::new(),
            registry: Registry::default(),
            #[cfg(feature = "trace")]
            tracer: None,
            place: Place::default(),
        }
    }
}

impl NodeBuilder {
    /// The addresses of a node. This node connects to it when it first sends it a message.
    pub fn address(mut self, node: impl Into<String>, address: impl Into<String>) -> Self {
        self.addresses.push((node.into(), address.into()));
        self
    }

    /// Adds a source of seeds, besides [`seed`](Self::seed). The name identifies it in the log and in
    /// [`Node::seeds`]. A later source replaces an earlier one with the same name.
    pub fn seed_source(mut self, name: impl Into<String>, source: impl SeedSource) -> Self {
        self.seed_sources.push((name.into(), Custom::new(source)));
        self
    }

    /// Adds a wire format of another crate. Formats are preferred in the order in which they were added, before the
    /// built-in ones.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codecs.push(Format::Custom(Arc::new(codec)));
        self
    }

    /// Sets a time limit for all calls that this node's code makes and that have no limit of their own: calls of typed
    /// handles, and [`cal`](crate::Node::cal). Default: none.
    ///
    /// [`Call::timeout`](crate::Call::timeout) wins, and `timeout(Duration::MAX)` means no limit. Calls with a limit do
    /// not run in place ([handbook](crate::handbook::calls#time-limits)).
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{CallError, Node, port};
    ///
    /// struct Lazy;
    ///
    /// #[port]
    /// impl Lazy {
    ///     #[rcv]
    ///     async fn ponder(&mut self) -> i64 { std::future::pending().await }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::builder().call_timeout(Duration::from_millis(20)).start_local()?;
    /// let lazy = node.port(Lazy);
    /// assert!(matches!(lazy.ponder().await, Err(CallError::Timeout)));
    /// # Ok(()) }
    /// ```
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = (limit < Duration::MAX).then_some(limit);
        self
    }

    /// Sets the tracer, which makes spans of the handled messages of this node ([`span`](crate::span)). Feature `trace`.
    #[cfg(feature = "trace")]
    pub fn tracer(mut self, tracer: impl crate::span::Tracer) -> Self {
        self.tracer = Some(Arc::new(tracer));
        self
    }

    /// Registers an init function by hand: for closures, and for platforms without collection at link time. If the
    /// function returns `()`, it makes an untyped port with the handlers that it sets with [`Cx::rcv`].
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

    /// Registers a function that other nodes may call with [`Node::snd_to_func`]. A separate task runs the calls of
    /// each node in order. At most a thousand calls of a node wait; further ones are dropped.
    pub fn function(
        mut self,
        name: impl AsRef<str>,
        run: impl Fn(Origin, Args) + Send + Sync + 'static,
    ) -> Self {
        self.registry.add_function(name.as_ref(), Arc::new(run));
        self
    }

    /// Registers a function that gets its end of the streams that other nodes open to it, with
    /// [`Node::open_stream`](crate::Node::open_stream). Each stream has a task of its own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aemp::{Args, Node, Origin, args, stream::ByteStream};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// async fn shout(_: Origin, args: Args, mut stream: ByteStream) {
    ///     let mut text = String::new();
    ///     if stream.read_to_string(&mut text).await.is_ok() {
    ///         let _ = stream.write_all(text.to_uppercase().as_bytes()).await;
    ///         let _ = stream.shutdown().await;
    ///     }
    /// }
    ///
    /// let node = Node::builder().node_id("a").secret("s").stream_function("My::shout", shout).start().await?;
    /// let mut stream = node.open_stream("a", "My::shout", args![]).await?;
    /// stream.write_all(b"hello").await?;
    /// stream.shutdown().await?;
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer).await?;
    /// assert_eq!(answer, "HELLO");
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "net")]
    pub fn stream_function<F>(
        mut self,
        name: impl AsRef<str>,
        run: impl Fn(Origin, Args, crate::stream::ByteStream) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let run: crate::node::registry::StreamFunction =
            Arc::new(move |origin, args, stream| Box::pin(run(origin, args, stream)));
        self.registry.add_stream_function(name.as_ref(), run);
        self
    }

    /// Starts a node without a name and without a network. Of the settings, only [`secure`](Self::secure) and the
    /// [services](Self::service) have an effect. No file is read.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`], [`StartError::Registry`], [`StartError::Entropy`], [`StartError::Config`],
    /// [`StartError::Service`].
    pub fn start_local(mut self) -> Result<Node, StartError> {
        self.norc = true;
        let mut settings = self.settings()?;
        let strict = self.strict;
        let node = self.make(NodeId::unnamed(), &settings)?;
        node.check_services(&mut settings, strict)?;
        node.run_services(settings.services);
        Ok(node)
    }

    /// Starts the node: reads its configuration, binds its addresses, starts to connect to its seeds, and spawns its
    /// services.
    ///
    /// # Errors
    ///
    /// [`StartError`], which names the faulty setting or init function.
    pub async fn start(self) -> Result<Node, StartError> {
        let mut settings = self.settings()?;
        let config = self.net_config(&settings)?;
        let id = start::node_id(&settings, &self.place)?;
        let strict = self.strict;
        let node = self.make(id, &settings)?;
        node.check_services(&mut settings, strict)?;
        let binds = settings.binds.unwrap_or_default();
        let net = Net::start(&node, config, &binds).await?;
        node.attach(&net);
        node.run_services(settings.services);
        Ok(node)
    }

    /// Runs the node in a simulation.
    #[cfg(feature = "sim")]
    pub(crate) fn simulated(mut self, host: Host) -> Self {
        self.place = Place::Sim(host);
        self
    }

    /// The node ID that was set, as it was written.
    #[cfg(feature = "sim")]
    pub(crate) fn named(&self) -> Option<&str> {
        self.arguments.get("nodeid")?.as_str()
    }

    fn make(self, id: NodeId, settings: &Settings) -> Result<Node, StartError> {
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
        let node = Node(Arc::new(Inner {
            id,
            ports: Ports::new(random),
            life: Arc::default(),
            collapsed: AtomicBool::new(false),
            strands: Strands::default(),
            scheduler,
            rules: Rules {
                registry,
                secure: settings.secure,
                allow: settings.allow.clone(),
                limits: settings.limits.packet(),
                costs: settings.limits.clone(),
                call_timeout: self.call_timeout,
            },
            #[cfg(feature = "net")]
            streams: crate::node::streams::Streams::default(),
            peers: Arc::new(Peers::new(settings.limits.peer())),
            inspection: Inspection::new(),
            #[cfg(feature = "trace")]
            tracing: crate::exec::spans::Tracing::new(self.tracer),
            #[cfg(feature = "metrics")]
            collector: tokio::sync::Mutex::default(),
            net: OnceLock::new(),
            place: self.place,
            database: Database::default(),
            registered: Registered::default(),
            traces: Traces::default(),
            log_service: Service::default(),
            topics: Topics::default(),
            members: Members::default(),
        }));
        if !node.scheduler().is_timeless() {
            node.scheduler().watch_over(&node);
        }
        node.watch_runtime();
        Ok(node)
    }
}

impl Node {
    fn attach(&self, net: &Net) {
        // The node is new, so no other network is attached.
        let _ = self.0.net.set(net.shared());
        net.run();
    }
}

impl fmt::Debug for NodeBuilder {
    // The arguments may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("profile", &self.profile)
            .field("config_file", &self.config_file)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
