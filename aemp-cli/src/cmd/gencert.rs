//! `aemp gencert`: one certificate for all nodes, or a CA and certificates of their own. rcgen makes them with ring: ECDSA,
//! no RSA. Its feature `x509-parser` reads the CA that issues.

use std::{
    fs::{self, OpenOptions},
    io::Write,
};

use aemp::NodeId;
use clap::{Arg, ArgMatches, Command};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use time::{Duration, OffsetDateTime};

use super::keys::{set, whose};
use crate::{
    Exit,
    failure::{Failure, Outcome},
    session::Session,
};

/// The validity of certificates, as in the reference.
const VALID: Duration = Duration::days(3650);

/// The characters that stay unescaped in the path of a URI.
const PLAIN: &[u8] = b"-._~/:@!$&'()*+,=";

pub(crate) fn command() -> Command {
    Command::new("gencert")
        .about("Make a certificate with a private key, and set it")
        .long_about(
            "Makes a self-signed certificate for CN=AnyEvent::MP, valid for ten years, and sets it with its private \
             key as `cert`. Nodes with this certificate encrypt their connections with TLS. All nodes of a network \
             need the same certificate: copy it to the other hosts with `setcert`.\n\nThe key is an ECDSA key on the \
             curve P-256. Perl nodes accept it as well. They make RSA keys themselves, with which a handshake takes \
             many times as long.\n\nWith --ca, the command makes a CA instead, writes its certificate and key into \
             FILE, and sets the certificate as `ca`. With --issuer, it makes a certificate for one node, issued by \
             that CA, and sets it as `cert` and the CA's certificate as `ca`. With `setverify_nodeid 1`, nodes refuse \
             certificates that are made for another node ID. A NODEID that ends in `/` stands for all node IDs with \
             one more part.",
        )
        .after_help(
            "Examples:\n  aemp gencert\n  aemp gencert --ca ca.pem\n  aemp profile green gencert --issuer ca.pem --for green/",
        )
        .arg(file("ca", "Make a CA, and write it into this file, which must not exist"))
        .arg(
            file("issuer", "The file of the CA that issues the certificate")
                .conflicts_with("ca")
                .requires("for"),
        )
        .arg(
            Arg::new("for")
                .long("for")
                .value_name("NODEID")
                .help("The node that the certificate is for")
                .requires("issuer"),
        )
}

fn file(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").help(help)
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let option = |name| matches.get_one::<String>(name);
    let now = OffsetDateTime::now_utc();
    match (option("ca"), option("issuer"), option("for")) {
        (Some(file), ..) => authority(session, file, now),
        (None, Some(file), Some(node)) => issue(session, file, node, now),
        _ => shared(session, now),
    }
}

fn shared(session: &mut Session, now: OffsetDateTime) -> Outcome {
    let (certificate, key) = ca(named("AnyEvent::MP", now)).map_err(|error| failed(&error))?;
    set(session, "cert", (certificate + &key).into())?;
    note(session, "a new certificate")
}

fn authority(session: &mut Session, file: &str, now: OffsetDateTime) -> Outcome {
    let mut params = named("AnyEvent::MP CA", now);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let (certificate, key) = ca(params).map_err(|error| failed(&error))?;
    let kept = keep(file, &(certificate.clone() + &key));
    kept.map_err(|error| Failure::failed(format_args!("--ca {file}: {error}")))?;
    set(session, "ca", certificate.into())?;
    note(session, "the certificate of a new CA")
}

fn issue(session: &mut Session, file: &str, node: &str, now: OffsetDateTime) -> Outcome {
    let failed_with = |problem: String| Failure::failed(format_args!("--issuer {file}: {problem}"));
    let text = fs::read_to_string(file).map_err(|error| failed_with(error.to_string()))?;
    let no_key = || failed_with("the file does not contain the key of a CA".into());
    let key = section(&text, "PRIVATE KEY").ok_or_else(no_key)?;
    let key = KeyPair::from_pem(key).map_err(|_| no_key())?;
    let certificate = section(&text, "CERTIFICATE")
        .ok_or_else(|| failed_with("the file does not contain a certificate".into()))?;
    let issuer = Issuer::from_ca_cert_pem(certificate, key)
        .map_err(|error| failed_with(error.to_string()))?;
    let name = NodeId::new(node)
        .map_err(|error| Failure::failed(format_args!("--for {node}: {error}")))?;
    let own = issued(&name, &issuer, now).map_err(|error| failed(&error))?;
    let certificate = format!("{certificate}\n");
    set(session, "cert", own.into())?;
    set(session, "ca", certificate.into())?;
    note(session, &format!("a new certificate for {node}"))
}

fn note(session: &Session, made: &str) -> Outcome {
    let (of, days) = (whose(session), VALID.whole_days());
    session.output.note(&format!(
        "set {made} (ECDSA P-256, valid for {days} days) for {of}"
    ));
    Ok(Exit::Done)
}

fn failed(error: &rcgen::Error) -> Failure {
    Failure::failed(format_args!("no certificate: {error}"))
}

/// Writes a new file that only its owner can read.
fn keep(file: &str, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(text.as_bytes())
}

/// The first section of this kind in a PEM text.
fn section<'a>(text: &'a str, kind: &str) -> Option<&'a str> {
    let (begin, end) = (
        format!("-----BEGIN {kind}-----"),
        format!("-----END {kind}-----"),
    );
    let from = text.find(&begin)?;
    let to = from + text[from..].find(&end)? + end.len();
    Some(&text[from..to])
}

fn named(name: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.not_before = now;
    params.not_after = now + VALID;
    params
}

/// A self-signed certificate and its key, as PEM (`aemp_proto::protocol::behaviour`, "TLS").
fn ca(mut params: CertificateParams) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// The certificate of a node, and its key.
fn issued(
    node: &NodeId,
    issuer: &Issuer<'_, KeyPair>,
    now: OffsetDateTime,
) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = named(node.as_str(), now);
    params.subject_alt_names = vec![SanType::URI(uri(node).as_str().try_into()?)];
    let certificate = params.signed_by(&key, issuer)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

/// The node's ID as a URI for the alternative names.
fn uri(node: &NodeId) -> String {
    let octets = node.as_str().bytes();
    let encoded = octets.map(|octet| match octet {
        octet if octet.is_ascii_alphanumeric() || PLAIN.contains(&octet) => {
            char::from(octet).to_string()
        }
        octet => format!("%{octet:02X}"),
    });
    format!("aemp:{}", encoded.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_followed_by_its_key() {
        let (certificate, key) = ca(named("x", OffsetDateTime::now_utc())).unwrap();
        let pem = certificate + &key;
        let begins: Vec<_> = pem
            .lines()
            .filter(|line| line.starts_with("-----BEGIN"))
            .collect();
        assert_eq!(
            begins,
            ["-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"]
        );
    }

    #[test]
    fn node_ids_are_uris() {
        let uri = |id: &str| uri(&NodeId::new(id).unwrap());
        assert_eq!(uri("green/h1:4040/"), "aemp:green/h1:4040/");
        assert_eq!(uri("50%\u{e4}"), "aemp:50%25%C3%A4");
    }
}
