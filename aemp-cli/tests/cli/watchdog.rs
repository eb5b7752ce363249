//! `aemp run --restart`, and `aemp restart` for nodes under it.
#![cfg(target_os = "linux")]

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    SECRET,
    processes::{aemp, printed, signal, until},
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
fn a_node_that_permits_a_restart_and_nothing_else_is_restarted() {
    let mut command = aemp(&["--json", "-v", "run", "--restart", "on-failure"]);
    command.args(GREEN).args(["allow", "*=Aemp::restart"]);
    let mut watched = Watched::of(&mut command);
    let asked = aemp(&["-s", &watched.address, "restart", "green"]).output();
    assert_eq!(printed(&asked.expect("it runs")), "green restarts");
    watched.comes_up();
}

/// Neither is the request lost, nor does the signal end the next process before that catches it.
#[test]
fn a_restart_and_a_signal_at_once() {
    let mut watched = Watched::start(&["on-failure"]);
    let mut asked = aemp(&["-s", &watched.address, "restart", "green"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut times = 0;
    while asked.try_wait().expect("it runs").is_none() || times < 30 {
        signal(watched.watchdog.id(), "-USR1");
        times += 1;
        thread::sleep(Duration::from_millis(10));
    }
    watched.comes_up();
    let log = watched.ends_by("-TERM");
    assert_eq!(log.matches("it starts again").count(), 1, "{log}");
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

/// A service manager that hears of a process.
struct Manager {
    socket: PathBuf,
    heard: mpsc::Receiver<String>,
    _dir: TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let socket = dir.path().join("notify");
        let ear = UnixDatagram::bind(&socket).expect("a socket");
        let (tell, heard) = mpsc::channel();
        // Its queue must not fill up.
        thread::spawn(move || {
            let mut text = [0; 64];
            while let Ok(length) = ear.recv(&mut text) {
                let text = String::from_utf8_lossy(&text[..length]);
                if tell.send(text.into_owned()).is_err() {
                    break;
                }
            }
        });
        let _dir = dir;
        Self {
            socket,
            heard,
            _dir,
        }
    }

    /// Starts a process that must give a heartbeat within 20 ms.
    fn starts(&self, command: &mut Command) -> Watched {
        command
            .env("NOTIFY_SOCKET", &self.socket)
            .env("WATCHDOG_USEC", "20000");
        Watched::of(command)
    }

    /// Waits for a message. Only heartbeats come before it.
    fn hears(&self, expected: &str) {
        loop {
            let text = self.heard.recv_timeout(Duration::from_secs(20));
            match text.expect("a message").as_str() {
                "WATCHDOG=1" if expected != "WATCHDOG=1" => {}
                text => return assert_eq!(text, expected),
            }
        }
    }
}

/// The heartbeats of the watchdog are its own: those of its node come each 150 seconds.
#[test]
fn systemd_hears_of_the_start_the_heart_and_the_end() {
    for options in [&[][..], &["--restart", "on-failure"]] {
        let manager = Manager::new();
        let mut command = aemp(&["--json", "run"]);
        let node = manager.starts(command.args(options).args(GREEN));
        manager.hears("READY=1");
        for _ in 0..3 {
            manager.hears("WATCHDOG=1");
        }
        signal(node.watchdog.id(), "-TERM");
        manager.hears("STOPPING=1");
        assert_eq!(node.end().0, Some(0));
    }
}

#[test]
fn each_process_is_heard_by_itself() {
    let mut watched = Watched::start(&["on-failure"]);
    let socket = |process: u32| {
        let all = std::fs::read(format!("/proc/{process}/environ")).expect("it is ours");
        let mut all = all.split(|octet| *octet == 0);
        let named = all.find(|variable| variable.starts_with(b"NOTIFY_SOCKET="));
        named.expect("it is set").to_vec()
    };
    let first = socket(watched.node());
    watched.comes_back_from("-KILL");
    assert_ne!(socket(watched.node()), first);
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
    let dir = TempDir::new().expect("a directory");
    let secret = dir.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("it is written");
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
        .stdin(File::open(&secret).expect("it is there"));
    let mut watched = Watched::of(&mut command);
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
