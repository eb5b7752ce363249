//! New certificates without a restart.

use std::fs;

use aemp::{Node, cal, config::Cert};

use crate::{
    certificates::{address, authority, builder, issued, pair, params, shared, start, tls},
    common::{SECRET, soon, until},
};

#[tokio::test]
async fn new_connections_have_new_certificates_and_old_ones_stay() {
    let (old, new) = (shared(), shared());
    let [a, b] = pair(builder("a", &old), builder("b", &old)).await;
    a.set_cert(&Cert::new(new.clone()), None).unwrap();
    // The old one goes on.
    let time = soon(cal!(b, aemp::PortId::parse("a").unwrap(), "time")).await;
    assert!(time.is_ok());
    let c = start(builder("c", &new).seed(address(&a))).await;
    soon(a.until_up("c")).await;
    let d = start(builder("d", &old).seed(address(&a))).await;
    soon(c.until_up("a")).await;
    assert!(a.node_is_up("d") != Some(true));
    d.set_cert(&Cert::new(new), None).unwrap();
    soon(d.until_up("a")).await;
    for node in [d, c, b, a] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_faulty_certificate_leaves_the_old_one_in_use() {
    let cert = shared();
    let a = start(builder("a", &cert)).await;
    let error = a.set_cert(&Cert::new("nonsense"), None).unwrap_err();
    assert_eq!(error.to_string(), "cert: there is no private key in it");
    let error = a
        .set_cert(&Cert::new(cert.clone()), Some(&Cert::new("")))
        .unwrap_err();
    assert_eq!(error.to_string(), "ca: there is no certificate in it");
    let b = start(builder("b", &cert).seed(address(&a))).await;
    soon(a.until_up("b")).await;
    b.stop().await;
    a.stop().await;
    let local = Node::local().unwrap();
    let error = local.reload_tls().unwrap_err().to_string();
    assert_eq!(error, "cert: the node is in no network");
}

#[tokio::test]
async fn the_file_is_read_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("rc");
    let ca = authority("our ca");
    let write = |cert: &str, ca: &str| {
        let json = serde_json::json!({ "profile": { "p": { "cert": cert, "ca": ca, "binds": "127.0.0.1:0" } } });
        fs::write(&path, json.to_string()).unwrap();
    };
    let old = issued(&ca, &params("old"));
    write(&old, &ca.pem());
    let a = Node::builder()
        .profile("p")
        .config_file(&path)
        .node_id("a")
        .start();
    let a = a.await.unwrap();
    let b = start(
        builder("b", &issued(&ca, &params("b")))
            .ca(ca.pem())
            .seed(address(&a)),
    )
    .await;
    soon(b.until_up("a")).await;
    // A file that is not understood changes nothing, nor does one without a certificate.
    fs::write(&path, "{").unwrap();
    assert!(a.reload_tls().is_err());
    fs::write(&path, "{}").unwrap();
    let error = a.reload_tls().unwrap_err().to_string();
    assert!(
        error.starts_with("cert: there is no certificate any more"),
        "{error}"
    );
    let next = authority("next ca");
    write(&issued(&next, &params("new")), &(next.pem() + &ca.pem()));
    a.reload_tls().unwrap();
    let c = builder("c", &issued(&next, &params("c"))).ca(next.pem());
    let c = start(c.seed(address(&a))).await;
    soon(c.until_up("a")).await;
    soon(a.until_up("c")).await;
    assert!(tls(&a, "c").await.is_some());
    for node in [c, b, a] {
        node.stop().await;
    }
}

/// A network is given its certificates while it runs.
#[tokio::test]
async fn tls_can_be_turned_on() {
    let plain = |id| {
        Node::builder()
            .node_id(id)
            .secret(SECRET)
            .bind("127.0.0.1:0")
    };
    let [a, b] = pair(plain("a"), plain("b")).await;
    assert_eq!(tls(&a, "b").await, None);
    let cert = Cert::new(shared());
    a.set_cert(&cert, None).unwrap();
    b.set_cert(&cert, None).unwrap();
    b.stop().await;
    until(|| a.up_nodes().is_empty()).await;
    let b = plain("b").cert(cert.pem()).seed(address(&a));
    let b = start(b).await;
    soon(a.until_up("b")).await;
    assert!(tls(&a, "b").await.is_some());
    b.stop().await;
    a.stop().await;
}
