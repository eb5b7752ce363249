//! `aemp tap`.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use crate::processes::{Running, aemp, printed};

/// A running `aemp tap`, which is ended with the test.
struct Tapping(Child);

impl Tapping {
    fn start(node: &Running, args: &[&str]) -> (Self, BufReader<ChildStdout>) {
        let mut tap = aemp(&["-s", &node.address]);
        let tap = tap.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = tap.spawn().expect("it starts");
        let out = BufReader::new(process.stdout.take().expect("it is piped"));
        (Self(process), out)
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut error = String::new();
        let stderr = self.0.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut error).expect("text");
        let status = self.0.wait().expect("it ends");
        (status.code(), error)
    }
}

impl Drop for Tapping {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn messages_of_a_port_are_shown() {
    let node = Running::start(&["nodeid", "green", "services", "Aemp::echo"]);
    let ask = |args: &[&str]| {
        let mut command = aemp(&["-s", &node.address]);
        printed(&command.args(args).output().expect("the command runs"))
    };
    let port = ask(&["spawn", "green", "Aemp::echo"]);
    let name = port.split_once('#').expect("a port ID").1;
    let (text, mut out) = Tapping::start(&node, &["tap", &port, "--tag", "hello", "--count", "2"]);
    let (json, mut documents) =
        Tapping::start(&node, &["--json", "tap", "green", "--tag", "hello"]);
    // The taps are open when the first message is shown.
    let mut line = String::new();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let reader = std::thread::spawn(move || {
        out.read_line(&mut line).expect("a line");
        let mut second = String::new();
        out.read_line(&mut second).expect("a line");
        line
    });
    while !reader.is_finished() {
        assert!(std::time::Instant::now() < deadline, "nothing was shown");
        ask(&["cal", &port, "hello", "[1,{\"a\":null}]"]);
        ask(&["cal", &port, "other"]);
    }
    let line = reader.join().expect("no panic");
    let (time, rest) = line.split_once(' ').expect("a time");
    assert!(time.ends_with('Z'), "{line}");
    assert!(rest.starts_with("RCV aemp/"), "{line}");
    let message = format!(" {name} [\"hello\",[1,{{\"a\":null}}],\"aemp/");
    assert!(rest.contains(&message), "{line}");
    assert_eq!(text.end(), (Some(0), String::new()));
    // The whole node: the call, and the echo's answer, which has the same tag.
    let mut document = String::new();
    documents.read_line(&mut document).expect("a line");
    let document: Value = serde_json::from_str(&document).expect("a document");
    assert_eq!(document["message"][0], "hello");
    assert_eq!(document["message"][1], json!([1, { "a": null }]));
    // A node that is lost ends the command.
    node.signal("-TERM");
    let (status, error) = json.end();
    assert_eq!(status, Some(1), "{error}");
    assert!(error.contains("transport_error"), "{error}");
}

#[test]
fn a_node_may_not_be_tapped() {
    let node = Running::start(&["nodeid", "green", "secure", "1"]);
    let (tap, _) = Tapping::start(&node, &["--timeout", "0.5", "tap", "green"]);
    let (status, error) = tap.end();
    assert_eq!(status, Some(1), "{error}");
    assert!(error.contains("does not allow Aemp::tap"), "{error}");
}
