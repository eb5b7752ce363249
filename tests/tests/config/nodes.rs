//! Nodes that are started with the configuration file, and those that are not.

use aemp::{
    Node, NodeBuilder,
    config::{Environment, Method, host_name},
};

use crate::{
    common::{Home, SECRET, up},
    logs::Logs,
};

/// A builder for which the file is that of `home`.
fn at(home: &Home) -> NodeBuilder {
    let path = home.path().display().to_string();
    Node::builder().environment(Environment::of([("PERL_ANYEVENT_MP_RC", path)]))
}

const FILE: &str = r#"{ "binds" : ["127.0.0.1:*"], "nodeid" : "top", "secret" : "between friends",
    "profile" : { "worker" : { "nodeid" : "worker/%n/" }, "listener" : { "binds" : null } } }"#;

#[tokio::test]
async fn a_file_is_read_only_when_it_is_asked_for() {
    let home = Home::with(FILE);
    let id = |builder: NodeBuilder| async {
        let node = builder.start().await.unwrap();
        let id = node.id().to_string();
        node.stop().await;
        id
    };
    let random = format!("{}/", host_name());
    assert!(id(at(&home)).await.starts_with(&random));
    assert!(
        id(at(&home).norc(true).secret(SECRET).profile("worker"))
            .await
            .starts_with("worker/")
    );
    assert_eq!(id(at(&home).profile("other")).await, "top");
    // The profile of the environment, and the host's name otherwise.
    assert_eq!(id(at(&home).configured()).await, "top");
    let path = home.path().display().to_string();
    let variables = [
        ("PERL_ANYEVENT_MP_RC", path),
        ("AEMP_PROFILE", "worker".into()),
    ];
    let environment = Node::builder().environment(Environment::of(variables));
    assert!(id(environment.configured()).await.starts_with("worker/"));
    assert_eq!(id(Node::builder().config_file(home.path())).await, "top");
    let worker = id(at(&home).profile("worker")).await;
    let start = format!("worker/{}/", host_name());
    assert!(
        worker.starts_with(&start) && worker.len() > start.len(),
        "{worker}"
    );
    assert_eq!(
        id(at(&home).profile("other").node_id("program")).await,
        "top"
    );
    assert_eq!(
        id(at(&home).profile("other").node_id("program").force(true)).await,
        "program"
    );
}

#[tokio::test]
async fn missing_files_and_profiles_are_reported() {
    let home = Home::with(FILE);
    let logs = Logs::catch();
    at(&home)
        .profile("worker")
        .start()
        .await
        .unwrap()
        .stop()
        .await;
    assert_eq!(logs.count("there is no"), 0);
    at(&home)
        .profile("wroker")
        .start()
        .await
        .unwrap()
        .stop()
        .await;
    logs.expect(r#"rc: there is no profile "wroker"; only the top level applies"#)
        .await;
    let mut elsewhere = home.path().to_owned();
    elsewhere.set_file_name("elsewhere");
    let builder = Node::builder().config_file(&elsewhere).bind("127.0.0.1:0");
    let builder = builder.environment(Environment::of([("AEMP_SECRET", SECRET)]));
    builder.start().await.unwrap().stop().await;
    logs.expect("elsewhere: the configuration file does not exist")
        .await;
}

#[tokio::test]
async fn with_a_file_the_default_is_to_listen_everywhere() {
    let home = Home::with(FILE);
    let listeners = |builder: NodeBuilder| async {
        let node = builder.start().await.unwrap();
        let listeners = node.listeners();
        node.stop().await;
        listeners
    };
    let everywhere = listeners(Node::builder().secret(SECRET).bind("*")).await;
    assert_eq!(listeners(at(&home)).await.len(), 0);
    assert_eq!(listeners(at(&home).profile("worker")).await.len(), 1);
    assert_eq!(
        listeners(at(&home).profile("listener")).await.len(),
        everywhere.len()
    );
    assert_eq!(
        listeners(at(&home).norc(true).secret(SECRET).profile("p"))
            .await
            .len(),
        everywhere.len()
    );
}

#[tokio::test]
async fn two_profiles_make_a_network() {
    let home = Home::with(FILE);
    let a = at(&home).profile("a").start().await.unwrap();
    let mut file = home.load().unwrap();
    file.add(Some("worker"), "seeds", a.listeners().remove(0))
        .unwrap();
    file.save().unwrap();
    // The program's secret is a default only.
    let b = at(&home)
        .profile("worker")
        .secret("wrong")
        .start()
        .await
        .unwrap();
    up(&b, "top").await;
    b.stop().await;
    file.set(Some("worker"), "secret", "wrong").unwrap();
    file.save().unwrap();
    let forced = at(&home).profile("worker").secret(SECRET).force(true);
    let b = forced.start().await.unwrap();
    up(&b, "top").await;
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn the_program_sets_everything_that_the_file_does_not() {
    let home = Home::with(r#"{"binds": "127.0.0.1:0"}"#);
    let a = at(&home)
        .profile("a")
        .node_id("a")
        .secret(SECRET)
        .start()
        .await
        .unwrap();
    let seed = a.listeners().remove(0);
    let b = Node::builder()
        .node_id("b")
        .secret(SECRET)
        .seed(seed)
        .start()
        .await
        .unwrap();
    up(&b, "a").await;
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn a_broken_file_stops_the_start() {
    for (text, error) in [
        (
            "{\n  \"binds\" = 1}",
            "rc:2:11: expected `:` behind the key, found `=`",
        ),
        (
            "{\"profile\": {\"p\": {\"parent\": \"p\"}}}",
            "rc: the parents of profiles form a circle: p -> p",
        ),
        (
            "{\"profile\": {\"p\": {\"seeds\": 1.5}}}",
            "rc:1:29: profile \"p\": seeds: expected a list, found 1.5",
        ),
    ] {
        let home = Home::with(text);
        let failed = at(&home).profile("p").start().await.unwrap_err();
        assert_eq!(home.text_of(&failed), error);
        assert_eq!(home.text(), text);
    }
    let nowhere = Node::builder()
        .environment(Environment::of([("X", "y")]))
        .profile("p");
    assert_eq!(
        nowhere.start().await.unwrap_err().to_string(),
        "no configuration file: neither PERL_ANYEVENT_MP_RC nor HOME is set"
    );
}

#[tokio::test]
async fn unknown_keys_and_perl_code_are_logged() {
    let logs = Logs::catch();
    let home = Home::with(r#"{"binds": [], "noeid": "x", "eval": "1", "secret": "hush"}"#);
    at(&home).profile("p").start().await.unwrap().stop().await;
    logs.warned("rc:1:24: noeid: the key is unknown").await;
    logs.warned("eval: Perl code is not run").await;
    assert_eq!(logs.count("hush"), 0);
}

#[tokio::test]
async fn an_invalid_certificate_is_reported_without_its_text() {
    let home = Home::with(r#"{"binds": [], "cert": "hush"}"#);
    let failed = at(&home).profile("p").start().await.unwrap_err();
    assert_eq!(failed.to_string(), "cert: there is no private key in it");
}

#[tokio::test]
async fn formats_and_methods_that_leave_nothing_are_errors() {
    for (key, value, error) in [
        (
            "framing_format",
            "storable,sereal",
            "framing_format: none of its formats (storable, sereal) is known; the known formats are ",
        ),
        ("auth_offer", "", "auth_offer: no method is left"),
        ("auth_accept", "", "auth_accept: no method is left"),
        (
            "auth_offer",
            "md5",
            "auth_offer: unknown authentication method \"md5\"; known are ",
        ),
    ] {
        let failed = Node::builder()
            .setting(key, value)
            .start()
            .await
            .unwrap_err();
        assert!(failed.to_string().starts_with(error), "{failed}");
    }
    let only = Node::builder().auth_accept([Method::Cleartext]);
    let failed = only.accept_cleartext(false).start().await.unwrap_err();
    assert!(
        failed
            .to_string()
            .starts_with("auth_accept: no method is left"),
        "{failed}"
    );
}

/// The fields of a node's greeting.
async fn greeting(builder: NodeBuilder) -> Vec<String> {
    use tokio::io::AsyncBufReadExt;
    let node = builder
        .node_id("a")
        .secret(SECRET)
        .bind("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stream = tokio::net::TcpStream::connect(node.listeners().remove(0))
        .await
        .unwrap();
    let mut line = String::new();
    tokio::io::BufReader::new(stream)
        .read_line(&mut line)
        .await
        .unwrap();
    node.stop().await;
    line.split(';').map(str::to_owned).collect()
}

#[tokio::test]
async fn methods_and_formats_are_announced() {
    let fields = greeting(
        Node::builder()
            .auth_accept([Method::Cleartext, Method::HmacSha3_512])
            .framing_format(["storable", "json", "sereal"]),
    );
    assert_eq!(fields.await[3..5], ["cleartext,hmac_sha3_512", "json"]);
    let fields = greeting(Node::builder().accept_cleartext(false)).await;
    assert_eq!(fields[3], "tls_sha3_512,hmac_sha3_512,tls_anon");
    // The file cannot allow methods that the program refuses.
    let home = Home::with(r#"{"auth_accept": ["cleartext", "hmac_sha3_512"]}"#);
    let file = Node::builder()
        .config_file(home.path())
        .accept_cleartext(false);
    assert_eq!(greeting(file).await[3], "hmac_sha3_512");
}

#[tokio::test]
async fn a_node_uses_the_configured_authentication_methods() {
    let a = Node::builder()
        .node_id("a")
        .secret(SECRET)
        .bind("127.0.0.1:0");
    let a = a.accept_cleartext(false).start().await.unwrap();
    let b = Node::builder()
        .node_id("b")
        .secret(SECRET)
        .seed(a.listeners().remove(0));
    let logs = Logs::catch();
    let b = b.auth_offer([Method::Cleartext]).start().await.unwrap();
    logs.warned("no common auth type supported").await;
    assert_ne!(b.node_is_up("a"), Some(true));
    b.stop().await;
    a.stop().await;
}
