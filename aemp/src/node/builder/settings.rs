//! The keys of the configuration, as methods of the builder.

use std::{path::PathBuf, time::Duration};

use aemp_codec::Value;

use super::NodeBuilder;
use crate::{
    Args,
    config::{Cert, Encrypt, Environment, Method, Permit, Secret, host_name},
};

/// The keys of the configuration file ([protocol](aemp_proto::protocol::configuration#the-file)). Errors in their values are reported when the node
/// starts.
impl NodeBuilder {
    /// Starts the node with this profile of the configuration file.
    ///
    /// **Without this or [`config_file`](Self::config_file) no file is read.** With one of them
    ///
    /// - The file is `$PERL_ANYEVENT_MP_RC`, or `~/.perl-anyevent-mp`, unless `config_file` names another.
    /// - **The file and the [environment](Environment) override the program's calls** of the other methods, which
    ///   become defaults. [`force`](Self::force) reverses that; [`norc`](Self::norc) leaves out both. A list replaces
    ///   another as a whole.
    /// - Without a setting, the node listens on every address ([`bind`](Self::bind) `*`), and its ID is the profile's
    ///   name, `/`, and a random text.
    ///
    /// The profile need not exist. Then only the file's top level applies, and this is logged at info level. The file
    /// need not exist either.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// As [`profile`](Self::profile), with `$AEMP_PROFILE`, or else the host's name, as in `uname -n`.
    pub fn configured(self) -> Self {
        let profile = self.environment.variable("AEMP_PROFILE");
        self.profile(profile.unwrap_or_else(host_name))
    }

    /// Starts the node with this configuration file; see [`profile`](Self::profile). Without a profile,
    /// `$AEMP_PROFILE` or the host's name is the profile.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Leaves out the configuration file and the environment. `aemp run norc 1` does the same.
    pub fn norc(mut self, norc: bool) -> Self {
        self.norc = norc;
        self
    }

    /// Makes the program's settings override the configuration file and the environment. `aemp run force 1` does the
    /// same.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Makes the start fail for entries that this program cannot use in a file that it shares with others.
    ///
    /// Without it, these are left out with a warning: unknown keys, services that are no init functions of this program,
    /// and formats and authentication methods that it does not have. A list without any format or method that it has
    /// stands for the default. The settings that the program itself makes must be right in any case.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The source of environment variables. Default: [`Environment::process`].
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets a key by its name in the file, for settings from a command line. Values may have the forms that the file
    /// allows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let node = aemp::Node::builder().setting("bidns", "*:4040").start().await;
    /// assert_eq!(
    ///     node.unwrap_err().to_string(),
    ///     r#"there is no key "bidns"; did you mean "binds"?"#
    /// );
    /// # }
    /// ```
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.arguments.insert(key, value);
        self
    }

    fn item(mut self, key: &str, item: Value) -> Self {
        match self.arguments.get_mut(key) {
            Some(Value::Array(items)) => items.push(item),
            _ => {
                self.arguments.insert(key, vec![item]);
            }
        }
        self
    }

    /// Sets the node ID. `%n` in it stands for the host's name; `%u`, and the end of an ID that ends in `/`, stand
    /// for a random text. Default: the host's name, `/` and a random text, so that no two processes have the same ID.
    pub fn node_id(self, id: impl Into<String>) -> Self {
        self.setting("nodeid", id.into())
    }

    /// Sets the secret that all nodes of the network share. Without it, connections need certificates
    /// ([`cert`](Self::cert)). It also encrypts connections ([`encrypt`](Self::encrypt)). A node with binds, seeds or
    /// addresses, but neither secret nor certificate, does not start. Reference nodes read the secret as Latin-1, so
    /// it should be ASCII.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secret = Some(Secret::new(secret));
        self
    }

    /// Sets the node's certificate with its private key, as PEM, in any order. Connections to nodes that have a
    /// certificate as well use TLS, and need no [`secret`](Self::secret). Feature `tls`.
    ///
    /// As in the reference, all nodes may share the text that `aemp gencert` makes: a peer's certificate is accepted
    /// if it is one of the text's certificates, or issued by one of them. With [`ca`](Self::ca), nodes have
    /// certificates of their own. If there are several certificates, the one that belongs to the key is the node's,
    /// and the others are sent along with it.
    ///
    /// Certificates must be X.509 version 3; keys RSA of 2048 bits and more, ECDSA on P-256 or P-384, or Ed25519.
    ///
    /// See the [protocol](aemp_proto::protocol::handshake#tls).
    pub fn cert(mut self, pem: impl Into<String>) -> Self {
        self.cert = Some(Cert::new(pem));
        self
    }

    /// Sets the trusted certificates, as PEM, in place of those in [`cert`](Self::cert). A peer's certificate is
    /// accepted if it is one of these, or issued by a CA among them, directly or through CAs whose certificates the
    /// peer sends along.
    pub fn ca(self, pem: impl Into<String>) -> Self {
        self.setting("ca", pem.into())
    }

    /// Refuses connections that do not use TLS with certificates. Otherwise, a peer whose greeting does not mention
    /// TLS can authenticate with the secret. Default: no, as in the reference.
    pub fn require_tls(self, require: bool) -> Self {
        self.setting("require_tls", require)
    }

    /// Sets when connections to other nodes of this project are encrypted with the [`secret`](Self::secret) alone,
    /// without certificates. Default: [`Encrypt::Auto`], which encrypts if one of the ends sees the other at an
    /// address that is not a loopback address. [`Encrypt::Always`] also refuses connections that would not be
    /// encrypted, such as those to Perl nodes without certificates. Connections between nodes with certificates
    /// always use TLS.
    ///
    /// ```
    /// use aemp::{Node, config::Encrypt};
    ///
    /// let builder = Node::builder().node_id("a").secret("geheim").encrypt(Encrypt::Always);
    /// ```
    pub fn encrypt(self, encrypt: Encrypt) -> Self {
        self.setting("encrypt", encrypt.name())
    }

    /// Refuses certificates that are not made for the node ID that the peer claims. So the key of one node cannot be
    /// used in the name of another. Default: no, as in the reference. Only connections with TLS have certificates:
    /// see [`require_tls`](Self::require_tls).
    ///
    /// The names of a certificate are its alternative names of the form `aemp:NODEID` (as URIs, with `%XX` for
    /// characters that URIs cannot have). Without any, they are its DNS names; without those, its common name. They
    /// are compared exactly. A name that ends in `/` accepts every ID that has one more part after it.
    pub fn verify_node_id(self, verify: bool) -> Self {
        self.setting("verify_nodeid", verify)
    }

    /// Adds an address to listen on, in any form of [`Address`](crate::config::Address): `host:port`, `*` for every
    /// local address that is not loopback, or a bare port on the host's own name. It may be called several times.
    /// Without a port, or with port 0, a free port is used; the bound port is announced. A node without a bind can
    /// connect to others, but accepts no connections.
    pub fn bind(self, address: impl Into<String>) -> Self {
        self.item("binds", address.into().into())
    }

    /// Adds an address, `host:port`, at which other nodes reach this node if that is not the address on which it
    /// listens, as behind NAT. It is announced instead of the addresses of [`bind`](Self::bind). Without a port, the
    /// first bound port is used. It may be called several times.
    pub fn advertise(self, address: impl Into<String>) -> Self {
        self.item("advertise", address.into().into())
    }

    /// Adds the address of a node to stay connected to, in any form of [`Seed`](crate::config::Seed). It may be
    /// called several times.
    ///
    /// A host name stands for all its addresses. It is looked up again in each round of attempts, and each address is
    /// tried and kept connected. So it may be the name of a whole group that includes this node: an address that
    /// turns out to be this node is left out until the next round.
    pub fn seed(self, address: impl Into<String>) -> Self {
        self.item("seeds", address.into().into())
    }

    /// Sets whether this node takes part in [relayed connections](crate::handbook::relays): whether it passes on
    /// connections between other nodes that cannot reach each other, and is reached by such connections itself.
    /// Default: yes. Only nodes of this project take part.
    pub fn relay(self, relay: bool) -> Self {
        self.setting("relay", relay)
    }

    /// Adds a service: an init function, by its fully-qualified name, that is spawned on the node after its start. It
    /// may be called several times; services are spawned in order.
    ///
    /// The service `AnyEvent::MP::Global` of the reference makes the node [global](Self::global). Any other name that
    /// ends in `::` is a Perl module to load, and an error of the start.
    pub fn service(self, name: impl Into<String>, args: Args) -> Self {
        let mut service = vec![Value::from(name.into())];
        service.extend(args);
        self.item("services", service.into())
    }

    /// Sets whether the node is global from the start. A global node knows all nodes and holds the database.
    pub fn global(mut self, global: bool) -> Self {
        self.global = global;
        self
    }

    /// The time until a silent peer counts as dead, and the default time limit of a handshake. Default: 30 seconds.
    pub fn monitor_timeout(self, timeout: Duration) -> Self {
        self.setting("monitor_timeout", timeout.as_secs_f64())
    }

    /// The time limit of an attempt to connect to a node, and the pause between its addresses. Default: 2 seconds.
    pub fn connect_interval(self, interval: Duration) -> Self {
        self.setting("connect_interval", interval.as_secs_f64())
    }

    /// Refuses every spawn, function call and eval of other nodes. A message that another node asks this node to pass
    /// on ([`Node::snd_on`](crate::Node::snd_on)) is passed on, as by AEMP 2.01, whose manual says otherwise.
    pub fn secure(self, secure: bool) -> Self {
        self.setting("secure", secure)
    }

    /// Permits some nodes to run some functions here, and refuses everything else as [`secure`](Self::secure) does,
    /// which it replaces. Functions are init functions, functions to call, and the requests `eval` and `inspect`
    /// under their own names. Both arguments are patterns, in which `*` stands for any text and `?` for any
    /// character. May be given several times.
    ///
    /// ```
    /// let node = aemp::Node::builder().allow("worker/*", "My::Worker::*").allow("admin", "*");
    /// ```
    pub fn allow(self, nodes: impl Into<String>, functions: impl Into<String>) -> Self {
        let permit = Permit::new(nodes, functions);
        self.item("allow", permit.to_string().into())
    }

    /// The names of the wire formats, in order of preference: `json`, `cbor` and `postcard/1`, as far as they are
    /// compiled in. Unknown names are left out. Default: all formats, those of [`codec`](Self::codec) first, then
    /// from the fastest to `json`.
    ///
    /// The format `storable` of AEMP is neither offered nor accepted, because it can hold code. A Perl node that is
    /// configured for it alone cannot connect.
    ///
    /// A node sends in the first format of the other's list that it has, so the two directions may differ
    /// ([protocol](aemp_proto::protocol::handshake#authentication-line)).
    pub fn framing_format<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| Value::from(name.into()));
        self.setting("framing_format", names.collect::<Value>())
    }

    /// The methods by which this node authenticates itself, in order of preference. Default: `tls_sha3_512` and
    /// `hmac_sha3_512`. `cleartext` sends the secret to any peer that answers at a seed's address; the node then
    /// warns at its start.
    pub fn auth_offer(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.setting("auth_offer", names(methods))
    }

    /// The methods by which peers may authenticate themselves, in order of preference. Default: all methods.
    pub fn auth_accept(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.setting("auth_accept", names(methods))
    }

    /// True if a peer may authenticate with the secret in clear text, as minimal clients do. Default: yes, as in the
    /// reference. The configuration file cannot allow it again.
    pub fn accept_cleartext(mut self, accept: bool) -> Self {
        self.accept_cleartext = accept;
        self
    }

    /// True if small packets are gathered before they are sent. The setting exists for compatibility of the file:
    /// this implementation always gathers packets, and never waits for more.
    pub fn autocork(self, autocork: bool) -> Self {
        self.setting("autocork", autocork)
    }

    /// True if the system sends data without delay (`TCP_NODELAY`). Default: yes.
    pub fn nodelay(self, nodelay: bool) -> Self {
        self.setting("nodelay", nodelay)
    }
}

fn names(methods: impl IntoIterator<Item = Method>) -> Value {
    methods.into_iter().map(Method::name).collect()
}
