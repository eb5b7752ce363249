//! The node IDs that a certificate is made for.
//!
//! With `verify_nodeid`, a certificate must be made for the node ID that the peer's greeting claims. So a stolen key of
//! one node serves to be that one node. Node IDs are not host names (`/`, `:`, `_`). The name is therefore an
//! alternative name of the form `aemp:NODEID`: a URI in which octets other than letters, digits and
//! ``-._~/:@!$&'()*+,=`` are `%XX`. A certificate without such names is checked by its DNS names, compared exactly, and
//! one without either by its common name. A URI or common name that ends in `/` is good for each node ID with one more
//! part behind it, because such IDs end in a random text.

use std::fmt;

use aemp_codec::NodeId;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::der::Certificate;

/// The URI scheme of alternative names that are node IDs.
const SCHEME: &str = "aemp:";

/// The names of nodes in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// The alternative names of the form `aemp:NODEID`; without these, the DNS names; without these, the common name.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let parsed = EndEntityCert::try_from(certificate).ok();
        let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>();
        if let Some(parsed) = &parsed {
            let uris = list(&mut parsed.valid_uri_names().filter_map(node_of));
            if !uris.is_empty() {
                return Self(uris);
            }
            let hosts = list(&mut parsed.valid_dns_names().map(str::to_owned));
            if !hosts.is_empty() {
                return Self(hosts);
            }
        }
        let common = Certificate::parse(certificate).and_then(|parsed| parsed.common_name);
        Self(common.into_iter().collect())
    }

    /// True if the names include the node. A name that ends in `/` stands for all IDs with one more part.
    pub(super) fn include(&self, node: &NodeId) -> bool {
        self.0.iter().any(|name| {
            let rest = node.as_str().strip_prefix(name.as_str());
            rest.is_some_and(|rest| match name.ends_with('/') {
                true => !rest.is_empty() && !rest.contains('/'),
                false => rest.is_empty(),
            })
        })
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("no node"),
            names => {
                let shown = names.iter().take(5).map(|name| {
                    let name: String = name.chars().take(255).collect();
                    format!("{name:?}")
                });
                let more = if names.len() > 5 { " and others" } else { "" };
                write!(f, "{}{more}", shown.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The node ID in a URI.
fn node_of(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let mut octets = Vec::with_capacity(rest.len());
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        octets.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(16 * high + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;
    use crate::tls::tests::certificate;

    fn names(sans: &[SanType]) -> Names {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "common");
        params.subject_alt_names = sans.to_vec();
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Names::of(made.der())
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    #[test]
    fn node_ids_come_first_then_hosts_then_the_common_name() {
        let common = Names::of(certificate("common").der());
        assert!(common.include(&node("common")));
        let hosts = names(&[dns("a.example")]);
        assert!(hosts.include(&node("a.example")) && !hosts.include(&node("common")));
        let ids = names(&[
            dns("a.example"),
            uri("aemp:worker%2f1"),
            uri("http://common/"),
        ]);
        assert!(ids.include(&node("worker/1")) && !ids.include(&node("a.example")));
        assert!(names(&[uri("http://x/")]).include(&node("common")));
    }

    #[test]
    fn names_are_compared_exactly() {
        let names = names(&[uri("AEMP:a/b:4040"), uri("aemp:x%C3%A4"), uri("aemp:*")]);
        for good in ["a/b:4040", "xä"] {
            assert!(names.include(&node(good)), "{good}");
        }
        for bad in ["a/B:4040", "a/b:404", "a/b:40400", "a/b:4040/", "x"] {
            assert!(!names.include(&node(bad)), "{bad}");
        }
    }

    #[test]
    fn a_slash_at_the_end_stands_for_one_more_part() {
        let names = names(&[uri("aemp:worker/h1/")]);
        assert!(names.include(&node("worker/h1/X7")));
        for bad in ["worker/h1/", "worker/h1", "worker/h1/X7/y", "worker/h12"] {
            assert!(!names.include(&node(bad)), "{bad}");
        }
    }

    #[test]
    fn names_with_broken_escapes_match_nothing() {
        for broken in ["aemp:%", "aemp:%2", "aemp:%zz", "aemp:%ff", "aem", ""] {
            assert_eq!(node_of(broken), None, "{broken}");
        }
        assert_eq!(Names(Vec::new()).to_string(), "no node");
    }
}
