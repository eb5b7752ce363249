//! Certificates for tests, and sessions that talk to each other.

mod ephemeral;
mod groups;
mod identities;
mod rules;
mod sessions;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    SanType,
};

use super::*;

pub(super) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A self-signed certificate without the CA flag.
pub(super) fn certificate(name: &str) -> rcgen::Certificate {
    let key = KeyPair::generate().unwrap();
    params(name).self_signed(&key).unwrap()
}

/// A certificate that is valid from the beginning of one year to the beginning of another.
pub(super) fn dated(name: &str, from: i32, to: i32) -> rcgen::Certificate {
    let mut params = params(name);
    hold(&mut params, from, to);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap()
}

fn hold(params: &mut CertificateParams, from: i32, to: i32) {
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
}

/// A CA's certificate with its key, as `aemp gencert` makes it.
fn shared(name: &str) -> String {
    let ca = authority(name);
    ca.pem() + &ca.key().serialize_pem()
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn authority(name: &str) -> Authority {
    CertifiedIssuer::self_signed(ca_params(name), KeyPair::generate().unwrap()).unwrap()
}

/// The certificate and key of a node, issued by a CA.
fn issued(by: &Authority, params: &CertificateParams) -> String {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, by).unwrap().pem() + &key.serialize_pem()
}

/// The parameters of a certificate for this node ID.
fn for_node(id: &str) -> CertificateParams {
    let mut params = params("node");
    let uri = format!("aemp:{id}");
    params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().unwrap())];
    params
}

fn context(cert: &str, ca: Option<&str>) -> Context {
    let ca = ca.map(Cert::new);
    Context::new(&Cert::new(cert), ca.as_ref(), false).unwrap()
}

fn node(id: &str) -> NodeId {
    NodeId::new(id).unwrap()
}

/// Two ends that carry each other's bytes.
struct Pair {
    client: Session,
    server: Session,
}

impl Pair {
    /// The nodes `client` and `server`.
    fn new(client: &Context, server: &Context) -> Self {
        Self {
            client: client.session(true, &node("server")).unwrap(),
            server: server.session(false, &node("client")).unwrap(),
        }
    }

    /// Runs both ends until neither has bytes to send. Returns the first error of each.
    fn talk(&mut self) -> [Option<String>; 2] {
        let mut errors = [None, None];
        loop {
            for (end, error) in [&mut self.client, &mut self.server]
                .into_iter()
                .zip(&mut errors)
            {
                if let Err(problem) = end.advance() {
                    error.get_or_insert(problem.to_string());
                }
            }
            let moved = carry(&mut self.client, &mut self.server)
                + carry(&mut self.server, &mut self.client);
            if moved == 0 {
                return errors;
            }
        }
    }

    fn up(client: &Context, server: &Context) -> Self {
        let mut pair = Self::new(client, server);
        assert_eq!(pair.talk(), [None, None]);
        assert!(pair.client.is_up() && pair.server.is_up());
        pair
    }

    /// The errors of both ends, which refuse each other.
    fn refused(client: &Context, server: &Context) -> [String; 2] {
        let mut pair = Self::new(client, server);
        let errors = pair.talk();
        assert!(
            errors.iter().any(Option::is_some),
            "they have come together"
        );
        errors.map(Option::unwrap_or_default)
    }
}

/// Carries one end's ciphertext to the other.
fn carry(from: &mut Session, to: &mut Session) -> usize {
    let bytes = from.to_send().to_vec();
    to.space(bytes.len()).extend_from_slice(&bytes);
    to.arrived();
    from.sent(bytes.len());
    bytes.len()
}
