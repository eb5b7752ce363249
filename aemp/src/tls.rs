//! TLS between nodes: whose certificates are good, and rustls without its I/O.
//!
//! See the [protocol](aemp_proto::protocol::handshake#tls), and [what is added to it](aemp_proto::protocol::extensions#tls-by-the-secret).

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
use crate::{StartError, config::Cert};

/// What all TLS connections of a node have in common, until it is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Context {
    provider: Arc<CryptoProvider>,
    versions: &'static [&'static SupportedProtocolVersion],
    identity: Arc<SingleCertAndKey>,
    /// What the own certificate is called, for the log.
    names: names::Names,
    trust: Arc<Trust>,
    /// Whether certificates must be made for the node IDs that are claimed with them.
    verify_node_id: bool,
}

impl Context {
    /// The certificate with its key, whom to trust (who is in `cert` if there is no `ca`), and how.
    ///
    /// # Errors
    ///
    /// [`StartError::Setting`], which says what is wrong with which of the texts.
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

    /// Says so if others would not believe the node its ID.
    pub(crate) fn remark(&self, node: &NodeId) {
        if self.verify_node_id && !self.names.include(node) {
            let (names, node) = (&self.names, node.as_str());
            crate::log::warning!(
                "cert: it is made for {names}, not for {node:?}, so that nodes with verify_nodeid will refuse this one"
            );
        }
    }

    /// The TLS side of a connection to a node that says it is `node`.
    ///
    /// # Errors
    ///
    /// When rustls does not like the configuration.
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

fn setting(setting: &'static str, problem: String) -> StartError {
    StartError::Setting { setting, problem }
}

#[cfg(test)]
mod tests;
