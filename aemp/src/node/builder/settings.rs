//! The keys of the configuration, as methods of the builder.

use std::{path::PathBuf, time::Duration};

use aemp_codec::Value;

use super::NodeBuilder;
use crate::{
    Args,
    config::{Cert, Encrypt, Environment, Method, Permit, Secret},
};

/// The keys of the configuration file (PROTOCOL.md section 13). Errors in their values are reported when the node starts.
impl NodeBuilder {
    /// Starts the node with the configuration file, in which it looks for that profile.
    ///
    /// **Without this or [`config_file`](Self::config_file) no file is read.** With one of them
    ///
    /// - the file is `$PERL_ANYEVENT_MP_RC`, or `~/.perl-anyevent-mp`, unless `config_file` names another;
    /// - **the file and the [environment](Environment) override the program's calls** of the other methods, which are defaults then.
    ///   [`force`](Self::force) reverses that; [`norc`](Self::norc) leaves out both. Lists replace each other as a whole.
    /// - without a setting, the node listens on every address ([`bind`](Self::bind) `*`), and its ID is the profile's name, `/`, and a
    ///   random text.
    ///
    /// The profile need not exist. Then only the file's top level applies, and this is logged at info level. The file need not exist either.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Starts the node with that configuration file; see [`profile`](Self::profile). Without a profile, `$AEMP_PROFILE` or
    /// the host's name is the profile.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Leaves out the configuration file and the environment.
    pub fn norc(mut self, norc: bool) -> Self {
        self.norc = norc;
        self
    }

    /// The program's settings override the configuration file and the environment.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// The source of environment variables. Default: [`Environment::process`].
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets a key by its name in the file, for settings from a command line. Values may have the forms that are allowed there.
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

    /// The node ID. `%n` in it stands for the host's name, `%u` and the end behind a trailing `/` for a random text. The
    /// default is the host's name, `/` and a random text, so that no two processes share it.
    pub fn node_id(self, id: impl Into<String>) -> Self {
        self.setting("nodeid", id.into())
    }

    /// The secret that all nodes of the network share; without it, connections need certificates ([`cert`](Self::cert)). It also
    /// encrypts ([`encrypt`](Self::encrypt)). A node with binds, seeds or addresses, but neither secret nor certificate, does not start. Reference
    /// nodes take it as Latin-1: keep to ASCII.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secret = Some(Secret::new(secret));
        self
    }

    /// The node's certificate with its private key, as PEM, in any order. With it, connections to nodes that have one as well
    /// are in TLS; no [`secret`](Self::secret) is needed for these. Feature `tls`.
    ///
    /// As in the reference, all nodes may share the text that `aemp gencert` makes: a peer's certificate is good if it is
    /// one of the text's certificates, or issued by one of them. With [`ca`](Self::ca), nodes have certificates of
    /// their own. If there is more than one certificate, that of the key is the node's, and the others are sent along with it.
    ///
    /// Certificates must be X.509 version 3; keys RSA of 2048 bits and more, ECDSA on P-256 or P-384, or Ed25519.
    ///
    /// PROTOCOL.md section 2.3.
    pub fn cert(mut self, pem: impl Into<String>) -> Self {
        self.cert = Some(Cert::new(pem));
        self
    }

    /// The certificates to trust instead of those in [`cert`](Self::cert), as PEM: a peer's certificate is good if it is one
    /// of these, or issued by a CA among them, directly or by way of CAs whose certificates the peer sends along.
    pub fn ca(self, pem: impl Into<String>) -> Self {
        self.setting("ca", pem.into())
    }

    /// Refuses connections that are not in TLS of certificates. Without it, a peer whose greeting says nothing of TLS is let in with the
    /// secret. Default: no, as in the reference.
    pub fn require_tls(self, require: bool) -> Self {
        self.setting("require_tls", require)
    }

    /// When connections to other nodes of this project are encrypted although they have no certificates, with the
    /// [`secret`](Self::secret) alone. Default: [`Encrypt::Auto`], wherever one of the ends sees the other at an address that is not
    /// a loopback address. [`Encrypt::Always`] also refuses connections that would not be encrypted: those to Perl nodes
    /// without certificates, for example. Connections between nodes with certificates are in TLS in any case.
    ///
    /// ```
    /// use aemp::{Node, config::Encrypt};
    ///
    /// let builder = Node::builder().node_id("a").secret("geheim").encrypt(Encrypt::Always);
    /// ```
    pub fn encrypt(self, encrypt: Encrypt) -> Self {
        self.setting("encrypt", encrypt.name())
    }

    /// Refuses certificates that are not made for the node ID that their owner claims, so that who has the key of one node
    /// can be no other. Default: no, as in the reference. Only connections in TLS have certificates: see
    /// [`require_tls`](Self::require_tls).
    ///
    /// A certificate's names are its alternative names of the form `aemp:NODEID` (as URIs, with `%XX` for what URIs cannot have);
    /// without any, its DNS names; without those, its common name. They are compared exactly, but one that ends in `/` is
    /// good for every ID that has one more part behind it.
    pub fn verify_node_id(self, verify: bool) -> Self {
        self.setting("verify_nodeid", verify)
    }

    /// An address to listen on, in any form that [`Address`](crate::config::Address) knows: `host:port`, `*` for every local
    /// address that is not loopback, a bare port on the host's own name. May be given several times. Without a port, or with
    /// port 0, a free one is taken; the one that was really bound is announced. A node without any can connect, but not be
    /// connected to.
    pub fn bind(self, address: impl Into<String>) -> Self {
        self.item("binds", address.into().into())
    }

    /// Where others reach this node, `host:port`, if that is not where it listens: behind NAT, or a mapped port. It is told to other
    /// nodes instead of the addresses of [`bind`](Self::bind). Without a port, it is the one that was first bound. May be given several times.
    pub fn advertise(self, address: impl Into<String>) -> Self {
        self.item("advertise", address.into().into())
    }

    /// The address of a node to stay connected to, in the forms that [`Seed`](crate::config::Seed) knows. May be given several times.
    ///
    /// A host's name stands for all its addresses: it is looked up anew at each round of attempts, and each address is tried, and
    /// kept a connection to. So it may be the name of a whole group, which this node itself belongs to: an address that has proved to be this
    /// node itself is left out until the next round.
    pub fn seed(self, address: impl Into<String>) -> Self {
        self.item("seeds", address.into().into())
    }

    /// A service: an init function, by its fully-qualified name, that is run when the node has started, as if it were spawned
    /// on it. May be given several times; they are run in that order.
    ///
    /// The reference's `AnyEvent::MP::Global` makes the node [global](Self::global).
    pub fn service(self, name: impl Into<String>, args: Args) -> Self {
        let mut service = vec![Value::from(name.into())];
        service.extend(args);
        self.item("services", service.into())
    }

    /// Whether the node is a global one from the start, which knows all nodes and holds the database.
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

    /// Refuses every spawn, function call and eval of other nodes.
    pub fn secure(self, secure: bool) -> Self {
        self.setting("secure", secure)
    }

    /// Permits some nodes to run some functions here, and refuses everything else as [`secure`](Self::secure) does, which it replaces. Functions are init
    /// functions, functions to call, and the requests `eval` and `inspect` under their own names. Both arguments are patterns, in which `*` stands for any text and `?` for any character. May be given several times.
    ///
    /// ```
    /// let node = aemp::Node::builder().allow("worker/*", "My::Worker::*").allow("admin", "*");
    /// ```
    pub fn allow(self, nodes: impl Into<String>, functions: impl Into<String>) -> Self {
        let permit = Permit::new(nodes, functions);
        self.item("allow", permit.to_string().into())
    }

    /// The names of the wire formats, in order of preference: `json`, `cbor` and `postcard/1`, as far as they are compiled in. Unknown names are left
    /// out. Default: all formats, those of [`codec`](Self::codec) first, then from the fastest to `json`.
    ///
    /// A node sends in the first format of the other's list that it has, so the two directions may differ
    /// (PROTOCOL.md section 2.4).
    pub fn framing_format<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| Value::from(name.into()));
        self.setting("framing_format", names.collect::<Value>())
    }

    /// The methods to prove this node to its peers, in order of preference. Default: `tls_sha3_512` and `hmac_sha3_512`. `cleartext` gives the secret
    /// away to any peer that answers at a seed's address; the node then warns at its start.
    pub fn auth_offer(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.setting("auth_offer", names(methods))
    }

    /// The methods for peers to prove themselves, in order of preference. Default: all methods.
    pub fn auth_accept(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.setting("auth_accept", names(methods))
    }

    /// Whether a peer may log in with the secret in clear text, as minimal clients do. Default: yes, as in the
    /// reference. The configuration file cannot allow it again.
    pub fn accept_cleartext(mut self, accept: bool) -> Self {
        self.accept_cleartext = accept;
        self
    }

    /// Whether small packets are gathered before they are sent. It exists for the sake of the file: this implementation always gathers packets, and
    /// never waits for that.
    pub fn autocork(self, autocork: bool) -> Self {
        self.setting("autocork", autocork)
    }

    /// Whether the system sends data without delay (`TCP_NODELAY`). Default: yes.
    pub fn nodelay(self, nodelay: bool) -> Self {
        self.setting("nodelay", nodelay)
    }
}

fn names(methods: impl IntoIterator<Item = Method>) -> Value {
    methods.into_iter().map(Method::name).collect()
}
