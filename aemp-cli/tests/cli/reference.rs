//! The command in a network of real AnyEvent::MP 2.01 nodes, where Perl has it: `cargo test -p aemp-cli --test cli -- --ignored`.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    SECRET,
    processes::{Running, aemp},
};

/// A Perl node, which `peer.pl` of the interop tests runs. Killed when dropped.
struct Perl {
    process: Child,
    events: BufReader<ChildStdout>,
    address: String,
}

impl Perl {
    fn start(id: &str, seeds: &[&str], global: bool) -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/tests/interop/peer.pl"
        );
        let mut command = Command::new("perl");
        command
            .args([script, id, "127.0.0.1:*", SECRET])
            .args(seeds);
        if global {
            command.env("PEER_GLOBAL", "1");
        }
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("perl starts");
        let events = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut perl = Self {
            process,
            events,
            address: String::new(),
        };
        perl.address = perl.expect("ready")[2].as_str().expect("a text").into();
        perl
    }

    fn order(&mut self, order: &Value) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{order}").expect("it takes orders");
    }

    /// Waits for an event of that kind.
    fn expect(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            let read = self.events.read_line(&mut line).expect("a line");
            assert_ne!(read, 0, "no {kind}");
            let event: Value = serde_json::from_str(&line).expect("an event");
            if event[0] == kind {
                return event;
            }
        }
    }

    /// Asks until a family holds just that.
    fn until_family(&mut self, family: &str, expected: &Value) {
        let found = std::iter::from_fn(|| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            self.order(&json!(["family", family]));
            Some(self.expect("reply")[2].take())
        });
        let mut tried = found.take(2000);
        assert!(tried.any(|found| found == *expected), "{family}");
    }
}

impl Drop for Perl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The exit status, standard output, and standard error.
fn run(seed: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let output = aemp(&["-s", seed]).args(args).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn prints(seed: &str, args: &[&str]) -> String {
    let (status, out, error) = run(seed, args);
    assert_eq!(status, Some(0), "{args:?}: {error}");
    out
}

#[test]
#[ignore = "needs Perl with AnyEvent::MP 2"]
fn ports_of_perl_nodes() {
    let global = Perl::start("global", &[], true);
    let seed = &*global.address;
    let mut perl = Perl::start("perl", &[seed], false);
    perl.expect("up");
    // The command knows the global node, and finds the other.
    let port = prints(seed, &["spawn", "perl", "Peer::counter", "40"]);
    assert!(port.starts_with("perl#"), "{port}");
    let sent = "message sent successfully";
    assert_eq!(prints(seed, &["snd", &port, "inc", "2"]), sent);
    assert_eq!(prints(seed, &["cal", &port, "get"]), "42");
    // The port's death may be told before the message's confirmation: either is a proof that it has arrived.
    let (_, printed, died) = run(seed, &["snd", &port, "end", "all", "over"]);
    assert!(
        printed.contains(sent) || died.contains("all over"),
        "{printed} {died}"
    );
    let (.., gone) = run(seed, &["snd", &port, "inc", "2"]);
    assert!(gone.contains("no_such_port"), "{gone}");
    let dead = prints(seed, &["mon", &port]);
    assert!(dead.starts_with("no_such_port"), "{dead}");
    let unknown = run(seed, &["spawn", "perl", "No::Such::function"]);
    assert_eq!(unknown.0, Some(1), "{unknown:?}");
    let nobody = prints(seed, &["mon", "nobody#port"]);
    assert_eq!(nobody, "transport_error nobody no known address");
    assert_eq!(prints(seed, &["eval", "perl", "6 * 7"]), "42");
    let failed = run(seed, &["eval", "perl", "die qq(oh\\n)"]);
    assert_eq!(failed.0, Some(255));
    assert!(failed.2.contains("oh"), "{failed:?}");
    let ports = run(seed, &["ports", "perl"]);
    assert_eq!(ports.0, Some(1));
    assert!(ports.2.contains("does not know this request"), "{ports:?}");
}

#[test]
#[ignore = "needs Perl with AnyEvent::MP 2"]
fn roles_of_perl_nodes() {
    let global = Perl::start("global", &[], true);
    let seed = &*global.address;
    let mut perl = Perl::start("perl", &[seed], false);
    perl.until_family("'g", &json!({"global": null}));
    let long = prints(seed, &["nodes", "--long"]);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    let shown: Vec<Vec<String>> = long.lines().skip(1).map(words).collect();
    assert_eq!(
        shown,
        [["global", "global", "AE-2.01"], ["perl", "?", "AE-2.01"]]
    );
    let traced = prints(seed, &["trace"]);
    let expected = "global (global) -> perl\nperl (slave of global) -> global";
    assert_eq!(traced, expected);
}

#[test]
#[ignore = "needs Perl with AnyEvent::MP 2"]
fn a_network_of_both_kinds() {
    let node = Running::start(&["nodeid", "rust"]);
    let seed = &*node.address;
    let mut perl = Perl::start("perl", &[seed], false);
    perl.until_family("'g", &json!({"rust": null}));
    assert_eq!(prints(seed, &["nodes"]), "perl\nrust");
    let seen = prints(seed, &["trace"]);
    let lines: Vec<_> = seen.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0] == "perl (slave of rust) -> rust"
            && lines[1].starts_with("rust (global"),
        "{seen}"
    );
    assert_eq!(prints(seed, &["trace", "perl"]), seen);
    node.signal("-TERM");
    assert_eq!(node.end().0, Some(0));
    let down = perl.expect("down");
    assert_eq!(down[4], "Unexpected end-of-file", "{down}");
}

#[test]
#[ignore = "needs Perl with AnyEvent::MP 2"]
fn a_slave_of_a_perl_node_takes_its_entries_along() {
    let mut global = Perl::start("global", &[], true);
    let seeds = json!([global.address]).to_string();
    let node = Running::start(&["nodeid", "rust", "seeds", &seeds]);
    let both = json!({"global": [global.address], "rust": [node.address]});
    global.until_family("'l", &both);
    node.signal("-INT");
    assert_eq!(node.end().0, Some(0));
    global.until_family("'l", &json!({"global": [global.address]}));
}
