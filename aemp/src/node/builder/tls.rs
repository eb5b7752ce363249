//! Making certificates from settings.

use crate::{
    StartError,
    config::{Encrypt, Method, Settings},
};

/// True if connections can use TLS. Both ends need a certificate for that, whichever methods they allow.
pub(super) fn is_possible(settings: &Settings) -> bool {
    cfg!(feature = "tls") && settings.cert.is_some()
}

/// Checks for contradictory settings.
pub(super) fn check(settings: &Settings) -> Result<(), StartError> {
    if settings.require_tls && !cfg!(feature = "tls") {
        let problem = "this program is built without TLS (the feature `tls` of aemp)";
        return Err(StartError::setting("require_tls", problem.into()));
    }
    if settings.require_tls && settings.cert.is_none() {
        let problem = "there is no `cert`, so that no connection would be possible";
        return Err(StartError::setting("require_tls", problem.into()));
    }
    if settings.encrypt == Encrypt::Always {
        always(settings).map_err(|problem| StartError::setting("encrypt", problem.into()))?;
    }
    if settings.cert.is_some() && !cfg!(feature = "tls") {
        crate::log::warning!(
            "cert: this program is built without the feature `tls` of aemp, so its connections do not use TLS"
        );
    }
    for (key, is_set) in [
        ("ca", settings.ca.is_some()),
        ("verify_nodeid", settings.verify_node_id),
    ] {
        if is_set && settings.cert.is_none() {
            crate::log::warning!("{key}: the setting has no effect without `cert`");
        }
    }
    Ok(())
}

/// Checks that a connection would be possible at all.
fn always(settings: &Settings) -> Result<(), &'static str> {
    let method = Method::HmacSha3_512;
    let usable = settings.auth_offer.contains(&method) && settings.auth_accept.contains(&method);
    match () {
        () if !cfg!(feature = "tls") => {
            Err("this program is built without TLS (the feature `tls` of aemp)")
        }
        () if settings.cert.is_some() => Ok(()),
        () if settings.secret.is_none() => {
            Err("there is neither `secret` nor `cert`, so that no connection would be possible")
        }
        () if !usable => {
            Err("without a `cert`, hmac_sha3_512 must be in both `auth_offer` and `auth_accept`")
        }
        () => Ok(()),
    }
}

#[cfg(feature = "tls")]
pub(super) use with::context;

#[cfg(feature = "tls")]
mod with {
    use super::*;
    use crate::{Node, NodeBuilder, config::Cert, tls::Context};

    /// The certificates of the settings, if there are any.
    pub(in crate::node::builder) fn context(
        settings: &Settings,
    ) -> Result<Option<Context>, StartError> {
        let cert = settings.cert.as_ref();
        cert.map(|cert| Context::new(cert, settings.ca.as_ref(), settings.verify_node_id))
            .transpose()
    }

    impl NodeBuilder {
        /// The part of the sources that [`Node::reload_tls`] needs.
        pub(in crate::node::builder) fn sources(&self) -> Self {
            Self {
                arguments: self.arguments.clone(),
                cert: self.cert.clone(),
                profile: self.profile.clone(),
                config_file: self.config_file.clone(),
                norc: self.norc,
                force: self.force,
                environment: self.environment.clone(),
                ..Self::default()
            }
        }
    }

    impl Node {
        /// Reads the configuration again, as at the start of the node, and uses its `cert`, `ca` and `verify_nodeid`
        /// for new connections. Existing connections stay as they are. No other setting is applied.
        ///
        /// # Errors
        ///
        /// [`StartError`] if one of these settings is wrong, if there is no `cert` any more, or if the node has no
        /// network. Then the present certificates stay in use.
        pub fn reload_tls(&self) -> Result<(), StartError> {
            let net = self.net().ok_or_else(no_network)?;
            let settings = net.sources().ok_or_else(no_network)?.settings()?;
            let context = context(&settings)?.ok_or_else(|| {
                StartError::setting(
                    "cert",
                    "there is no certificate any more; the present one stays in use".into(),
                )
            })?;
            net.set_tls(context);
            Ok(())
        }

        /// Uses this certificate for new connections, and trusts the certificates in `ca` (with `None`, those in
        /// `cert`). Existing connections stay as they are, and so does `verify_nodeid`.
        ///
        /// # Errors
        ///
        /// [`StartError::Setting`] if one of the certificates is wrong, or if the node has no network. Then the
        /// present certificates stay in use.
        pub fn set_cert(&self, cert: &Cert, ca: Option<&Cert>) -> Result<(), StartError> {
            let net = self.net().ok_or_else(no_network)?;
            net.set_cert(cert, ca)
        }
    }

    fn no_network() -> StartError {
        StartError::setting("cert", "the node is in no network".into())
    }
}
