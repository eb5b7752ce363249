//! The library of cryptography, by feature.
//!
//! ring is the default, as it needs neither C++ nor cmake; AWS-LC adds X25519MLKEM768 (feature `aws-lc-rs`). No other module
//! names a library. It is handed to each configuration, and never installed for the process: that default belongs to the
//! program, and means nothing here.

#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as library;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use rustls::crypto::ring as library;

pub(super) use library::sign;
use rustls::crypto::CryptoProvider;

/// The kinds of private keys that the library can use.
#[cfg(feature = "aws-lc-rs")]
pub(super) const KEYS: &str =
    "RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519";
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) const KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519";

/// The ciphers, key exchanges and signature schemes, the preferred ones first.
#[cfg(feature = "aws-lc-rs")]
pub(super) fn provider() -> CryptoProvider {
    use library::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    // The feature `prefer-post-quantum` of rustls would do this, but would change the defaults of the whole program.
    CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..library::default_provider()
    }
}

/// The ciphers, key exchanges and signature schemes, the preferred ones first.
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) fn provider() -> CryptoProvider {
    library::default_provider()
}
