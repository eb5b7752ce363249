//! Certificates that are accepted, and certificates that are refused.

use super::*;

/// Refuses the bad end as the server and as the client. The other end must give the reason.
fn each_way(good: &Context, bad: &Context, expected: &str) {
    let [at_good, at_bad] = Pair::refused(good, bad);
    assert_eq!(at_good, expected);
    assert!(at_bad.contains("refuses our certificate"), "{at_bad}");
    let [at_bad, at_good] = Pair::refused(bad, good);
    assert_eq!(at_good, expected);
    assert!(at_bad.contains("refuses our certificate"), "{at_bad}");
}

fn both_ways(a: &Context, b: &Context) {
    Pair::up(a, b);
    Pair::up(b, a);
}

/// Gives a node a certificate that its own checks would reject.
fn insist(mut context: Context, params: &CertificateParams, by: &Authority) -> Context {
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, by).unwrap();
    let der = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = provider::sign::any_supported_type(&der).unwrap();
    let key = rustls::sign::CertifiedKey::new(vec![made.der().clone()], key);
    context.identity = Arc::new(key.into());
    context
}

#[test]
fn the_same_certificate_is_good() {
    let shared = shared("AnyEvent::MP");
    let (a, b) = (context(&shared, None), context(&shared, None));
    both_ways(&a, &b);
}

#[test]
fn one_of_the_same_name_is_not() {
    let (a, b) = (shared("AnyEvent::MP"), shared("AnyEvent::MP"));
    each_way(
        &context(&a, None),
        &context(&b, Some(&a)),
        "the peer's certificate for CN=AnyEvent::MP is a CA's certificate that is not trusted here",
    );
}

#[test]
fn one_that_is_issued_by_the_shared_one_is_good() {
    let ca = authority("AnyEvent::MP");
    let shared = context(&(ca.pem() + &ca.key().serialize_pem()), None);
    let own = issued(&ca, &params("own")) + &ca.pem();
    both_ways(&shared, &context(&own, None));
}

#[test]
fn nodes_may_have_their_own_from_one_ca() {
    let ca = authority("ca");
    let own = |name| context(&issued(&ca, &params(name)), Some(&ca.pem()));
    both_ways(&own("a"), &own("b"));
}

#[test]
fn the_peer_sends_its_intermediate_certificates() {
    let ca = authority("ca");
    let key = KeyPair::generate().unwrap();
    let middle = CertifiedIssuer::signed_by(ca_params("middle"), key, &ca).unwrap();
    let far = context(
        &(issued(&middle, &params("far")) + &middle.pem()),
        Some(&ca.pem()),
    );
    let near = context(&issued(&ca, &params("near")), Some(&ca.pem()));
    both_ways(&far, &near);
    let lost = context(&issued(&middle, &params("lost")), Some(&ca.pem()));
    each_way(
        &near,
        &lost,
        "the peer's certificate for CN=lost is not trusted here, and neither is its issuer, CN=middle",
    );
}

#[test]
fn self_signed_ones_can_be_listed() {
    let own = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let made = params(name).self_signed(&key).unwrap().pem();
        (made.clone(), made + &key.serialize_pem())
    };
    let ((a, a_own), (b, b_own), (_, c_own)) = (own("a"), own("b"), own("c"));
    let list = a + &b;
    let [a, b, c] = [a_own, b_own, c_own].map(|own| context(&own, Some(&list)));
    both_ways(&a, &b);
    each_way(
        &a,
        &c,
        "the peer's certificate for CN=c is not trusted here, and neither is its issuer, CN=c",
    );
}

/// Otherwise its key would be good for any node.
#[test]
fn only_a_ca_can_issue_certificates() {
    let key = KeyPair::generate().unwrap();
    let pretender = CertifiedIssuer::self_signed(params("no ca"), key).unwrap();
    let text = shared("good");
    let good = context(&text, Some(&pretender.pem()));
    let bad = context(&issued(&pretender, &params("bad")), Some(&text));
    each_way(
        &good,
        &bad,
        "the peer's certificate for CN=bad is issued by CN=no ca, whose certificate is not a CA's",
    );
}

#[test]
fn foreign_cas_are_not_trusted() {
    let (ours, theirs) = (authority("ca"), authority("ca"));
    let good = context(&issued(&ours, &params("good")), Some(&ours.pem()));
    let bad = context(
        &issued(&theirs, &params("bad")),
        Some(&(ours.pem() + &theirs.pem())),
    );
    each_way(
        &good,
        &bad,
        "the peer's certificate for CN=bad is not signed by the CN=ca that is known here",
    );
}

#[test]
fn dates_count() {
    let ca = authority("ca");
    let own = |name| context(&issued(&ca, &params(name)), Some(&ca.pem()));
    let good = own("good");
    for (from, to, problem) in [
        (2001, 2002, "has expired on 2002-01-01"),
        (3000, 3001, "is not valid before 3000-01-01"),
    ] {
        let mut dated = params("bad");
        hold(&mut dated, from, to);
        let bad = insist(own("bad"), &dated, &ca);
        each_way(
            &good,
            &bad,
            &format!("the peer's certificate for CN=bad {problem}"),
        );
    }
}

/// OpenSSL checks the dates of the CA as well; webpki alone does not.
#[test]
fn certificates_of_an_expired_ca_are_refused() {
    let mut dated = ca_params("late ca");
    hold(&mut dated, 2001, 2002);
    let late = CertifiedIssuer::self_signed(dated, KeyPair::generate().unwrap()).unwrap();
    let text = shared("good");
    let good = context(&text, Some(&late.pem()));
    let bad = context(&issued(&late, &params("bad")), Some(&text));
    each_way(
        &good,
        &bad,
        "the peer's certificate for CN=bad is issued by CN=late ca, whose certificate has expired on 2002-01-01",
    );
}

/// The shared certificate itself, a day too late.
#[test]
fn an_expired_certificate_is_not_good_because_it_is_known() {
    let mut dated = ca_params("late");
    hold(&mut dated, 2001, 2002);
    let late = CertifiedIssuer::self_signed(dated, KeyPair::generate().unwrap()).unwrap();
    let text = shared("good");
    let good = context(&text, Some(&late.pem()));
    let key = rustls_pki_types::PrivateKeyDer::try_from(late.key().serialize_der()).unwrap();
    let key = provider::sign::any_supported_type(&key).unwrap();
    let mut bad = context(&text, None);
    let key = rustls::sign::CertifiedKey::new(vec![late.der().clone()], key);
    bad.identity = Arc::new(key.into());
    each_way(
        &good,
        &bad,
        "the peer's certificate for CN=late has expired on 2002-01-01",
    );
}

/// Certificates are public, so another node's is not enough.
#[test]
fn a_certificate_without_its_key_is_worth_nothing() {
    let ca = authority("ca");
    let own = |name| context(&issued(&ca, &params(name)), Some(&ca.pem()));
    let good = own("good");
    let mut bad = own("bad");
    let key =
        rustls_pki_types::PrivateKeyDer::try_from(KeyPair::generate().unwrap().serialize_der());
    let key = provider::sign::any_supported_type(&key.unwrap()).unwrap();
    let stolen = params("stolen")
        .signed_by(&KeyPair::generate().unwrap(), &ca)
        .unwrap();
    let key = rustls::sign::CertifiedKey::new(vec![stolen.der().clone()], key);
    bad.identity = Arc::new(key.into());
    for [at_good, at_bad] in [Pair::refused(&good, &bad), {
        let [b, a] = Pair::refused(&bad, &good);
        [a, b]
    }] {
        assert!(
            at_good.contains("BadSignature") || at_good.contains("signature"),
            "{at_good}"
        );
        assert!(at_bad.contains("refuses our certificate"), "{at_bad}");
    }
}

#[test]
fn a_peer_without_certificate_is_refused() {
    use rustls::client::ResolvesClientCert;

    #[derive(Debug)]
    struct Nothing;

    impl ResolvesClientCert for Nothing {
        fn resolve(
            &self,
            _: &[&[u8]],
            _: &[rustls::SignatureScheme],
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }

        fn has_certs(&self) -> bool {
            false
        }
    }

    let shared = context(&shared("shared"), None);
    let config = ClientConfig::builder_with_provider(Arc::clone(&shared.provider))
        .with_protocol_versions(shared.versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(
            Arc::clone(&shared.trust),
            shared.provider.signature_verification_algorithms,
            None,
        )))
        .with_client_cert_resolver(Arc::new(Nothing));
    let name = ServerName::from(std::net::Ipv4Addr::LOCALHOST);
    let client = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
    let mut pair = Pair::new(&shared, &shared);
    let verifier = Arc::new(Verifier::new(
        Arc::clone(&shared.trust),
        shared.provider.signature_verification_algorithms,
        None,
    ));
    pair.client = Session::new(Conn::Client(client), Some(verifier));
    let [at_client, at_server] = pair.talk();
    assert_eq!(at_server.unwrap(), "the peer presents no certificate");
    let at_client = at_client.unwrap();
    assert!(at_client.contains("CertificateRequired"), "{at_client}");
}

/// Chance decides which end is the TLS client. A certificate for one purpose would work every other time.
#[test]
fn a_restricted_certificate_must_be_for_both_ends() {
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    let ca = authority("ca");
    let good = context(&issued(&ca, &params("good")), Some(&ca.pem()));
    let restricted = |purposes: &[rcgen::ExtendedKeyUsagePurpose]| {
        let mut params = params("bad");
        params.extended_key_usages = purposes.to_vec();
        context(&issued(&ca, &params), Some(&ca.pem()))
    };
    both_ways(&good, &restricted(&[CodeSigning, ServerAuth, ClientAuth]));
    for purposes in [vec![ServerAuth], vec![ClientAuth], vec![CodeSigning]] {
        each_way(
            &good,
            &restricted(&purposes),
            "the peer's certificate for CN=bad is restricted to other purposes: nodes are TLS clients and servers",
        );
    }
}

#[test]
fn names_must_fit_if_that_is_wanted() {
    let ca = authority("ca");
    let own = |id: &str| {
        let text = issued(&ca, &for_node(id));
        Context::new(&Cert::new(text), Some(&Cert::new(ca.pem())), true).unwrap()
    };
    // Each node ID is the node's role.
    Pair::up(&own("client"), &own("server"));
    let [at_client, at_server] = Pair::refused(&own("client"), &own("other"));
    assert_eq!(
        at_client,
        "the peer's certificate is made for \"other\", not for \"server\", and verify_nodeid is set"
    );
    assert!(
        at_server.contains("not made for our node ID"),
        "{at_server}"
    );
    let [at_client, at_server] = Pair::refused(&own("other"), &own("server"));
    assert!(at_server.contains("not for \"client\""), "{at_server}");
    assert!(
        at_client.contains("not made for our node ID"),
        "{at_client}"
    );
}
