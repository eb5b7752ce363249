//! TLS on connections, and its certificates; without the feature `tls`, stubs.

#[cfg(feature = "tls")]
pub(crate) use with::TlsConfig;
#[cfg(feature = "tls")]
pub(super) use with::{Tls, start, text};
#[cfg(not(feature = "tls"))]
pub(super) use without::{start, text};

#[cfg(feature = "tls")]
mod with {
    use std::{
        io,
        sync::{Arc, Mutex, OnceLock},
    };

    use crate::{
        NodeBuilder, StartError,
        config::Cert,
        net::{
            Net, NetConfig, Stream,
            connection::{END_OF_FILE, Orders, failed},
            lock,
        },
        node::log::Line,
        tls::{Context, Ephemeral, Session, TlsError},
    };
    use aemp_proto::{
        handshake::{Keys, StartTls},
        mesh::Level,
        peer::ConnId,
    };

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
    pub(in crate::net) struct Tls {
        /// The present certificates.
        context: Mutex<Option<Arc<Context>>>,
        /// The node's ephemeral key, made on first use.
        ephemeral: OnceLock<Result<Ephemeral, TlsError>>,
    }

    impl Tls {
        pub(in crate::net) fn new(config: &NetConfig) -> Self {
            Self {
                context: Mutex::new(config.tls.context.clone()),
                ephemeral: OnceLock::new(),
            }
        }

        fn session(&self, start: &StartTls) -> Result<Session, TlsError> {
            match start.keys {
                Keys::Certificates => {
                    let context = lock(&self.context).clone();
                    let context =
                        context.ok_or_else(|| TlsError::new("there is no certificate"))?;
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
            context.remark(self.node().id());
            *lock(&self.0.tls.context) = Some(Arc::new(context));
            self.ask(|mesh, _| mesh.set_tls(true));
        }
    }

    /// Runs the TLS handshake. The mesh gets plaintext from then on. Returns `None` if the connection ends here.
    pub(in crate::net) async fn start(
        net: &Net,
        conn: ConnId,
        stream: Stream,
        orders: &mut Orders,
        start: StartTls,
    ) -> Option<Stream> {
        let session = match net.0.tls.session(&start) {
            Ok(session) => session,
            Err(error) => return failed(net, conn, &io::Error::other(error)),
        };
        let mut secured = match stream.into_tls(session, &start.leftover) {
            Ok(secured) => secured,
            // The mesh starts TLS only once.
            Err(stream) => return Some(stream),
        };
        let shaken = tokio::select! {
            biased;
            // The mesh does not know yet that TLS is up, so the only possible order is to close.
            _ = orders.recv() => return None,
            shaken = secured.handshake() => shaken,
        };
        let binding = shaken.and_then(|()| secured.binding());
        match binding {
            Ok(binding) => {
                let (node, role) = (
                    start.node.as_str(),
                    if start.client { "client" } else { "server" },
                );
                let text = secured.describe().unwrap_or_default();
                let text = format!("{text} as {role} with {node}");
                net.node().say(Line::new(Level::Debug, text));
                net.secured(conn, binding);
                Some(Stream::Tls(secured))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                // Some implementations do not send an alert.
                let text =
                    format!("{END_OF_FILE} in the TLS handshake: it may not trust our certificate");
                net.ask(|mesh, now| mesh.closed(now, conn, &text));
                None
            }
            Err(error) => failed(net, conn, &error),
        }
    }

    /// The text of an error, if it is one of TLS.
    pub(in crate::net) fn text(error: &io::Error) -> Option<String> {
        let error = error.get_ref()?.downcast_ref::<TlsError>()?;
        Some(error.to_string())
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use std::io;

    use crate::net::{Net, Stream, connection::Orders};
    use aemp_proto::{handshake::StartTls, peer::ConnId};

    /// Fails the connection. This is never needed, because greetings do not offer TLS without the feature.
    pub(in crate::net) async fn start(
        net: &Net,
        conn: ConnId,
        _: Stream,
        _: &mut Orders,
        _: StartTls,
    ) -> Option<Stream> {
        net.ask(|mesh, now| mesh.tls_failed(now, conn, "this program is built without it"));
        None
    }

    pub(in crate::net) fn text(_: &io::Error) -> Option<String> {
        None
    }
}
