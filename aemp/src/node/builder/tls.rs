//! Making certificates from settings.

use crate::{
    SettingError, StartError,
    config::{Encrypt, Method, Settings},
};

/// True if connections can use TLS. Both ends need a certificate for that, whichever methods they allow.
pub(super) fn is_possible(settings: &Settings) -> bool {
    cfg!(feature = "tls") && settings.cert.is_some()
}

/// Checks for contradictory settings.
pub(super) fn check(settings: &Settings) -> Result<(), StartError> {
    if settings.require_tls && !cfg!(feature = "tls") {
        return Err(StartError::setting("require_tls", without_tls("true")));
    }
    if settings.require_tls && settings.cert.is_none() {
        return Err(StartError::setting("require_tls", SettingError::NoCert));
    }
    if settings.encrypt == Encrypt::Always {
        always(settings).map_err(|problem| StartError::setting("encrypt", problem))?;
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
fn always(settings: &Settings) -> Result<(), SettingError> {
    let method = Method::HmacSha3_512;
    let usable = settings.auth_offer.contains(&method) && settings.auth_accept.contains(&method);
    match () {
        () if !cfg!(feature = "tls") => Err(without_tls("\"always\"")),
        () if settings.cert.is_some() => Ok(()),
        () if settings.secret.is_none() => Err(SettingError::NoCredentials),
        () if !usable => Err(SettingError::NoHmac),
        () => Ok(()),
    }
}

fn without_tls(value: &str) -> SettingError {
    SettingError::MissingFeature {
        value: value.into(),
        feature: "tls",
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
            let removed = || StartError::setting("cert", SettingError::CertRemoved);
            let context = context(&settings)?.ok_or_else(removed)?;
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
        StartError::setting("cert", SettingError::NoNetwork)
    }
}
