//! The errors of TLS connections, as texts for people.

use std::{error::Error, fmt};

/// The reason why a TLS connection fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsError(String);

impl TlsError {
    pub(crate) fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TlsError {}

/// Turns an error of rustls into a text for people.
pub(super) fn explain(error: &rustls::Error) -> TlsError {
    use rustls::{AlertDescription as Alert, Error};
    TlsError::new(match error {
        Error::NoCertificatesPresented => "the peer presents no certificate".into(),
        Error::AlertReceived(alert) => match alert {
            Alert::CertificateExpired => {
                "the peer refuses our certificate: not valid at this time".into()
            }
            Alert::UnknownCA => {
                "the peer refuses our certificate: it does not trust its issuer".into()
            }
            Alert::AccessDenied => {
                "the peer refuses our certificate: it is not made for our node ID".into()
            }
            Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnsupportedCertificate
            | Alert::DecryptError
            | Alert::CertificateRequired => {
                format!("the peer refuses our certificate ({alert:?})")
            }
            other => format!("the peer has given up ({other:?})"),
        },
        Error::InvalidMessage(_) => format!("the peer does not speak TLS ({error})"),
        error => error.to_string(),
    })
}
