//! One file for programs in Rust and in Perl. Skipped, with a message, where there is no AnyEvent::MP.

use std::{
    io::Write,
    process::{Child, Command},
};

use aemp::{Node, config::host_name};

use crate::common::{Home, json, up};

/// The output of Perl with the reference's configuration loaded, whose file is that of `home`. `None` without Perl.
fn perl(home: &Home, code: &str) -> Option<String> {
    let run = |code: &str| {
        let mut perl = Command::new("perl");
        perl.env("PERL_ANYEVENT_MP_RC", home.path())
            .args(["-e", code]);
        perl.output().ok().filter(|output| output.status.success())
    };
    if run("use AnyEvent::MP::Config").is_none() {
        let skipped = "config: SKIPPED: `perl -MAnyEvent::MP::Config -e1` does not work here";
        let _ = writeln!(std::io::stderr(), "{skipped}");
        return None;
    }
    let code = format!("use AnyEvent::MP::Config; my $cfg = AnyEvent::MP::Config::config; {code}");
    let output = run(&code).expect("the code is good");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn perl_reads_our_file() {
    let home = Home::new();
    let mut file = home.load().unwrap();
    file.set(None, "secret", "s\u{e4}\"\\\n").unwrap();
    file.set(Some("q"), "seeds", "a:1,b:2").unwrap();
    file.set(Some("p"), "parent", "q").unwrap();
    file.set(Some("p"), "monitor_timeout", "5.5").unwrap();
    file.add(Some("p"), "services", json(r#"["A::a", 1, {"x": null}]"#))
        .unwrap();
    file.save().unwrap();
    let show = r#"my $c = AnyEvent::MP::Config::find_profile("p");
        delete @$c{qw(profile parent)};
        print JSON::XS->new->utf8->canonical->encode($c)"#;
    let Some(shown) = perl(&home, show) else {
        return;
    };
    let expected = json(
        r#"{"auth_accept":["tls_sha3_512","hmac_sha3_512","tls_anon","cleartext"],
            "auth_offer":["tls_sha3_512","hmac_sha3_512"],"connect_interval":2,
            "framing_format":["cbor","json","storable"],"monitor_timeout":5.5,
            "secret":"sä\"\\\n","seeds":["a:1","b:2"],
            "services":[["A::a",1,{"x":null}]],"version":1}"#,
    );
    assert_eq!(json(&shown), expected, "{shown}");
}

#[test]
fn perls_file_is_read() {
    let home = Home::with("{\"unknown\": [1.5, null], # gone\n \"secure\": 1,}");
    let change = r#"$cfg->{profile}{p} = { nodeid => "p/%n", seeds => ["a:1"], connect_interval => "3" };
        $cfg->{secret} = "s\x{e4}"; $cfg->{dirty} = 1"#;
    if perl(&home, change).is_none() {
        return;
    }
    let mut file = home.load().unwrap();
    assert_eq!(
        file.value(None, "unknown").unwrap(),
        Some(&json("[1.5,null]"))
    );
    assert_eq!(file.value(None, "secret").unwrap(), Some(&"sä".into()));
    let settings = crate::common::settings(&home, "p", &aemp::Map::new()).unwrap();
    assert_eq!(settings.node_id_with("x"), format!("p/{}", host_name()));
    assert_eq!(settings.connect_interval.as_secs(), 3);
    assert!(settings.secure);
    assert_eq!(settings.unknown.len(), 1);
    // There and back, and nothing is lost.
    file.set(Some("p"), "binds", "*").unwrap();
    file.save().unwrap();
    let printed = perl(
        &home,
        r#"print "$cfg->{unknown}[0] $cfg->{profile}{p}{binds}[0]""#,
    );
    assert_eq!(printed.unwrap(), "1.5 *");
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn nodes_of_both_kinds_share_a_file() {
    let home = Home::new();
    let mut file = home.load().unwrap();
    file.set(None, "secret", "between friends, and \u{e9}migr\u{e9}s")
        .unwrap();
    file.set(None, "binds", "127.0.0.1:*").unwrap();
    file.set(Some("rust"), "nodeid", "rust/%n").unwrap();
    file.save().unwrap();
    let node = Node::builder().config_file(home.path()).profile("rust");
    let node = node.start().await.unwrap();
    file.set(Some("perl"), "seeds", node.listeners().remove(0))
        .unwrap();
    file.set(Some("perl"), "nodeid", "perl/%n").unwrap();
    file.save().unwrap();
    if perl(&home, "").is_none() {
        return;
    }
    let code = r#"use AnyEvent::MP; configure profile => "perl"; AE::cv->recv"#;
    let mut command = Command::new("perl");
    command
        .env("PERL_ANYEVENT_MP_RC", home.path())
        .args(["-e", code]);
    let _perl = Process(command.spawn().unwrap());
    up(&node, &format!("perl/{}", host_name())).await;
    node.stop().await;
}
