//! The keys of a configuration.

use aemp_codec::Value;

use super::{ValueError, read};

/// A key of the configuration, as in `aemp setKEY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The name in the file.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// A one-line description.
    pub summary: &'static str,
}

/// The kind of a [`Key`]'s value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A text.
    Text,
    /// A text that only its owner should see.
    Secret,
    /// The ID of a node, in which `%n`, `%u` and a trailing `/` are replaced.
    NodeId,
    /// The name of a profile. Only profiles have this key, not the top level.
    Profile,
    /// A list of addresses.
    Addresses,
    /// A list of init functions. Each is a name, or an array of a name and arguments.
    Services,
    /// A list of the names of wire formats.
    Formats,
    /// A list of the names of authentication methods.
    Methods,
    /// A positive number of seconds.
    Seconds,
    /// True or false: 1 or 0.
    Flag,
    /// A positive whole number.
    Count,
    /// One of `auto`, `always` and `never`.
    Encrypt,
    /// A list of permits, each `NODES=FUNCTIONS`.
    Permits,
    /// A number of bytes, which may end in `K`, `M` or `G`.
    Bytes,
}

/// All keys, in the order of the documentation.
pub const KEYS: [Key; 37] = [
    key("nodeid", Kind::NodeId, "the node's ID"),
    key("secret", Kind::Secret, "the secret that all nodes share"),
    key(
        "cert",
        Kind::Secret,
        "the certificate that all nodes share, with its key, as PEM",
    ),
    key(
        "ca",
        Kind::Text,
        "the trusted certificates, instead of `cert`, as PEM (Rust nodes only)",
    ),
    key(
        "require_tls",
        Kind::Flag,
        "refuse connections that are not in TLS by certificates (Rust nodes only)",
    ),
    key(
        "encrypt",
        Kind::Encrypt,
        "when Rust nodes encrypt with the secret alone: auto, always, never",
    ),
    key(
        "verify_nodeid",
        Kind::Flag,
        "refuse certificates that are not made for their node's ID (Rust nodes only)",
    ),
    key(
        "seeds",
        Kind::Addresses,
        "the addresses of nodes to stay connected to",
    ),
    key("binds", Kind::Addresses, "the addresses to listen on"),
    key(
        "advertise",
        Kind::Addresses,
        "the addresses for other nodes, if they differ from `binds` (Rust nodes only)",
    ),
    key(
        "services",
        Kind::Services,
        "init functions to run when the node starts",
    ),
    key(
        "parent",
        Kind::Profile,
        "the profile to inherit settings from",
    ),
    key(
        "secure",
        Kind::Flag,
        "refuse spawns, function calls and evals of other nodes",
    ),
    key(
        "monitor_timeout",
        Kind::Seconds,
        "the time until a silent node counts as dead",
    ),
    key(
        "connect_interval",
        Kind::Seconds,
        "the time limit of an attempt to connect",
    ),
    key(
        "framing_format",
        Kind::Formats,
        "the wire formats, in order of preference",
    ),
    key(
        "auth_offer",
        Kind::Methods,
        "the methods to prove this node, in order of preference",
    ),
    key(
        "auth_accept",
        Kind::Methods,
        "the methods for other nodes to prove themselves, in order of preference",
    ),
    key(
        "autocork",
        Kind::Flag,
        "gather small packets (reference nodes only; Rust nodes always do)",
    ),
    key(
        "nodelay",
        Kind::Flag,
        "send small packets without delay (on by default)",
    ),
    key(
        "eval",
        Kind::Text,
        "Perl code to run when the node starts (reference nodes only)",
    ),
    key(
        "handshake_timeout",
        Kind::Seconds,
        "the time limit of a handshake (Rust nodes only, like all keys below)",
    ),
    key(
        "max_strangers",
        Kind::Count,
        "unauthenticated connections at once",
    ),
    key(
        "max_strangers_per_address",
        Kind::Count,
        "unauthenticated connections at once from one address",
    ),
    key(
        "max_handshake_bytes",
        Kind::Bytes,
        "bytes that are read from a connection before the end of its handshake",
    ),
    key(
        "allow",
        Kind::Permits,
        "functions that other nodes may run here; everything else is refused",
    ),
    key(
        "relay",
        Kind::Flag,
        "pass on connections of other nodes, and be reached by such (on by default)",
    ),
    key("max_packet_bytes", Kind::Bytes, "the largest packet"),
    key(
        "max_packet_depth",
        Kind::Count,
        "the deepest nesting of a packet",
    ),
    key(
        "max_packet_values",
        Kind::Count,
        "values that one packet may contain",
    ),
    key(
        "max_queue_bytes",
        Kind::Bytes,
        "bytes that may wait to be written to one node",
    ),
    key(
        "max_requests_per_second",
        Kind::Count,
        "requests of one node to the node port",
    ),
    key(
        "max_spawned_ports",
        Kind::Count,
        "living ports that one node may have spawned here",
    ),
    key(
        "max_monitors",
        Kind::Count,
        "ports, and families of the database, that one node may monitor here",
    ),
    key(
        "max_port_queue",
        Kind::Count,
        "messages that may wait for one port when a node sends it another",
    ),
    key(
        "max_db_keys",
        Kind::Count,
        "entries of one node in the database of a global node",
    ),
    key(
        "max_db_bytes",
        Kind::Bytes,
        "bytes of memory for the entries of one node",
    ),
];

const fn key(name: &'static str, kind: Kind, summary: &'static str) -> Key {
    Key {
        name,
        kind,
        summary,
    }
}

fn whole(number: usize) -> Value {
    Value::from(number as u64)
}

impl Key {
    /// Returns the key with this name.
    ///
    /// ```
    /// use aemp::config::{Key, Kind};
    ///
    /// assert_eq!(Key::named("seeds").unwrap().kind, Kind::Addresses);
    /// assert!(Key::named("sedes").is_none());
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// True if the value is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        use Kind::{Addresses, Formats, Methods, Permits, Services};
        matches!(
            self.kind,
            Addresses | Services | Formats | Methods | Permits
        )
    }

    /// Returns the value in its best form: a list for a text with commas, a number or a flag for a text. Null stays
    /// null.
    ///
    /// # Errors
    ///
    /// The problem of the value.
    pub fn normalize(&self, value: &Value) -> Result<Value, ValueError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        Ok(match self.kind {
            Kind::Text if self.name == "ca" => read::hidden(value)?.into(),
            Kind::Text | Kind::Profile => read::text(value)?.into(),
            Kind::Secret => {
                read::secret(value)?;
                value.clone()
            }
            Kind::NodeId => read::node_id(value)?.into(),
            Kind::Addresses => {
                match self.name {
                    "seeds" => {
                        let seeds = read::seeds(value)?;
                        return Ok(seeds.iter().map(ToString::to_string).collect());
                    }
                    "advertise" => read::announced(value)?,
                    _ => read::addresses(value)?,
                };
                read::names(value)?.into()
            }
            Kind::Services => {
                read::services(value)?;
                Value::Array(read::items(value)?)
            }
            Kind::Formats => read::names(value)?.into(),
            Kind::Methods => {
                read::methods(value)?;
                read::names(value)?.into()
            }
            Kind::Encrypt => read::encrypt(value)?.name().into(),
            Kind::Permits => {
                let permits = read::permits(value)?;
                permits.iter().map(ToString::to_string).collect()
            }
            Kind::Seconds => read::number(value, read::least(self.name))?,
            Kind::Flag => i64::from(read::flag(value)?).into(),
            Kind::Count => whole(read::count(value, self.name)?),
            Kind::Bytes => whole(read::bytes(value, self.name)?),
        })
    }
}
