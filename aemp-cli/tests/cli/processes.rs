//! `aemp run`, and commands while nodes come and go.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::SECRET;

pub(crate) fn aemp(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aemp"));
    command
        .args(args)
        .env("PERL_ANYEVENT_MP_RC", "/nowhere/rc")
        .env_remove("AEMP_SEEDS")
        .env_remove("RUST_LOG")
        .env_remove("AE_VERBOSE")
        .env_remove("PERL_ANYEVENT_VERBOSE")
        .env_remove("AE_MP_TRACE")
        .env_remove("AEMP_WATCHDOG")
        .env_remove("NOTIFY_SOCKET")
        .env("AEMP_SECRET", SECRET)
        .stdin(Stdio::null());
    command
}

/// A node that `aemp run` runs. Killed when dropped.
pub(crate) struct Running {
    process: Child,
    id: String,
    pub(crate) address: String,
    log: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = aemp(&["--json", "-v", "run"]);
        command.args(args).args(["binds", r#"["127.0.0.1:0"]"#]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the command starts");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it tells");
        let log = BufReader::new(process.stderr.take().expect("it is piped"));
        let told: Value = serde_json::from_str(&line).expect("a document");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            process,
            id: text(&told["node"]),
            address: text(&told["listeners"][0]),
            log,
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.process.id(), name);
    }

    /// Waits for a line of the log that contains `text`.
    fn logs(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.log.read_line(&mut line).expect("a line");
            assert_ne!(read, 0, "the log ends without {text:?}");
        }
    }

    /// The exit status, and the rest of the log.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).expect("the log");
        let status = self.process.wait().expect("it ends");
        (status.code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
}

fn ask(node: &Running, args: &[&str]) -> Output {
    let mut command = aemp(&["-s", &node.address]);
    command.args(args).output().expect("the command runs")
}

pub(crate) fn printed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// A command that has spawned a port on the node and waits for its end; the port's ID.
fn waiting(node: &Running) -> (Child, BufReader<ChildStdout>, String) {
    let mut wait = aemp(&[
        "-s",
        &node.address,
        "spawn",
        "--wait",
        "green",
        "Aemp::echo",
    ]);
    let mut wait = wait.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = BufReader::new(wait.stdout.take().expect("it is piped"));
    let mut port = String::new();
    out.read_line(&mut port).expect("the port's ID");
    (wait, out, port.trim_end().to_owned())
}

#[test]
fn a_node_stops_in_order_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let node = Running::start(&["nodeid", "green"]);
        assert_eq!(node.id, "green");
        let (mut wait, mut out, _) = waiting(&node);
        node.signal(signal);
        let (status, log) = node.end();
        assert_eq!(status, Some(0), "{log}");
        assert!(log.contains("green stops"), "{log}");
        let mut reason = String::new();
        out.read_to_string(&mut reason).expect("the reason");
        assert_eq!(
            reason, "normal\n",
            "the port has ended normally, before the connection"
        );
        assert_eq!(wait.wait().expect("it ends").code(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_a_node_at_once() {
    let mut node = Running::start(&["nodeid", "green"]);
    // A peer that asks for much and reads nothing, so that the node has something to wait for.
    let mut peer = TcpStream::connect(&node.address).expect("it listens");
    let secret: String = SECRET.bytes().map(|octet| format!("{octet:02x}")).collect();
    write!(
        peer,
        "aemp;1;raw;hmac_sha3_512;json\nnonce\ncleartext;{secret};json\n"
    )
    .expect("it reads");
    node.logs("raw is up");
    let text = "x".repeat(1 << 20);
    peer.set_write_timeout(Some(Duration::from_millis(100)))
        .expect("it can be set");
    while write!(peer, r#"["","snd","raw#port","{text}"]"#).is_ok() {}
    node.signal("-TERM");
    node.logs("green stops");
    node.signal("-TERM");
    let (status, log) = node.end();
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("a second signal ended the node"), "{log}");
}

#[test]
fn an_echo_port_answers() {
    let node = Running::start(&["nodeid", "green", "services", "Aemp::echo"]);
    let port = printed(&ask(&node, &["spawn", "green", "Aemp::echo"]));
    let echo = ask(&node, &["cal", &port, "hello", "5", r#"{"a":[1,2.5]}"#]);
    assert_eq!(printed(&echo), r#""hello","5",{"a":[1,2.5]}"#);
}

#[test]
fn waiting_for_a_spawned_port() {
    let node = Running::start(&["nodeid", "green"]);
    let (mut wait, mut out, port) = waiting(&node);
    let name = port.rsplit('#').next().expect("a name");
    printed(&ask(
        &node,
        &["snd", "green", "kil1", name, "enough", "of it"],
    ));
    let mut reason = String::new();
    out.read_to_string(&mut reason).expect("the reason");
    assert_eq!(reason, "enough of it\n");
    assert_eq!(wait.wait().expect("it ends").code(), Some(0));
}

#[test]
fn options_come_before_the_file_and_pairs_after_it() {
    let dir = TempDir::new().expect("a directory");
    let rc = dir.path().join("rc");
    std::fs::write(
        &rc,
        r#"{"secret":"of the file","profile":{"p":{"nodeid":"file"}}}"#,
    )
    .expect("it is written");
    let mut command = aemp(&["--json", "--secret", SECRET, "run", "p", "nodeid", "pair"]);
    command.args(["binds", r#"["127.0.0.1:0"]"#, "secret", "of the pair"]);
    command
        .env("PERL_ANYEVENT_MP_RC", &rc)
        .env_remove("AEMP_SECRET");
    let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let out = process.stdout.as_mut().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("it tells");
    let told: Value = serde_json::from_str(&line).expect("a document");
    let address = told["listeners"][0].as_str().expect("an address");
    let asked = aemp(&["-s", address, "cal", "file", "time"]).output();
    process.kill().expect("it runs");
    process.wait().expect("it ends");
    assert_eq!(told["node"], "file");
    printed(&asked.expect("the command runs"));
}

#[test]
fn a_node_says_where_it_listens_and_which_value_wins() {
    let dir = TempDir::new().expect("a directory");
    let rc = dir.path().join("rc");
    let file = r#"{"binds":["127.0.0.1:0"],"services":["My::Perl::run"]}"#;
    std::fs::write(&rc, file).expect("it is written");
    let mut command = aemp(&["run", "nodeid", "green", "binds", "127.0.0.1:1"]);
    command.env("PERL_ANYEVENT_MP_RC", &rc);
    let mut process = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut log = BufReader::new(process.stderr.take().expect("it is piped"));
    let (mut text, mut line) = (String::new(), String::new());
    while !line.contains("green listens on 127.0.0.1:") {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("a line"), 0, "{text}");
        text.push_str(&line);
    }
    process.kill().expect("it runs");
    process.wait().expect("it ends");
    let rc = rc.display();
    let warning = format!(
        "warning: binds: the value of the command line is not used, but that of {rc}:1:10: top level"
    );
    assert!(text.starts_with(&warning), "{text}");
    assert!(
        text.contains(r#"the service "My::Perl::run" is left out"#),
        "{text}"
    );
    let mut strict = aemp(&["run", "--strict", "nodeid", "green"]);
    let output = strict.env("PERL_ANYEVENT_MP_RC", format!("{rc}")).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("there is no such init function"), "{error}");
}

/// A command that has had an entry set, here or at another node, and keeps it.
fn setting(node: &Running, args: &[&str]) -> Child {
    let mut set = aemp(&["-s", &node.address, "db", "set"]);
    let mut set = set.args(args).stdout(Stdio::piped()).spawn();
    let set = set.as_mut().expect("it starts");
    let mut out = BufReader::new(set.stdout.take().expect("it is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "lights attic is set\n");
    std::mem::replace(set, Command::new("true").spawn().expect("true is there"))
}

/// Ends a command by a signal.
fn interrupt(mut command: Child) {
    signal(command.id(), "-INT");
    assert_eq!(command.wait().expect("it ends").code(), Some(0));
}

#[test]
fn entries_that_a_node_has_for_a_command() {
    let node = Running::start(&["nodeid", "green", "services", "AnyEvent::MP::Global"]);
    let mut watch = aemp(&["-s", &node.address, "db", "watch", "lights", "--count", "5"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = BufReader::new(watch.stdout.take().expect("it is piped"));
    let value = r#"{"on":true}"#;
    let set = |value| setting(&node, &["--on", "green", "lights", "attic", value]);
    let keys = || printed(&ask(&node, &["db", "keys", "lights"]));
    let first = set(value);
    assert_eq!(
        printed(&ask(&node, &["db", "get", "lights", "attic"])),
        value
    );
    printed(&ask(
        &node,
        &["db", "del", "--on", "green", "lights", "hall", "attic"],
    ));
    assert_eq!(keys(), "");
    interrupt(first);
    // It goes with the command that has asked for it, and with no other.
    let second = set("late");
    printed(&ask(
        &node,
        &[
            "db", "set", "--on", "green", "--for", "0.01", "lights", "hall",
        ],
    ));
    until(|| keys() == "attic");
    interrupt(second);
    until(|| keys().is_empty());
    // The number of changes that the watcher sees one by one depends on the time at which it began.
    while watch.try_wait().expect("it runs").is_none() {
        interrupt(set("late"));
    }
    let mut seen = String::new();
    out.read_to_string(&mut seen).expect("lines");
    assert!(
        seen.contains("+ attic \"late\"\n") && seen.contains("- attic\n"),
        "{seen:?}"
    );
}

#[test]
fn entries_of_a_running_node_stay() {
    let services = r#"["AnyEvent::MP::Global",["Aemp::db_set","lights","attic","on"]]"#;
    let node = Running::start(&["nodeid", "green", "services", services]);
    until(|| printed(&ask(&node, &["db", "keys", "lights"])) == "attic");
    let taken = ask(&node, &["db", "set", "--on", "green", "lights", "attic"]);
    let error = String::from_utf8_lossy(&taken.stderr);
    assert!(
        error.contains("the key is set by this node itself"),
        "{error}"
    );
    assert_eq!(
        printed(&ask(&node, &["db", "get", "lights", "attic"])),
        r#""on""#
    );
}

#[test]
fn an_entry_is_there_until_its_command_ends() {
    let node = Running::start(&["nodeid", "green", "services", "AnyEvent::MP::Global"]);
    let set = setting(&node, &["lights", "attic", "off"]);
    let keys = || printed(&ask(&node, &["db", "keys", "lights"]));
    until(|| keys() == "attic");
    interrupt(set);
    until(|| keys().is_empty());
}

#[test]
fn echo_ports_are_registered() {
    let node = Running::start(&["nodeid", "green", "services", r#"["Aemp::echo"]"#]);
    let port = printed(&ask(&node, &["db", "keys", "aemp_echo"]));
    assert!(port.starts_with("green#"), "{port:?}");
    assert_eq!(printed(&ask(&node, &["cal", &port, "hello"])), r#""hello""#);
}

/// Asks again and again until the answer is yes.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "it has not come in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_picture_of_the_network() {
    let node = Running::start(&["nodeid", "green", "services", "AnyEvent::MP::Global"]);
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("network.svg");
    let name = file.to_str().expect("a text");
    let output = ask(&node, &["trace", "green", "--svg", name]);
    assert_eq!(printed(&output), "");
    let note = String::from_utf8_lossy(&output.stderr);
    assert_eq!(note, format!("{name}: 1 node, 0 connections\n"));
    let svg = std::fs::read_to_string(&file).expect("it is written");
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    assert!(svg.contains(">1 node, 1 global, 0 connections<"), "{svg}");
}
