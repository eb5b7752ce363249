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

    /// What a node's builder collects for TLS.
    #[derive(Debug, Default)]
    pub(crate) struct TlsConfig {
        /// Certificates, if there are any.
        pub(crate) context: Option<Arc<Context>>,
        pub(crate) verify_node_id: bool,
        /// Where they are from, to look there again.
        pub(crate) sources: Option<Box<NodeBuilder>>,
    }

    /// The configuration of a node's connections in TLS.
    pub(in crate::net) struct Tls {
        /// Its certificates, as they are at the moment.
        context: Mutex<Option<Arc<Context>>>,
        /// The key that it makes for itself when it is first needed.
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
        /// Connections that begin from now on are made with these certificates.
        pub(crate) fn set_cert(&self, cert: &Cert, ca: Option<&Cert>) -> Result<(), StartError> {
            let verify_node_id = self.0.config.tls.verify_node_id;
            self.set_tls(Context::new(cert, ca, verify_node_id)?);
            Ok(())
        }

        /// Where the configuration is from that the node was started with.
        pub(crate) fn sources(&self) -> Option<&NodeBuilder> {
            self.0.config.tls.sources.as_deref()
        }

        pub(crate) fn set_tls(&self, context: Context) {
            context.remark(self.node().id());
            *lock(&self.0.tls.context) = Some(Arc::new(context));
            self.ask(|mesh, _| mesh.set_tls(true));
        }
    }

    /// Runs the TLS handshake; the mesh gets what is within from then on. `None` if the connection ends here.
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
            // The mesh starts it once.
            Err(stream) => return Some(stream),
        };
        let shaken = tokio::select! {
            biased;
            // Nothing but an order to close comes before the mesh knows that TLS is up.
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
                // Not every implementation says why.
                let text =
                    format!("{END_OF_FILE} in the TLS handshake: it may not trust our certificate");
                net.ask(|mesh, now| mesh.closed(now, conn, &text));
                None
            }
            Err(error) => failed(net, conn, &error),
        }
    }

    /// What has gone wrong with TLS, if that is what has gone wrong.
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

    /// A greeting of this node never says that it does TLS.
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
