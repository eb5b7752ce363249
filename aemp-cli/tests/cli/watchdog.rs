//! `aemp run --restart`, and `aemp restart` for nodes under it.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixDatagram,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    SECRET,
    processes::{aemp, printed, until},
};

/// The settings of the node.
const GREEN: [&str; 4] = ["nodeid", "green", "binds", r#"["127.0.0.1:0"]"#];

/// A watchdog and its node. Both are gone when it is dropped: the node ends without its watchdog.
struct Watched {
    watchdog: Child,
    out: BufReader<ChildStdout>,
    address: String,
}

impl Watched {
    fn start(options: &[&str]) -> Self {
        let mut command = aemp(&["--json", "-v", "run", "--restart"]);
        command.args(options).args(GREEN);
        Self::of(&mut command)
    }

    fn of(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut watchdog = command.spawn().expect("the command starts");
        let out = watchdog.stdout.take().expect("it is piped");
        let mut watched = Self {
            watchdog,
            out: BufReader::new(out),
            address: String::new(),
        };
        watched.comes_up();
        watched
    }

    /// Waits until a node is ready.
    fn comes_up(&mut self) {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).expect("a document");
        self.address = told["listeners"][0].as_str().expect("a text").to_owned();
    }

    /// Sends a signal to the node, and waits until another one is ready.
    fn comes_back_from(&mut self, name: &str) {
        let first = self.node();
        signal(first, name);
        self.comes_up();
        assert_ne!(self.node(), first);
    }

    /// The process of the node.
    fn node(&self) -> u32 {
        let id = self.watchdog.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.expect("a list");
        let first = children.split_whitespace().next();
        first.expect("a child").parse().expect("a number")
    }

    /// Sends a signal to the watchdog, which ends in order. Returns its log.
    fn ends_by(self, name: &str) -> String {
        signal(self.watchdog.id(), name);
        let (status, log) = self.end();
        assert_eq!(status, Some(0), "{log}");
        log
    }

    /// The status and the log of the watchdog.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        let err = self.watchdog.stderr.as_mut().expect("it is piped");
        err.read_to_string(&mut log).expect("the log");
        (self.watchdog.wait().expect("it ends").code(), log)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
    }
}

fn signal(id: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &id.to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn a_node_that_crashes_comes_back_and_a_signal_ends_it_in_order() {
    let mut watched = Watched::start(&["on-failure"]);
    watched.comes_back_from("-KILL");
    let log = watched.ends_by("-TERM");
    assert!(
        log.contains("the node was ended by signal 9: it starts again in 0."),
        "{log}"
    );
    assert!(log.contains("green stops"), "{log}");
}

#[test]
fn a_node_that_hangs_is_killed_and_comes_back() {
    let mut watched = Watched::start(&["on-failure", "--heartbeat", "1"]);
    watched.comes_back_from("-STOP");
    let log = watched.ends_by("-INT");
    assert!(
        log.contains("the node gives no heartbeat: it is killed"),
        "{log}"
    );
}

#[test]
fn an_end_in_order_is_the_end_unless_the_node_is_to_run_always() {
    let watched = Watched::start(&["on-failure"]);
    signal(watched.node(), "-TERM");
    assert_eq!(watched.end().0, Some(0));
    let mut watched = Watched::start(&["always"]);
    watched.comes_back_from("-TERM");
    watched.ends_by("-TERM");
}

#[test]
fn a_node_is_restarted_from_afar() {
    let mut watched = Watched::start(&["on-failure"]);
    let first = watched.node();
    let asked = aemp(&["-s", &watched.address, "restart", "green"]).output();
    assert_eq!(printed(&asked.expect("it runs")), "green restarts");
    watched.comes_up();
    assert_ne!(watched.node(), first);
}

#[test]
fn a_node_without_a_watchdog_refuses_to_restart() {
    let running = crate::processes::Running::start(&["nodeid", "green"]);
    let asked = aemp(&["-s", &running.address, "restart", "green"]).output();
    let asked = asked.expect("it runs");
    assert_eq!(asked.status.code(), Some(1));
    let error = String::from_utf8_lossy(&asked.stderr);
    assert!(error.contains("this node would not come back"), "{error}");
}

#[test]
fn a_service_manager_is_told_by_the_status() {
    let mut command = aemp(&["--json", "run"]);
    command.args(GREEN);
    let mut node = Watched::of(command.env("AEMP_WATCHDOG", "service"));
    let asked = aemp(&["-s", &node.address, "restart", "green"]).output();
    assert_eq!(printed(&asked.expect("it runs")), "green restarts");
    assert_eq!(node.watchdog.wait().expect("it ends").code(), Some(75));
}

#[test]
fn systemd_hears_of_the_start_the_heart_and_the_end() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("notify");
    let ear = UnixDatagram::bind(&path).expect("a socket");
    ear.set_read_timeout(Some(Duration::from_secs(20)))
        .expect("it can be set");
    let hears = |expected: &str| {
        let mut text = [0; 64];
        loop {
            let length = ear.recv(&mut text).expect("a message");
            match std::str::from_utf8(&text[..length]).expect("a text") {
                "WATCHDOG=1" if expected != "WATCHDOG=1" => {}
                text => return assert_eq!(text, expected),
            }
        }
    };
    let mut command = aemp(&["--json", "run"]);
    command.args(GREEN);
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "20000");
    let node = Watched::of(&mut command);
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    signal(node.watchdog.id(), "-TERM");
    hears("STOPPING=1");
    assert_eq!(node.end().0, Some(0));
}

#[test]
fn a_mistake_in_the_configuration_ends_the_watchdog() {
    for arguments in [&["binds", "192.0.2.1:1"][..], &["nodied", "x"]] {
        let mut command = aemp(&["run", "--restart", "always"]);
        let output = command.args(arguments).output().expect("it runs");
        let expected = if arguments[0] == "binds" { 3 } else { 2 };
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{error}");
        assert_eq!(error.matches("error:").count(), 1, "{error}");
    }
}

#[test]
fn a_node_stops_when_its_watchdog_is_gone() {
    let watched = Watched::start(&["always"]);
    let process = format!("/proc/{}", watched.node());
    assert!(std::fs::exists(&process).expect("it can be asked"));
    signal(watched.watchdog.id(), "-KILL");
    let (_, log) = watched.end();
    assert!(
        log.contains("the watchdog has ended") && log.contains("green stops"),
        "{log}"
    );
    until(|| !std::fs::exists(&process).expect("it can be asked"));
}

#[test]
fn each_process_gets_the_secret_of_standard_input() {
    let mut command = aemp(&[
        "--json",
        "-v",
        "--secret",
        "-",
        "run",
        "--restart",
        "on-failure",
    ]);
    command
        .args(GREEN)
        .env_remove("AEMP_SECRET")
        .stdin(Stdio::piped());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watchdog = command.spawn().expect("it starts");
    let mut input = watchdog.stdin.take().expect("it is piped");
    writeln!(input, "{SECRET}").expect("it is read");
    drop(input);
    let out = BufReader::new(watchdog.stdout.take().expect("it is piped"));
    let address = String::new();
    let mut watched = Watched {
        watchdog,
        out,
        address,
    };
    watched.comes_up();
    signal(watched.node(), "-KILL");
    watched.comes_up();
    let asked = aemp(&["-s", &watched.address, "cal", "green", "time"]).output();
    printed(&asked.expect("it runs"));
}

#[test]
fn a_restart_is_no_part_of_a_chain() {
    let dir = TempDir::new().expect("a directory");
    let mut command = aemp(&["gensecret", "run", "--restart", "always"]);
    let output = command
        .env("PERL_ANYEVENT_MP_RC", dir.path().join("rc"))
        .output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("no other commands may stand before it"),
        "{error}"
    );
}
