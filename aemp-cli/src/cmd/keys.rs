//! `aemp gensecret` and `aemp gencert`: what lets the nodes of a network trust each other.

use aemp::Value;
use clap::{ArgMatches, Command};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use crate::{
    Exit,
    failure::{Failure, Outcome},
    session::Session,
};

/// As long as the reference's: about 1071 bits.
const SECRET_LENGTH: usize = 180;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How long a certificate is valid: as long as the reference's.
const VALID: Duration = Duration::days(3650);

pub(crate) fn secret_command() -> Command {
    Command::new("gensecret")
        .about("Make a random secret, and set it")
        .long_about(
            "Makes a secret of 180 random letters and digits (about 1071 bits) and sets it as `secret`, as `setsecret` does. All \
             nodes of a network need the same one: copy it to the other hosts with `setsecret`.",
        )
        .after_help("Example: make it, and look at it\n  aemp gensecret showconfig")
}

pub(crate) fn gensecret(session: &mut Session, _matches: &ArgMatches) -> Outcome {
    let secret = random_text(SECRET_LENGTH)?;
    set(session, "secret", secret.into())?;
    let of = whose(session);
    session.output.note(&format!(
        "set a secret of {SECRET_LENGTH} random characters for {of}"
    ));
    Ok(Exit::Done)
}

pub(crate) fn certificate_command() -> Command {
    Command::new("gencert")
        .about("Make a certificate with its private key, and set it")
        .long_about(
            "Makes a self-signed certificate for CN=AnyEvent::MP, valid for ten years, and sets it with its private key as \
             `cert`. Nodes that have it encrypt their connections with TLS. All nodes of a network need the same one: copy it \
             to the other hosts with `setcert`.\n\nThe key is an ECDSA key on the curve P-256, which reference nodes take as \
             well. Those make RSA keys, with which a handshake takes many times as long.",
        )
        .after_help("Example:\n  aemp gencert")
}

pub(crate) fn gencert(session: &mut Session, _matches: &ArgMatches) -> Outcome {
    let made = certificate(OffsetDateTime::now_utc());
    let pem = made.map_err(|error| Failure::failed(format_args!("no certificate: {error}")))?;
    set(session, "cert", pem.into())?;
    let of = whose(session);
    session.output.note(&format!(
        "set a new certificate (ECDSA P-256, valid for {} days) for {of}",
        VALID.whole_days()
    ));
    Ok(Exit::Done)
}

fn set(session: &mut Session, key: &str, value: Value) -> Result<(), Failure> {
    let profile = session.profile();
    let set = session.file()?.set(profile.as_deref(), key, value);
    Ok(set?)
}

fn whose(session: &Session) -> String {
    match session.profile() {
        Some(profile) => format!("profile {profile:?}"),
        None => "all profiles".into(),
    }
}

/// Letters and digits, each as likely as any other.
fn random_text(length: usize) -> Result<String, Failure> {
    let mut text = String::with_capacity(length);
    let mut octets = [0; 256];
    while text.len() < length {
        getrandom::fill(&mut octets)
            .map_err(|error| Failure::failed(format_args!("no entropy: {error}")))?;
        // 248 is the last multiple of 62: what is above would favour some characters.
        let fair = octets.iter().filter(|&&octet| octet < 248);
        let chars = fair.map(|&octet| char::from(ALPHABET[usize::from(octet) % 62]));
        text.extend(chars.take(length - text.len()));
    }
    Ok(text)
}

/// Certificate, then key, as PEM (REFERENCE.md, "TLS").
fn certificate(now: OffsetDateTime) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "AnyEvent::MP");
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params.not_before = now;
    params.not_after = now + VALID;
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let (a, b) = (random_text(180).unwrap(), random_text(180).unwrap());
        assert_eq!(a.len(), 180);
        assert!(a.bytes().all(|octet| ALPHABET.contains(&octet)), "{a}");
        assert_ne!(a, b);
    }

    #[test]
    fn every_character_occurs() {
        let text = random_text(10_000).unwrap();
        for octet in ALPHABET {
            assert!(text.contains(char::from(*octet)), "{octet}");
        }
    }

    #[test]
    fn a_certificate_is_followed_by_its_key() {
        let pem = certificate(OffsetDateTime::now_utc()).unwrap();
        let begins: Vec<_> = pem
            .lines()
            .filter(|line| line.starts_with("-----BEGIN"))
            .collect();
        assert_eq!(
            begins,
            ["-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"]
        );
    }
}
