//! An attacker in the middle that has TLS with both ends, and keys of its own for it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rcgen::KeyPair;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring::{default_provider, sign::any_supported_type},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::AlwaysResolvesServerRawPublicKeys,
    sign::CertifiedKey,
};

pub(super) struct Middle {
    address: String,
    proofs: Arc<AtomicUsize>,
}

impl Middle {
    /// An attacker between the connections that it accepts and that node.
    pub(super) fn to(node: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let proofs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&proofs);
        // It ends with the process.
        thread::spawn(move || {
            for here in listener.incoming().flatten() {
                let (node, count) = (node.clone(), Arc::clone(&count));
                // Either end may go at any time.
                thread::spawn(move || between(here, TcpStream::connect(node).ok()?, &count));
            }
        });
        Self { address, proofs }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The number of proofs that it has read within TLS and passed on.
    pub(super) fn proofs(&self) -> usize {
        self.proofs.load(Ordering::Relaxed)
    }
}

fn between(here: TcpStream, there: TcpStream, proofs: &AtomicUsize) -> Option<()> {
    let (to_there, to_here) = (greeting(&here)?, greeting(&there)?);
    (&there).write_all(to_there.concat().as_bytes()).ok()?;
    (&here).write_all(to_here.concat().as_bytes()).ok()?;
    // The lower nonce is the client's; each end believes that of the other.
    let client_is_here = to_there[1] < to_here[1];
    let mut here = tls(here, !client_is_here);
    let mut there = tls(there, client_is_here);
    let proof = line(&mut here)?;
    there.write_all(proof.as_bytes()).ok()?;
    there.flush().ok()?;
    proofs.fetch_add(1, Ordering::Relaxed);
    let proof = line(&mut there)?;
    here.write_all(proof.as_bytes()).ok()?;
    here.flush().ok()?;
    proofs.fetch_add(1, Ordering::Relaxed);
    // Packets would follow.
    let _ = here.read(&mut [0; 100]);
    Some(())
}

/// The two lines, and not a byte more.
fn greeting(stream: &TcpStream) -> Option<[String; 2]> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        reader.read_line(line).ok()?;
    }
    Some(lines)
}

fn line(stream: &mut impl Read) -> Option<String> {
    let mut line = String::new();
    BufReader::with_capacity(1, stream)
        .read_line(&mut line)
        .ok()?;
    assert!(line.starts_with("hmac_sha3_512;"), "{line}");
    Some(line)
}

trait Both: Read + Write {}

impl<T: Read + Write> Both for T {}

fn tls(stream: TcpStream, client: bool) -> Box<dyn Both> {
    if client {
        let config = ClientConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        let name = ServerName::try_from("node").unwrap();
        let conn = ClientConnection::new(config.into(), name).unwrap();
        Box::new(StreamOwned::new(conn, stream))
    } else {
        let key = KeyPair::generate().unwrap().serialize_der();
        let key = any_supported_type(&PrivatePkcs8KeyDer::from(key).into()).unwrap();
        let public = CertificateDer::from(key.public_key().unwrap().to_vec());
        let key = Arc::new(CertifiedKey::new(vec![public], key));
        let config = ServerConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
        let conn = ServerConnection::new(config.into()).unwrap();
        Box::new(StreamOwned::new(conn, stream))
    }
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
