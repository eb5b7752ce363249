//! TLS with the reference's OpenSSL: both certificates, both versions, each end as client and as server.

use std::process::Command;

use aemp::{Node, NodeBuilder, PortId, msg, snd};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;

use crate::{
    common::{Inbox, SECRET, soon},
    logs::Logs,
    perl::{self, Perl},
    rust,
};

/// A certificate as the reference's own command makes it: RSA, certificate first.
fn perls() -> Option<String> {
    if !perl::is_there() {
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let rc = home.path().join("rc");
    let code = "$0 = 'aemp'; @ARGV = ('gencert'); require AnyEvent::MP::Config; \
                my ($bin) = grep -e, map \"$_/aemp-perl\", split /:/, $ENV{PATH}; \
                $bin ? do $bin : exit 3; die $@ if $@";
    let mut command = Command::new("perl");
    let made = command
        .args(["-e", code])
        .env("PERL_ANYEVENT_MP_RC", &rc)
        .output();
    if !made.unwrap().status.success() || !rc.exists() {
        perl::skip("there is no `aemp-perl`");
        return None;
    }
    let config = std::fs::read_to_string(&rc).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    Some(config["cert"].as_str().unwrap().into())
}

/// A certificate as this project's command makes it: ECDSA.
fn ours() -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "AnyEvent::MP");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    ca.pem() + &ca.key().serialize_pem()
}

/// Our node and theirs, connected in TLS of that version. They dial by turns.
async fn pair(cert: &str, node: NodeBuilder, round: usize, conf: &str) -> Option<(Node, Perl)> {
    let settings = [("PEER_CERT", cert), ("OPENSSL_CONF", conf)];
    let (node, mut perl) = if round.is_multiple_of(2) {
        let perl = Perl::start_set("perl", &[], &settings).await?;
        (node.seed(&perl.address).start().await.unwrap(), perl)
    } else {
        let node = node.start().await.unwrap();
        let perl = Perl::start_set("perl", &node.listeners(), &settings).await?;
        (node, perl)
    };
    soon(node.until_up("perl")).await;
    perl.expect("up").await;
    Some((node, perl))
}

/// Goes on until each end has been TLS client and server.
async fn both_roles(cert: &str, version: &str, conf: &str) {
    let mut missing = vec!["client", "server"];
    for round in 0..40 {
        let logs = Logs::catch();
        let node = rust().framing_format(["json"]).cert(cert).require_tls(true);
        let Some((node, mut perl)) = pair(cert, node, round, conf).await else {
            return;
        };
        let inbox = PortId::parse(&perl.inbox().await).unwrap();
        let mut own = Inbox::new(&node);
        let text = "x".repeat(100_000);
        snd!(node, inbox, "to perl", &text);
        assert_eq!(perl.expect("got").await[2], text);
        perl.order(&json!(["snd", own.id.as_str(), text]));
        assert_eq!(own.next().await, msg![&text]);
        let (_, line) = logs.find(" with perl").unwrap();
        assert!(line.starts_with(version), "{line}");
        missing.retain(|role| !line.contains(role));
        node.stop().await;
        perl.kill();
        if missing.is_empty() {
            return;
        }
    }
    panic!("never {missing:?}");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn in_tls_13() {
    let Some(perls) = perls() else { return };
    both_roles(&perls, "TLS 1.3 ", "").await;
    both_roles(&ours(), "TLS 1.3 ", "").await;
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn in_tls_12() {
    let Some(perls) = perls() else { return };
    let home = tempfile::tempdir().unwrap();
    let conf = home.path().join("openssl.cnf");
    let text = "openssl_conf = conf\n[conf]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n[all]\nMaxProtocol = TLSv1.2\n";
    std::fs::write(&conf, text).unwrap();
    let conf = conf.to_str().unwrap();
    both_roles(&perls, "TLS 1.2 ", conf).await;
    both_roles(&ours(), "TLS 1.2 ", conf).await;
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_node_without_certificate_is_refused_if_tls_is_required() {
    let logs = Logs::catch();
    let node = rust().cert(ours()).require_tls(true);
    let node = node.start().await.unwrap();
    let Some(perl) = Perl::start("perl", &node.listeners()).await else {
        return;
    };
    logs.warned("no TLS with perl, and require_tls is set")
        .await;
    assert!(node.up_nodes().is_empty());
    perl.kill();
    node.stop().await;
}

/// Another certificate of the same name; each end as client and as server, often enough.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn another_certificate_is_refused() {
    let Some(perls) = perls() else { return };
    for _ in 0..6 {
        let logs = Logs::catch();
        let node = rust().cert(ours()).start().await.unwrap();
        let settings = [("PEER_CERT", perls.as_str())];
        let perl = Perl::start_set("perl", &node.listeners(), &settings).await;
        let Some(perl) = perl else { return };
        // OpenSSL as client says nothing to us; as server it gets our certificate when we have refused its own.
        logs.expect("TLS").await;
        assert!(logs.count("the peer's certificate") <= 40);
        assert!(node.up_nodes().is_empty());
        perl.kill();
        node.stop().await;
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_node_without_certificate_is_accepted_with_the_secret() {
    let node = rust().secret(SECRET).cert(ours()).start().await.unwrap();
    let Some(mut perl) = Perl::start("perl", &node.listeners()).await else {
        return;
    };
    soon(node.until_up("perl")).await;
    perl.expect("up").await;
    let connections = node.inspect("rust").connections().await.unwrap();
    assert_eq!(connections.connections[0].tls, None);
    node.stop().await;
    perl.kill();
}
