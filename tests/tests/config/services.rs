//! Services: init functions that are run when a node starts.

use std::sync::{Arc, Mutex};

use aemp::{Cx, Node, NodeBuilder, ServiceError, StartError, args, db::Role, port, spawnable};

use crate::{
    common::{Home, soon},
    logs::Logs,
};

struct Number(i64);

#[port]
impl Number {
    #[rcv]
    fn get(&self) -> i64 {
        self.0
    }
}

#[spawnable(name = "Config::picky")]
fn picky(n: i64) -> Result<Number, String> {
    match n {
        13 => Err("not thirteen".into()),
        n => Ok(Number(n)),
    }
}

/// A builder whose init function `Config::note` notes its arguments.
struct Notes {
    notes: Arc<Mutex<Vec<String>>>,
    more: Arc<tokio::sync::Notify>,
}

impl Notes {
    fn new() -> (Self, NodeBuilder) {
        let (notes, more) = (Arc::new(Mutex::new(Vec::new())), Arc::default());
        let this = Self { notes, more };
        let (notes, more) = (Arc::clone(&this.notes), Arc::clone(&this.more));
        let note = move |_: &mut Cx<'_>, args: aemp::Args| {
            notes
                .lock()
                .unwrap()
                .push(aemp::Value::from(args).to_string());
            more.notify_one();
        };
        (
            this,
            Node::builder().node_id("a").init("Config::note", note),
        )
    }

    async fn wait(&self, count: usize) -> Vec<String> {
        let there = async {
            loop {
                let notes = self.notes.lock().unwrap().clone();
                if notes.len() >= count {
                    return notes;
                }
                self.more.notified().await;
            }
        };
        soon(there).await
    }
}

#[tokio::test]
async fn they_are_run_in_their_order_with_their_arguments() {
    let (notes, builder) = Notes::new();
    let builder = builder
        .service("Config::note", args![1, "two"])
        .service("Config::note", args![])
        .service("Config::note", args![vec![3]]);
    let node = builder.start().await.unwrap();
    assert_eq!(notes.wait(3).await, [r#"[1,"two"]"#, "[]", "[[3]]"]);
    assert_eq!(node.port_count(), 3);
    node.stop().await;
}

#[tokio::test]
async fn the_file_s_replace_the_program_s() {
    let home = Home::with(r#"{"binds": [], "services": ["Config::note", ["Config::note", 7]]}"#);
    for (force, expected) in [(false, &["[]", "[7]"][..]), (true, &["[\"program\"]"])] {
        let (notes, builder) = Notes::new();
        let builder = builder.config_file(home.path()).force(force);
        let node = builder
            .service("Config::note", args!["program"])
            .start()
            .await
            .unwrap();
        assert_eq!(notes.wait(expected.len()).await, expected);
        node.stop().await;
    }
}

#[tokio::test]
async fn a_local_node_runs_them_too() {
    let (notes, builder) = Notes::new();
    let node = builder
        .service("Config::note", args![1])
        .start_local()
        .unwrap();
    assert_eq!(notes.wait(1).await, ["[1]"]);
    node.stop().await;
}

#[tokio::test]
async fn an_unknown_one_fails_the_start() {
    let unknown = |near: Option<&str>| ServiceError::Unknown {
        near: near.map(Into::into),
    };
    for (name, kind, problem) in [
        (
            "Config::pikcy",
            unknown(Some("Config::picky")),
            r#"there is no such init function; did you mean "Config::picky"?"#,
        ),
        (
            "Something::else::entirely",
            unknown(None),
            "there is no such init function",
        ),
        ("picky", unknown(None), "there is no such init function"),
        (
            "Config::",
            ServiceError::Module,
            "a name that ends in `::` is a Perl module to load, which cannot be done here",
        ),
    ] {
        let (notes, builder) = Notes::new();
        let builder = builder.secret("s").bind("127.0.0.1:0");
        let builder = builder.service("Config::note", args![]);
        let error = builder.service(name, args![]).start().await.unwrap_err();
        assert!(
            matches!(&error, StartError::Service { name: culprit, error } if culprit == name && *error == kind)
        );
        assert_eq!(error.to_string(), format!("service {name:?}: {problem}"));
        assert!(notes.notes.lock().unwrap().is_empty(), "nothing was run");
    }
}

/// The file may be shared with Perl programs.
#[tokio::test]
async fn entries_for_other_programs_are_left_out_with_a_warning() {
    let home = Home::with(
        r#"{"binds": [], "framing_format": ["storable"], "auth_offer": ["md5"], "spelling": 1,
            "services": ["My::Perl::", ["Config::note", 7], "My::Perl::run"]}"#,
    );
    let logs = Logs::catch();
    let (notes, builder) = Notes::new();
    let node = builder.config_file(home.path()).start().await.unwrap();
    assert_eq!(notes.wait(1).await, ["[7]"]);
    assert_eq!(node.port_count(), 1);
    for text in [
        r#"services: the service "My::Perl::" is left out: a name that ends in `::` is a Perl module"#,
        r#"services: the service "My::Perl::run" is left out: there is no such init function"#,
        r#"framing_format: the format "storable" is unknown and ignored"#,
        r#"auth_offer: the authentication method "md5" is unknown and ignored"#,
        "spelling: the key is unknown and ignored",
    ] {
        logs.warned(text).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn entries_for_other_programs_are_errors_if_the_program_is_strict() {
    for (text, problem) in [
        (
            r#""services": ["My::Perl::run"]"#,
            "there is no such init function",
        ),
        (
            r#""framing_format": ["cbor", "storable"]"#,
            r#"the format "storable" is unknown"#,
        ),
        (
            r#""auth_offer": ["md5"]"#,
            r#"the authentication method "md5" is unknown"#,
        ),
        (r#""spelling": 1"#, "the key is unknown"),
    ] {
        let home = Home::with(&format!(r#"{{"binds": [], {text}}}"#));
        let builder = Node::builder().config_file(home.path()).strict(true);
        let error = builder.start().await.unwrap_err().to_string();
        assert!(error.ends_with(problem), "{error}");
    }
}

#[tokio::test]
async fn one_that_fails_is_a_port_that_dies() {
    let logs = Logs::catch();
    let (notes, builder) = Notes::new();
    let builder = builder
        .service("Config::picky", args![13])
        .service("Config::picky", args!["many"])
        .service("Config::note", args![]);
    let node = builder.start().await.unwrap();
    notes.wait(1).await;
    logs.warned("not thirteen").await;
    logs.warned("expected i64").await;
    assert_eq!(node.port_count(), 1);
    node.stop().await;
}

#[tokio::test]
async fn the_reference_s_global_service_makes_the_node_global() {
    let role = async |builder: NodeBuilder| {
        let node = builder.node_id("a").start().await.unwrap();
        let role = node.role();
        node.stop().await;
        role
    };
    for name in ["AnyEvent::MP::Global", "AnyEvent::MP::Global::"] {
        let builder = Node::builder().service(name, args![]);
        assert_eq!(role(builder).await, Role::Global);
    }
    assert_eq!(role(Node::builder().global(true)).await, Role::Global);
    assert_eq!(role(Node::builder()).await, Role::Alone);
}
