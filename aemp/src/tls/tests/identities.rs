//! Texts that make a node's identity, and texts that do not.

use super::*;

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("pem/", $name, ".pem"))
    };
}

fn problem(cert: &str) -> String {
    let made = Context::new(&Cert::new(cert), None, false);
    made.unwrap_err().to_string()
}

#[test]
fn every_kind_of_key_does() {
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let made = params("ed").self_signed(&ed25519).unwrap();
    for text in [
        pem!("rsa_pkcs8"),
        pem!("rsa_pkcs1_key_first"),
        pem!("sec1_p384"),
        &(made.pem() + &ed25519.serialize_pem()),
        &shared("p256"),
    ] {
        let context = context(text, None);
        Pair::up(&context, &context);
    }
}

#[test]
fn the_certificate_of_the_key_is_found_among_others() {
    let (ca, other) = (authority("ca"), certificate("other"));
    let own = issued(&ca, &params("own"));
    let text = [other.pem(), own, ca.pem()].concat();
    let mixed = context(&text, None);
    let plain = context(&issued(&ca, &params("peer")), Some(&ca.pem()));
    Pair::up(&mixed, &plain);
    Pair::up(&plain, &mixed);
}

#[test]
fn errors_of_pem_texts_do_not_contain_the_text() {
    let own = shared("own");
    let key_of_another = KeyPair::generate().unwrap().serialize_pem();
    let only = |begin: &str| {
        let from = own.find(begin).unwrap();
        own[from..].to_owned()
    };
    let certificate = own.replace(&only("-----BEGIN PRIVATE"), "");
    let expired = {
        let (mut params, key) = (params("late"), KeyPair::generate().unwrap());
        hold(&mut params, 2001, 2002);
        params.self_signed(&key).unwrap().pem() + &key.serialize_pem()
    };
    for (text, expected) in [
        (String::new(), "cert: there is no private key in it"),
        (certificate.clone(), "cert: there is no private key in it"),
        (
            format!("\u{feff}{certificate}"),
            "cert: it begins with a byte order mark (U+FEFF): save it without one",
        ),
        (
            only("-----BEGIN PRIVATE"),
            "cert: there is no certificate in it",
        ),
        (
            own.clone() + &key_of_another,
            "cert: there are 2 private keys in it instead of one",
        ),
        (
            certificate.clone() + &key_of_another,
            "cert: the private key belongs to none of its certificates (CN=own)",
        ),
        (
            expired,
            "cert: its certificate for CN=late has expired on 2002-01-01",
        ),
        (
            pem!("encrypted").into(),
            "cert: its private key is encrypted, which cannot be used",
        ),
        (
            pem!("version1").into(),
            "cert: the private key belongs to none of its certificates (CN=old, of X.509 version 1 instead of 3)",
        ),
    ] {
        assert_eq!(problem(&text), expected);
    }
    assert!(problem(pem!("rsa_1024")).contains("RSA of 2048"));
    let garbled = own.replace("-----END", "-----END OF");
    assert_eq!(problem(&garbled), "cert: it is not well-formed PEM text");
    let ca = Context::new(&Cert::new(own), Some(&Cert::new("")), false);
    assert_eq!(
        ca.unwrap_err().to_string(),
        "ca: there is no certificate in it"
    );
}

#[test]
fn nothing_shows_a_key() {
    let own = shared("own");
    let cert = Cert::new(own.clone());
    let context = context(&own, None);
    let session = context.session(true, &node("x")).unwrap();
    let shown = format!("{cert:?} {session:?} {context:?}");
    assert!(shown.starts_with("Cert(..) Session"), "{shown}");
    let key = own.lines().rev().nth(1).unwrap();
    assert!(
        !shown.contains(key) && !shown.contains("PRIVATE"),
        "{shown}"
    );
}
