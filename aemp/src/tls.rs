//! TLS between nodes: certificates and trust, and rustls without its I/O. See the [protocol](aemp_proto::protocol::handshake#tls).
//!
//! The feature `tls` is on by default: the reference always has TLS, and a `cert` in the configuration without any
//! effect would be worse than a larger binary. It costs rustls and ring; programs can be built without.
//!
//! - `Context`: the own certificate and key, and the trusted certificates. It is made of the settings, checked as a
//!   whole, and replaced as a whole (`Node::reload_tls`). A connection keeps the context that it has begun with.
//! - `trust`: the rules of trust. `names`: certificates for node IDs. `verifier`: both, as rustls asks for them.
//! - `session`: ciphertext in, plaintext out, and back.
//!
//! **No resumption.** A ticket would carry over a decision from before a reload, and from another node ID. Connections
//! live long, and a handshake takes a millisecond.
//!
//! **Untrusted** is a peer that has logged in with `tls_anon`: its certificate is good, but nothing binds its greeting
//! to the TLS connection, so an attacker in the middle may have changed it (with `verify_nodeid` not the node ID). The
//! reference notes that without consequences. Here spawns, function calls and evals of such a peer are refused, as in
//! secure mode.
//!
//! # Dangers
//!
//! - *Downgrade*: without `require_tls`, a `tls=` that is stripped from a greeting leads to the secret. The HMAC covers
//!   both greetings, so an attacker that does not know the secret gains nothing, and one that knows it needs no TLS.
//!   `require_tls` ends that.
//! - *Starvation*: each call reads the socket once, however many records give no plaintext (empty ones, tickets, key
//!   updates; rustls counts these). A link hears its peer by plaintext only.
//! - *Truncation*: an end without close_notify is an ordinary end of file, as the reference needs. Packets are framed,
//!   and half a packet is lost with the connection, which the monitors report.
//! - *Memory*: at most 64 KiB of ciphertext are read at a time, a handshake message is at most 64 KiB for rustls, and
//!   the encrypted, unsent bytes are one write of 64 KiB.
//! - *Simulation*: TLS works over the simulated network, but ring draws its own randomness and dates are the machine's,
//!   so such a run is not reproducible.
//! - *Key material*: the PEM text, the DER key and proofs are wiped when dropped. Not wiped are the text of the
//!   configuration file while it is read, ring's own copy of the key (while it is in use), and buffers of the PEM
//!   decoder.

mod der;
mod ephemeral;
mod identity;
mod names;
mod provider;
mod session;
mod trust;
mod verifier;

use std::sync::Arc;

use aemp_codec::NodeId;
use rustls::{
    ClientConfig, ServerConfig, SupportedProtocolVersion,
    client::{Resumption, UnbufferedClientConnection},
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, UnbufferedServerConnection},
    sign::SingleCertAndKey,
};
use rustls_pki_types::{ServerName, UnixTime};

pub(crate) use self::{
    ephemeral::Ephemeral,
    session::{Session, TlsError},
};
use self::{identity::Identity, session::Conn, trust::Trust, verifier::Verifier};
use crate::{CertError, StartError, config::Cert};

/// The common part of all TLS connections of a node. It is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Context {
    provider: Arc<CryptoProvider>,
    versions: &'static [&'static SupportedProtocolVersion],
    identity: Arc<SingleCertAndKey>,
    /// The names in the own certificate, for the log.
    names: names::Names,
    trust: Arc<Trust>,
    /// True if certificates must be made for the node IDs that peers claim.
    verify_node_id: bool,
}

impl Context {
    /// Makes a context from the certificate with its key, the trusted certificates (those in `cert` without a `ca`),
    /// and the checks.
    ///
    /// # Errors
    ///
    /// [`StartError::Setting`], which names the faulty text and the fault.
    pub(crate) fn new(
        cert: &Cert,
        ca: Option<&Cert>,
        verify_node_id: bool,
    ) -> Result<Self, StartError> {
        let now = UnixTime::now();
        let identity = Identity::read(cert, now).map_err(|problem| setting("cert", problem))?;
        let trust = match ca {
            Some(ca) => Trust::read(ca).map_err(|problem| setting("ca", problem))?,
            None => Trust::of(identity.certificates.clone())
                .map_err(|problem| setting("cert", problem))?,
        };
        Ok(Self {
            provider: Arc::new(provider::provider()),
            versions: rustls::DEFAULT_VERSIONS,
            identity: Arc::new(identity.key.into()),
            names: identity.names,
            trust: Arc::new(trust),
            verify_node_id,
        })
    }

    /// Warns if other nodes would not accept the certificate for this node's ID.
    pub(crate) fn warn_of_other_names(&self, node: &NodeId) {
        if self.verify_node_id && !self.names.include(node) {
            let (names, node) = (&self.names, node.as_str());
            crate::log::warning!(
                "cert: it is made for {names}, not for {node:?}, so that nodes with verify_nodeid will refuse this one"
            );
        }
    }

    /// Makes the TLS session of a connection to a node that claims to be `node`.
    ///
    /// # Errors
    ///
    /// If rustls rejects the configuration.
    pub(crate) fn session(&self, client: bool, node: &NodeId) -> Result<Session, TlsError> {
        let verifier = Arc::new(Verifier::new(
            Arc::clone(&self.trust),
            self.provider.signature_verification_algorithms,
            self.verify_node_id.then(|| node.clone()),
        ));
        let conn = match client {
            true => self.client(&verifier).map(Conn::Client),
            false => self.server(&verifier).map(Conn::Server),
        };
        Ok(Session::new(conn.map_err(TlsError::new)?, Some(verifier)))
    }

    fn client(
        &self,
        verifier: &Arc<Verifier>,
    ) -> Result<UnbufferedClientConnection, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(verifier) as _)
            .with_client_cert_resolver(Arc::clone(&self.identity) as _);
        config.resumption = Resumption::disabled();
        // Nodes have no host names.
        config.enable_sni = false;
        let name = ServerName::from(std::net::Ipv4Addr::UNSPECIFIED);
        UnbufferedClientConnection::new(Arc::new(config), name)
    }

    fn server(
        &self,
        verifier: &Arc<Verifier>,
    ) -> Result<UnbufferedServerConnection, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.versions)?
            .with_client_cert_verifier(Arc::clone(verifier) as _)
            .with_cert_resolver(Arc::clone(&self.identity) as _);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        UnbufferedServerConnection::new(Arc::new(config))
    }
}

fn setting(setting: &'static str, problem: CertError) -> StartError {
    StartError::setting(setting, problem.into())
}

#[cfg(test)]
mod tests;
