//! `aemp logs`, and the log of a node itself.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Stdio},
};

use aemp::Shown;
use serde_json::Value;

use crate::processes::{Running, aemp, printed, signal, until};

/// A running `aemp logs`.
struct Following {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Following {
    fn start(node: &Running, args: &[&str]) -> Self {
        let mut logs = aemp(&["-s", &node.address]);
        let logs = logs
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut process = logs.spawn().expect("it starts");
        let out = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, out }
    }

    /// Ends it as a user does.
    fn interrupt(&mut self) {
        signal(self.process.id(), "-INT");
        assert_eq!(self.process.wait().expect("it ends").code(), Some(0));
    }

    /// The lines that have not been read.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        rest
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        assert!(line.ends_with('\n'), "{line:?}");
        line.trim_end().to_owned()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ask(node: &Running, args: &[&str]) {
    let mut command = aemp(&["-s", &node.address]);
    printed(&command.args(args).output().expect("the command runs"));
}

/// Makes the node log a line: it does not know the function.
fn complain(node: &Running, function: &str) {
    ask(node, &["snd", "green", function]);
}

#[test]
fn lines_of_a_node_are_followed() {
    let node = Running::start(&["nodeid", "green", "services", "AnyEvent::MP::Global"]);
    complain(&node, "Test::one");
    // From the history, and then live.
    let args = ["--json", "logs", "-l", "warn", "--since", "1h", "green"];
    let mut all = Following::start(&node, &args);
    let document: Value = serde_json::from_str(&all.line()).expect("a document");
    assert_eq!(
        (&document["node"], &document["level"]),
        (&"green".into(), &"warn".into())
    );
    assert_eq!(document["target"], "aemp::node::log");
    assert!(document["time"].as_f64().expect("a number") > 1.7e9);
    let text = |document: &Value| document["text"].as_str().expect("a text").to_owned();
    assert!(
        text(&document).contains("unable to resolve function 'Test::one'"),
        "{document}"
    );
    complain(&node, "Test::two");
    let document: Value = serde_json::from_str(&all.line()).expect("a document");
    assert!(text(&document).contains("'Test::two'"), "{document}");
    // A text that is no good for terminals.
    complain(&node, "Test::\u{9b}2J");
    let line = all.line();
    assert!(
        !line.chars().any(Shown::escapes) && line.contains("u009b2J"),
        "{line:?}"
    );
    all.interrupt();
}

#[test]
fn as_text_and_chosen_by_target() {
    let node = Running::start(&["nodeid", "green", "services", "AnyEvent::MP::Global"]);
    let args = "logs -l warn --grep node::log --grep nowhere --count 2 g*n";
    let args = args.split(' ').collect::<Vec<_>>();
    let mut some = Following::start(&node, &[&["--color", "always"], &args[..]].concat());
    let nothing = ["logs", "--grep", "nowhere", "--level", "trace"];
    let mut nothing = Following::start(&node, &nothing);
    until(|| {
        complain(&node, "Test::text");
        some.process.try_wait().expect("it runs").is_some()
    });
    let lines = [some.line(), some.line()];
    let of_text = lines
        .iter()
        .find(|line| line.contains("Test::text"))
        .expect("a line");
    let (time, rest) = of_text.split_once(' ').expect("a time");
    assert!(time.starts_with("20") && time.ends_with('Z'), "{of_text}");
    assert!(
        rest.starts_with("\u{1b}[33mwarn    \u{1b}[0m \u{1b}["),
        "{rest:?}"
    );
    assert!(
        rest.contains("mgreen\u{1b}[0m aemp::node::log: "),
        "{rest:?}"
    );
    // A line that is not wanted does not count.
    assert!(nothing.process.try_wait().expect("it runs").is_none());
    nothing.interrupt();
    assert_eq!(nothing.rest(), "");
}

#[test]
fn variables_choose_the_log_of_a_node() {
    let log = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = aemp(&["--json"]);
        command
            .args(args)
            .args(["run", "nodeid", "green", "binds", r#"["127.0.0.1:0"]"#]);
        command.envs(variables.iter().copied());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let out = process.stdout.as_mut().expect("it is piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it tells");
        signal(process.id(), "-TERM");
        let output = process.wait_with_output().expect("it ends");
        String::from_utf8(output.stderr).expect("text")
    };
    let stops = "green stops";
    assert!(!log(&[], &[]).contains(stops));
    assert!(
        log(&[("RUST_LOG", "aemp_cli=info")], &[])
            .contains("INFO aemp_cli::cmd::run::node: green stops")
    );
    assert!(!log(&[("RUST_LOG", "aemp_cli=warn,other=trace")], &[]).contains(stops));
    assert!(log(&[("AE_VERBOSE", "7")], &[]).contains(stops));
    assert!(!log(&[("AE_VERBOSE", "5")], &[]).contains(stops));
    // The option is more than the variables, and RUST_LOG more than AE_VERBOSE.
    assert!(log(&[("RUST_LOG", "off")], &["-v"]).contains(stops));
    assert!(!log(&[("RUST_LOG", "off"), ("AE_VERBOSE", "9")], &[]).contains(stops));
    let odd = log(&[("RUST_LOG", "a=b=c")], &[]);
    assert!(
        odd.starts_with("warning: RUST_LOG: ") || odd.is_empty(),
        "{odd}"
    );
}

#[test]
fn messages_are_traced() {
    let mut command = aemp(&["--json", "run", "nodeid", "green"]);
    command.args(["binds", r#"["127.0.0.1:0"]"#, "services", "Aemp::echo"]);
    command.env("AE_MP_TRACE", "1");
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let out = process.stdout.as_mut().expect("it is piped");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("it tells");
    let told: Value = serde_json::from_str(&line).expect("a document");
    let address = told["listeners"][0].as_str().expect("an address");
    let mut asked = aemp(&["-s", address, "cal", "green", "time"]);
    let asked = asked.env("AE_MP_TRACE", "1").output();
    let asked = asked.expect("the command runs");
    printed(&asked);
    let own = String::from_utf8_lossy(&asked.stderr);
    let sends = |line: &str| line.contains("TRACE SND [\"time\"") && line.contains(" node=green");
    assert!(own.lines().any(sends), "{own}");
    signal(process.id(), "-TERM");
    let output = process.wait_with_output().expect("it ends");
    let log = String::from_utf8(output.stderr).expect("text");
    let traced = |way: &str, tag: &str| {
        log.lines()
            .any(|line| line.contains(way) && line.contains(tag))
    };
    assert!(traced("TRACE RCV [\"time\",", " node=aemp/"), "{log}");
    assert!(traced("TRACE SND [1", " node=aemp/"), "{log}");
}
