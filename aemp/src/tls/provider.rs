//! The library of cryptography, by feature.
//!
//! It is handed to each configuration, so that the default of the process, which belongs to the program, means nothing here.

#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as library;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use rustls::crypto::ring as library;

pub(super) use library::sign;
use rustls::crypto::CryptoProvider;

/// The private keys that it can use.
#[cfg(feature = "aws-lc-rs")]
pub(super) const KEYS: &str =
    "RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519";
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) const KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519";

/// Ciphers, key exchange and signatures, the preferred ones first.
#[cfg(feature = "aws-lc-rs")]
pub(super) fn provider() -> CryptoProvider {
    use library::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    // Not by rustls' feature `prefer-post-quantum`, which would change the defaults of the whole program.
    CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..library::default_provider()
    }
}

/// Ciphers, key exchange and signatures, the preferred ones first.
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) fn provider() -> CryptoProvider {
    library::default_provider()
}
