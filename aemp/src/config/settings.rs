//! The settings of a node.

use std::{fmt, time::Duration};

use aemp_codec::{Map, Value};
use zeroize::Zeroizing;

use super::{
    Address, ConfigError, Origin, Permit, Place, Seed, Service, Sources, expand_node_id, host_name,
    layers::Layers,
    read::{self, addresses, flag, names, seconds, services, timeout},
};
use aemp_proto::{
    handshake::{
        Encrypt,
        auth::{Method, Secret},
    },
    limits::NodeLimits,
};

/// The settings of a node: every key of the configuration as a Rust type. Keys that no source sets have their defaults.
///
/// ```
/// use aemp::config::{Settings, Sources};
/// use std::{borrow::Cow, time::Duration};
///
/// let arguments = [("monitor_timeout", "5"), ("seeds", "10.0.0.1:4040,seed.example:4040")];
/// let sources = Sources {
///     profile: Some("worker"),
///     arguments: Cow::Owned(arguments.into_iter().collect()),
///     ..Sources::default()
/// };
/// let settings = Settings::resolve(&sources)?;
/// assert_eq!(settings.monitor_timeout, Duration::from_secs(5));
/// assert_eq!(settings.seeds[1].to_string(), "seed.example:4040");
/// assert_eq!(settings.node_id_with("x7"), "worker/x7");
/// # Ok::<_, aemp::config::ConfigError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The name of the profile, which need not exist.
    pub profile: String,
    /// `nodeid`, as configured; see [`node_id_with`](Self::node_id_with). Default: the profile's name and `/`.
    pub node_id: String,
    /// `secret`.
    pub secret: Option<Secret>,
    /// `cert`: PEM, with the private key.
    pub cert: Option<Cert>,
    /// `ca`: PEM of the certificates to trust instead of those in `cert`.
    pub ca: Option<Cert>,
    /// `require_tls`.
    pub require_tls: bool,
    /// `encrypt`: `auto`.
    pub encrypt: Encrypt,
    /// `verify_nodeid`.
    pub verify_node_id: bool,
    /// `relay`: true.
    pub relay: bool,
    /// `seeds`.
    pub seeds: Vec<Seed>,
    /// `binds`; `None` if no source sets it, which means `*` to a node that uses the file.
    pub binds: Option<Vec<Address>>,
    /// `advertise`: the addresses for other nodes; empty if they are those that the node listens on.
    pub advertise: Vec<Address>,
    /// `services`.
    pub services: Vec<Service>,
    /// `secure`.
    pub secure: bool,
    /// `allow`: permits for functions that other nodes run here. If any is set, everything without a permit is refused,
    /// with and without `secure`.
    pub allow: Option<Vec<Permit>>,
    /// `monitor_timeout`: 30 seconds.
    pub monitor_timeout: Duration,
    /// `connect_interval`: 2 seconds.
    pub connect_interval: Duration,
    /// `framing_format`, including unknown names; `None` for all formats.
    pub framing_format: Option<Vec<String>>,
    /// `auth_offer`: `tls_sha3_512`, `hmac_sha3_512`.
    pub auth_offer: Vec<Method>,
    /// `auth_accept`: `tls_sha3_512`, `hmac_sha3_512`, `tls_anon`, `cleartext`.
    pub auth_accept: Vec<Method>,
    /// `autocork`, which this implementation ignores: small packets are always collected.
    pub autocork: bool,
    /// `nodelay`: true.
    pub nodelay: bool,
    /// `eval`: Perl code that reference nodes run. It is never run here.
    pub eval: Option<String>,
    /// The limits of strangers and other nodes: `handshake_timeout` and all keys that begin with `max_`.
    pub limits: NodeLimits,
    /// The places of unknown keys, which are most likely misspelt.
    pub unknown: Vec<Place>,
    /// Unknown authentication methods in the file, which are ignored: their places and names.
    pub unknown_methods: Vec<(Place, String)>,
    /// The place of `framing_format` in the file, if it is from there.
    pub(crate) formats_in_file: Option<Place>,
    /// The place of `services` in the file, if they are from there.
    pub(crate) services_in_file: Option<Place>,
}

/// Certificates as PEM, usually with a private key. They are wiped from memory when dropped, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Cert(Zeroizing<String>);

impl Cert {
    /// Creates it from a PEM text.
    pub fn new(pem: impl Into<String>) -> Self {
        Self(Zeroizing::new(pem.into()))
    }

    /// The PEM text.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cert(..)")
    }
}

impl Settings {
    /// Computes the settings from their sources.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] that names the faulty value and its place.
    pub fn resolve(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let profile = profile_of(sources);
        let layers = Layers::new(sources, &profile)?;
        let node_id = layers.read("nodeid", read::node_id)?;
        let mut unknown_methods = Vec::new();
        Ok(Self {
            node_id: node_id.unwrap_or_else(|| format!("{profile}/")),
            profile,
            secret: layers.read("secret", read::secret)?,
            cert: layers.read("cert", read::hidden)?.map(Cert::new),
            ca: layers.read("ca", read::hidden)?.map(Cert::new),
            require_tls: layers.read("require_tls", flag)?.unwrap_or(false),
            encrypt: layers.read("encrypt", read::encrypt)?.unwrap_or_default(),
            verify_node_id: layers.read("verify_nodeid", flag)?.unwrap_or(false),
            relay: layers.read("relay", flag)?.unwrap_or(true),
            seeds: layers.read("seeds", read::seeds)?.unwrap_or_default(),
            binds: layers.read("binds", addresses)?,
            advertise: layers
                .read("advertise", read::announced)?
                .unwrap_or_default(),
            services: layers.read("services", services)?.unwrap_or_default(),
            secure: layers.read("secure", flag)?.unwrap_or(false),
            allow: layers.read("allow", read::permits)?,
            monitor_timeout: layers
                .read("monitor_timeout", timeout)?
                .unwrap_or(Duration::from_secs(30)),
            connect_interval: layers
                .read("connect_interval", seconds)?
                .unwrap_or(Duration::from_secs(2)),
            framing_format: layers.read("framing_format", names)?,
            auth_offer: layers
                .methods("auth_offer", &mut unknown_methods)?
                .unwrap_or_else(|| Method::OFFERED.to_vec()),
            auth_accept: layers
                .methods("auth_accept", &mut unknown_methods)?
                .unwrap_or_else(|| Method::ACCEPTED.to_vec()),
            autocork: layers.read("autocork", flag)?.unwrap_or(false),
            nodelay: layers.read("nodelay", flag)?.unwrap_or(true),
            eval: layers.read("eval", read::text)?,
            limits: limits(&layers)?,
            unknown: layers.unknown(),
            unknown_methods,
            formats_in_file: layers.place_in_file("framing_format"),
            services_in_file: layers.place_in_file("services"),
        })
    }

    /// The node's ID, with its variable parts replaced: `%n` by the host's name, `%u` by `random`. `random` is also
    /// appended to a trailing `/`.
    #[must_use]
    pub fn node_id_with(&self, random: &str) -> String {
        expand_node_id(&self.node_id, &host_name(), random)
    }
}

fn limits(layers: &Layers<'_>) -> Result<NodeLimits, ConfigError> {
    let mut limits = NodeLimits::default();
    let counts = [
        ("max_strangers", &mut limits.max_strangers),
        (
            "max_strangers_per_address",
            &mut limits.max_strangers_per_address,
        ),
        ("max_packet_depth", &mut limits.max_packet_depth),
        ("max_packet_values", &mut limits.max_packet_values),
        (
            "max_requests_per_second",
            &mut limits.max_requests_per_second,
        ),
        ("max_spawned_ports", &mut limits.max_spawned_ports),
        ("max_monitors", &mut limits.max_monitors),
        ("max_port_queue", &mut limits.max_port_queue),
        ("max_db_keys", &mut limits.max_db_keys),
    ];
    for (key, limit) in counts {
        *limit = layers
            .read(key, |value| read::count(value, key))?
            .unwrap_or(*limit);
    }
    let bytes = [
        ("max_handshake_bytes", &mut limits.max_handshake_bytes),
        ("max_packet_bytes", &mut limits.max_packet_bytes),
        ("max_queue_bytes", &mut limits.max_queue_bytes),
        ("max_db_bytes", &mut limits.max_db_bytes),
    ];
    for (key, limit) in bytes {
        *limit = layers
            .read(key, |value| read::bytes(value, key))?
            .unwrap_or(*limit);
    }
    limits.handshake_timeout = layers.read("handshake_timeout", seconds)?;
    Ok(limits)
}

fn profile_of(sources: &Sources<'_>) -> String {
    let environment = sources.file.and_then(|_| sources.environment.profile());
    let program = sources.profile.map(str::to_owned);
    let profile = match sources.force {
        true => program.or(environment),
        false => environment.or(program),
    };
    profile.unwrap_or_else(host_name)
}

/// The output of `aemp showconfig`: every value in effect as it is written, with the built-in defaults and unknown
/// keys. Left out are the defaults of `framing_format`, which depends on the features of the program, of `nodeid` and
/// `binds`, which depend on how the node is started, and of switches such as `nodelay`.
///
/// # Errors
///
/// Like [`Settings::resolve`].
pub fn effective(sources: &Sources<'_>) -> Result<Map, ConfigError> {
    Settings::resolve(sources)?;
    let layers = Layers::new(sources, &profile_of(sources))?;
    let methods = |methods: &[Method]| methods.iter().map(|method| method.name()).collect();
    let defaults: [(&str, Value); 4] = [
        ("monitor_timeout", 30.into()),
        ("connect_interval", 2.into()),
        ("auth_offer", methods(&Method::OFFERED)),
        ("auth_accept", methods(&Method::ACCEPTED)),
    ];
    let mut map: Map = defaults.into_iter().collect();
    for (key, value) in &layers.merged() {
        if !value.is_null() {
            map.insert(key, value);
        }
    }
    map.remove("profile");
    map.remove("parent");
    Ok(map)
}

/// The keys and values that [`effective`] returns, in the same order, each with its source.
///
/// # Errors
///
/// Like [`Settings::resolve`].
///
/// ```
/// use aemp::config::{ConfigFile, Environment, Origin, Sources, origins};
///
/// # let path = std::env::temp_dir().join(format!("aemp-origins-{}", std::process::id()));
/// std::fs::write(&path, r#"{ "seeds": ["10.0.0.1:4040"] }"#)?;
/// let file = ConfigFile::load(&path)?;
/// let environment = Environment::of([("AEMP_NODEID", "green")]);
/// let found = origins(&Sources { file: Some(&file), environment, ..Sources::default() })?;
/// let of = |key: &str| found.iter().find(|(name, ..)| name == key).map(|(.., origin)| origin.to_string());
/// assert_eq!(of("monitor_timeout").unwrap(), "default");
/// assert_eq!(of("nodeid").unwrap(), "environment: AEMP_NODEID");
/// assert!(of("seeds").unwrap().ends_with(":1:12: top level"));
/// # std::fs::remove_file(&path)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn origins(sources: &Sources<'_>) -> Result<Vec<(String, Value, Origin)>, ConfigError> {
    let map = effective(sources)?;
    let layers = Layers::new(sources, &profile_of(sources))?;
    let origins = map.into_iter().map(|(key, value)| {
        let origin = layers.origin(&key);
        (key.to_string(), value, origin)
    });
    Ok(origins.collect())
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("profile", &self.profile)
            .field("node_id", &self.node_id)
            .field("seeds", &self.seeds)
            .field("advertise", &self.advertise)
            .field("binds", &self.binds)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}
