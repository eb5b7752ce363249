//! The certificates of a node's connections, and its ephemeral key.

use std::sync::{Arc, OnceLock};

use super::{Net, NetConfig};
use crate::{
    NodeBuilder, StartError,
    config::Cert,
    lock::Lock,
    tls::{Context, Ephemeral, Session, TlsError},
};
use aemp_proto::handshake::{Keys, StartTls};

/// The part of a node's builder that is about TLS.
#[derive(Debug, Default)]
pub(crate) struct TlsConfig {
    /// The certificates, if there are any.
    pub(crate) context: Option<Arc<Context>>,
    pub(crate) verify_node_id: bool,
    /// The builder that the certificates came from, to read them again.
    pub(crate) sources: Option<Box<NodeBuilder>>,
}

/// The configuration of a node's connections in TLS.
pub(super) struct Tls {
    /// The present certificates.
    context: Lock<Option<Arc<Context>>>,
    /// The node's ephemeral key, made on first use.
    ephemeral: OnceLock<Result<Ephemeral, TlsError>>,
}

impl Tls {
    pub(super) fn new(config: &NetConfig) -> Self {
        Self {
            context: Lock::new(config.tls.context.clone()),
            ephemeral: OnceLock::new(),
        }
    }

    pub(super) fn session(&self, start: &StartTls) -> Result<Session, TlsError> {
        match start.keys {
            Keys::Certificates => {
                let context = self.context.lock().clone();
                let context = context.ok_or_else(|| TlsError::new("there is no certificate"))?;
                context.session(start.client, &start.node)
            }
            Keys::Ephemeral => match self.ephemeral.get_or_init(Ephemeral::new) {
                Ok(ephemeral) => ephemeral.session(start.client),
                Err(error) => Err(error.clone()),
            },
        }
    }
}

impl Net {
    /// Replaces the certificates for connections that begin from now on.
    pub(crate) fn set_cert(&self, cert: &Cert, ca: Option<&Cert>) -> Result<(), StartError> {
        let verify_node_id = self.0.config.tls.verify_node_id;
        self.set_tls(Context::new(cert, ca, verify_node_id)?);
        Ok(())
    }

    /// The builder that the node was started with.
    pub(crate) fn sources(&self) -> Option<&NodeBuilder> {
        self.0.config.tls.sources.as_deref()
    }

    pub(crate) fn set_tls(&self, context: Context) {
        context.warn_of_other_names(self.node().id());
        *self.0.tls.context.lock() = Some(Arc::new(context));
        self.ask(|mesh, _| mesh.set_tls(true));
    }
}
