//! Secrets: the places where they are shown, and those where they are not.

use std::{borrow::Cow, fs, os::unix::fs::PermissionsExt, sync::Arc};

use aemp::{
    Map, Node,
    config::{Cert, ConfigFile, Environment, KEYS, Method, Secret, Settings, Sources},
};
use aemp_proto::{
    Time,
    handshake::{Handshake, HandshakeConfig, HandshakeOutput, Role},
};

use crate::{
    common::{Home, SECRET, settings, up},
    logs::Logs,
};

const HUSH: &str = "hush";
/// As `cleartext` sends it.
const HUSH_IN_HEX: &str = "68757368";

fn everything(home: &Home) -> Sources<'static> {
    let file: &'static ConfigFile = Box::leak(Box::new(home.load().unwrap()));
    let arguments = [("secret", HUSH), ("cert", HUSH)];
    Sources {
        file: Some(file),
        profile: Some("p"),
        arguments: Cow::Owned(arguments.into_iter().collect()),
        force: true,
        environment: Environment::of([("AEMP_SECRET", HUSH)]),
    }
}

/// Every public type that can hold one.
#[tokio::test]
async fn no_debug_output_holds_one() {
    let home = Home::with(
        r#"{"secret": "hush", "cert": "hush", "binds": [],
            "profile": {"p": {"secret": "hush", "ca": "hush"}}}"#,
    );
    let sources = everything(&home);
    let settings = Settings::resolve(&sources).unwrap();
    let builder = Node::builder()
        .secret(HUSH)
        .cert(HUSH)
        .ca(HUSH)
        .setting("secret", HUSH)
        .setting("ca", HUSH)
        .config_file(home.path())
        .environment(sources.environment.clone());
    let node = Node::builder()
        .node_id("a")
        .secret(HUSH)
        .bind("127.0.0.1:0");
    let node = node.start().await.unwrap();
    let wrong = Node::builder().setting("secret", vec![aemp::Value::from(HUSH)]);
    let wrong = wrong.start().await.unwrap_err();
    let mut file = home.load().unwrap();
    let not_set = file.set(None, "secret", vec![aemp::Value::from(HUSH)]);
    let shown = [
        format!("{sources:?} {:?}", sources.environment),
        format!("{:?} {settings:?}", sources.file),
        format!(
            "{:?} {:?} {:?}",
            settings.secret, settings.cert, settings.ca
        ),
        format!("{:?} {:?} {KEYS:?}", Secret::new(HUSH), Cert::new(HUSH)),
        format!("{builder:?} {node:?} {:?}", node.inspect("a")),
        format!("{wrong:?} {wrong} {not_set:?} {file:?}"),
    ];
    for shown in shown {
        assert!(!shown.contains(HUSH), "{shown}");
    }
    node.stop().await;
}

/// Its own, and that of the peer, which are the secret itself.
#[test]
fn no_debug_output_of_a_handshake_holds_one() {
    let config = |id: &str| {
        let secret = Some(Secret::new(HUSH));
        let mut config = HandshakeConfig::new(aemp::NodeId::new(id).unwrap(), secret);
        config.auth_offer = vec![Method::Cleartext];
        Arc::new(config)
    };
    let mut ends = [("a", Role::Dialed), ("b", Role::Accepted)].map(|(id, role)| {
        let nonce = format!("nonce of {id}");
        Handshake::new(Time::ZERO, config(id), role, "127.0.0.1:1", nonce)
    });
    let mut established = 0;
    let mut shown = format!("{:?}", config("a"));
    for _ in 0..20 {
        for at in [0, 1] {
            shown += &format!("{:?}", ends[at]);
            while let Some(output) = ends[at].poll() {
                shown += &format!("{output:?}{:?}", ends[at]);
                match output {
                    HandshakeOutput::Transmit(bytes) => {
                        ends[1 - at].receive(&bytes);
                        shown += &format!("{:?}", ends[1 - at]);
                    }
                    HandshakeOutput::Ready => ends[at].proceed(),
                    HandshakeOutput::Established(_) => established += 1,
                    _ => {}
                }
            }
        }
    }
    assert_eq!(established, 2);
    let octets = format!("{:?}", HUSH_IN_HEX.as_bytes());
    let octets = octets.trim_matches(['[', ']']);
    for secret in [HUSH, HUSH_IN_HEX, octets] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_reported_once() {
    let home = Home::with(r#"{"secret": "hush", "binds": [], "nodeid": "a"}"#);
    let logs = Logs::catch();
    let start = || async {
        let builder = Node::builder().config_file(home.path());
        let node = builder.environment(Environment::of([("X", "y")])).start();
        node.await.unwrap().stop().await;
    };
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o600)).unwrap();
    start().await;
    assert_eq!(logs.count("others can read"), 0);
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
        start().await;
    }
    let mend = format!("chmod 600 {}", home.path().display());
    logs.warned(&mend).await;
    assert_eq!(logs.count("others can read"), 1);
}

/// The copy that a change leaves has the permissions that the file had.
#[test]
fn copies_and_files_without_secrets() {
    let home = Home::with(r#"{"nodeid": "a"}"#);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(home.load().unwrap().exposure(), None);
    let mut file = home.load().unwrap();
    file.set(Some("p"), "secret", HUSH).unwrap();
    assert_eq!(file.exposure(), None, "it is not in the file");
    file.save().unwrap();
    let told = file.exposure().expect("it can be read");
    let path = home.path().display().to_string();
    assert!(
        told.ends_with(&format!("chmod 600 {path} {path}~")),
        "{told}"
    );
    assert_eq!(home.load().unwrap().exposure(), None, "once");
}

#[tokio::test]
async fn methods_of_others_are_passed_over() {
    let home = Home::with(
        r#"{"secret": "between friends", "binds": ["127.0.0.1:*"], "nodeid": "a",
            "auth_accept": ["hmac_md6_64_256", "hmac_sha3_512", "md5"], "auth_offer": "hmac_md6_64_256,hmac_sha3_512",
            "profile": {"none": {"auth_accept": ["md5"]}}}"#,
    );
    let logs = Logs::catch();
    let builder = |profile: &str| {
        let builder = Node::builder().config_file(home.path()).profile(profile);
        builder.environment(Environment::of([("X", "y")]))
    };
    let node = builder("p").start().await.unwrap();
    for (key, name) in [
        ("auth_accept", "hmac_md6_64_256"),
        ("auth_accept", "md5"),
        ("auth_offer", "hmac_md6_64_256"),
    ] {
        let text = format!("{key}: the authentication method {name:?} is unknown and ignored");
        logs.warned(&text).await;
    }
    let other = Node::builder().node_id("b").secret(SECRET);
    let other = other
        .seed(node.listeners().remove(0))
        .start()
        .await
        .unwrap();
    up(&other, "a").await;
    other.stop().await;
    node.stop().await;
    let resolved = settings(&home, "p", &Map::new()).unwrap();
    assert_eq!(resolved.auth_accept, [Method::HmacSha3_512]);
    assert_eq!(resolved.unknown_methods.len(), 3);
    // If there is no other, the default counts, as the file may be shared with older programs.
    let settings = settings(&home, "none", &Map::new()).unwrap();
    assert_eq!(settings.auth_accept, Method::ACCEPTED);
    builder("none").start().await.unwrap().stop().await;
    let failed = builder("none").strict(true).start().await.unwrap_err();
    let text = failed.to_string();
    assert!(text.contains("the authentication method"), "{text}");
    assert!(text.ends_with(" is unknown"), "{text}");
}

#[tokio::test]
async fn a_node_that_would_refuse_all_connections_does_not_start() {
    let builders = [
        Node::builder().bind("127.0.0.1:0"),
        Node::builder().seed("127.0.0.1:4040"),
        Node::builder().address("b", "127.0.0.1:4040"),
        Node::builder().secret("").bind("127.0.0.1:0"),
        Node::builder()
            .auth_accept([Method::TlsAnon])
            .bind("127.0.0.1:0"),
    ];
    for builder in builders {
        let failed = builder.node_id("a").start().await.unwrap_err().to_string();
        assert!(failed.starts_with("secret: there is none"), "{failed}");
        assert!(failed.contains("aemp setsecret"), "{failed}");
    }
    // No node wants to connect.
    let node = Node::builder().node_id("a").start().await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn offering_the_secret_in_clear_is_warned_of() {
    let logs = Logs::catch();
    let builder = || Node::builder().node_id("a").secret(SECRET);
    builder().start().await.unwrap().stop().await;
    assert_eq!(logs.count("sends its secret to any peer"), 0);
    let builder = builder().auth_offer([Method::HmacSha3_512, Method::Cleartext]);
    builder.start().await.unwrap().stop().await;
    logs.warned("auth_offer: with cleartext, this node sends its secret")
        .await;
}
