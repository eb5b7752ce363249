//! The errors of starting a node.

use std::{fmt, io};

use aemp_codec::IdError;
use thiserror::Error;

use crate::config::{Address, ConfigError};

/// The error of starting a node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime. A node must be started within one.
    #[error("a node needs a tokio runtime to run on")]
    NoRuntime,
    /// The node ID is invalid.
    #[error("node ID: {0}")]
    NodeId(IdError),
    /// Functions that other nodes may run cannot be registered. There is an error for each of them.
    #[error("{}", listed(.0))]
    Registry(Vec<RegistryError>),
    /// The node cannot listen on an address.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address as configured, followed by the resolved address if it is another.
        address: String,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The configuration is invalid: the file, or a setting in the file, the environment or the program.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service cannot be started.
    #[error("service {name:?}: {error}")]
    Service {
        /// The name of the service, as configured.
        name: String,
        /// The cause.
        error: ServiceError,
    },
    /// A setting has a value that this node cannot use.
    #[error("{setting}: {problem}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// The problem with the value.
        problem: SettingError,
    },
    /// The operating system has no randomness for nonces.
    #[error("no entropy: {0}")]
    Entropy(io::Error),
}

impl From<IdError> for StartError {
    fn from(error: IdError) -> Self {
        Self::NodeId(error)
    }
}

impl StartError {
    pub(crate) fn setting(setting: &'static str, problem: SettingError) -> Self {
        Self::Setting { setting, problem }
    }
}

/// The problem of a setting ([`StartError::Setting`]).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The value needs a feature of `aemp` that this program is built without.
    #[error("{value} needs the feature `{feature}` of aemp, and this program is built without it")]
    MissingFeature {
        /// The value of the setting, or the first one of a list that needs the feature.
        value: String,
        /// The name of the feature.
        feature: &'static str,
    },
    /// The node has neither a secret nor a certificate that this program can use.
    #[error(
        "there is none, and {}, so that no connection would be possible: name the network's secret (`aemp setsecret`, \
         $AEMP_SECRET where a file is used, NodeBuilder::secret), or have no seeds, addresses and binds",
        unused(*cert)
    )]
    NoSecret {
        /// True if there is a certificate, and the program is built without TLS.
        cert: bool,
    },
    /// TLS is required, and there is no certificate.
    #[error("there is no `cert`, so that no connection would be possible")]
    NoCert,
    /// Encryption is required, and there is neither a secret nor a certificate.
    #[error("there is neither `secret` nor `cert`, so that no connection would be possible")]
    NoCredentials,
    /// Encryption without a certificate needs a method that one of the lists leaves out.
    #[error("without a `cert`, hmac_sha3_512 must be in both `auth_offer` and `auth_accept`")]
    NoHmac,
    /// No authentication method is left.
    #[error("no method is left, so that no connection would be possible")]
    NoMethod,
    /// The program knows none of the formats.
    #[error(
        "none of its formats ({}) is known; the known formats are {}",
        formats.join(", "),
        known.join(", ")
    )]
    UnknownFormats {
        /// The formats of the setting.
        formats: Vec<String>,
        /// The formats that the program knows.
        known: Vec<String>,
    },
    /// The fixed address of a node is not `host:port`.
    #[error("{0:?} must be host:port")]
    Incomplete(String),
    /// An advertised address has no port, and the node does not listen on one.
    #[error("{0} needs a port, because this node does not listen")]
    NoPort(Address),
    /// The operating system does not list the addresses that a seed stands for.
    #[error("{seed}: {error}")]
    Interfaces {
        /// The seed.
        seed: Address,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The PEM text of certificates cannot be used.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// The configuration has no certificate any more, so the present one stays in use.
    #[error("there is no certificate any more; the present one stays in use")]
    CertRemoved,
    /// The node has no network.
    #[error("the node is in no network")]
    NoNetwork,
    /// A node with this ID is running in the simulation.
    #[error("a node {0:?} is running in this simulation")]
    Running(String),
}

/// The problem of a PEM text. No part of a key is shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertError {
    /// The text begins with a byte order mark.
    #[error("it begins with a byte order mark (U+FEFF): save it without one")]
    ByteOrderMark,
    /// The text is not PEM.
    #[error("it is not well-formed PEM text")]
    Syntax,
    /// There is no certificate.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// A certificate is not valid X.509.
    #[error("its certificate {0} cannot be read")]
    Unreadable(
        /// The place among the certificates of the text, from 1.
        usize,
    ),
    /// The certificate of the key is not valid yet.
    #[error("its certificate for {subject} is not valid before {date}")]
    NotYetValid {
        /// The subject of the certificate.
        subject: String,
        /// The first day on which it is valid, as `year-month-day`.
        date: String,
    },
    /// The certificate of the key has expired.
    #[error("its certificate for {subject} has expired on {date}")]
    Expired {
        /// The subject of the certificate.
        subject: String,
        /// The last day on which it was valid, as `year-month-day`.
        date: String,
    },
    /// There is no private key.
    #[error("there is no private key in it")]
    NoKey,
    /// There is more than one private key.
    #[error("there are {0} private keys in it instead of one")]
    SeveralKeys(
        /// The number of keys.
        usize,
    ),
    /// The private key is encrypted.
    #[error("its private key is encrypted, which cannot be used")]
    EncryptedKey,
    /// The private key is of an unknown kind or size.
    #[error("its private key cannot be used: it must be {usable}")]
    UnusableKey {
        /// The kinds and sizes that can be used.
        usable: &'static str,
    },
    /// The private key belongs to none of the certificates.
    #[error("the private key belongs to none of its certificates ({})", subjects.join("; "))]
    ForeignKey {
        /// The subjects of the certificates.
        subjects: Vec<String>,
    },
}

/// The error of a function that cannot be registered ([`StartError::Registry`]).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name does not contain `::`.
    #[error(
        "{kind} {name:?}{}: a name that others {} must contain `::`",
        position.as_ref().map(|position| format!(" at {position}")).unwrap_or_default(),
        kind.verb()
    )]
    Unqualified {
        /// The kind of the function.
        kind: FunctionKind,
        /// The name.
        name: String,
        /// `file:line` of the source, of init functions.
        position: Option<String>,
    },
    /// There are two functions of this kind with one name.
    #[error(
        "two {kind}s are named {name:?}{}",
        positions.as_ref().map(|[first, second]| format!(": at {first} and at {second}")).unwrap_or_default()
    )]
    Duplicate {
        /// The kind of the functions.
        kind: FunctionKind,
        /// The name.
        name: String,
        /// `file:line` of both sources, of init functions.
        positions: Option<[String; 2]>,
    },
}

/// The kind of a function that other nodes may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FunctionKind {
    /// A function that starts a port ([`spawnable`](macro@crate::spawnable), [`NodeBuilder::init`](crate::NodeBuilder::init)).
    Init,
    /// A function that is called with arguments ([`NodeBuilder::function`](crate::NodeBuilder::function)).
    Function,
    /// A function that is called with a stream of bytes.
    Stream,
}

impl FunctionKind {
    fn verb(self) -> &'static str {
        match self {
            Self::Init => "spawn by",
            Self::Function | Self::Stream => "call",
        }
    }
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init function",
            Self::Function => "function",
            Self::Stream => "stream function",
        })
    }
}

/// The reason why a service cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The program has no init function of this name.
    #[error("there is no such init function{}", near.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    Unknown {
        /// The init function with the most similar name, if one is similar.
        near: Option<String>,
    },
    /// The name is that of a Perl module to load. It ends in `::`.
    #[error("a name that ends in `::` is a Perl module to load, which cannot be done here")]
    Module,
}

fn listed(errors: &[RegistryError]) -> String {
    let each: Vec<_> = errors.iter().map(ToString::to_string).collect();
    each.join("; ")
}

fn unused(cert: bool) -> &'static str {
    match cert {
        true => "`cert` is of no use, as this program is built without TLS",
        false => "no `cert`",
    }
}
