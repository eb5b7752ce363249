//! The reference's command against a Rust node.

use std::{env, fs, path::PathBuf, process::Stdio};

use aemp::Node;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

use crate::{
    common::{Inbox, SECRET, soon, until},
    counter,
    perl::{self, Perl},
    rust,
};

/// The reference's command, which is a Perl script named `aemp`, or `aemp-perl` beside another of that name.
fn command() -> Option<PathBuf> {
    if !perl::is_there() {
        return None;
    }
    let path = env::var_os("PATH")?;
    let mut candidates =
        env::split_paths(&path).flat_map(|dir| [dir.join("aemp-perl"), dir.join("aemp")]);
    let is_perl = |file: &PathBuf| {
        let text = fs::read(file).unwrap_or_default();
        let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(first).contains("perl")
    };
    let found = candidates.find(is_perl);
    if found.is_none() {
        perl::skip("there is no `aemp` of AnyEvent::MP here");
    }
    found
}

/// A Rust node, and the command with that node as its seed.
struct Scene {
    node: Node,
    command: PathBuf,
    config: tempfile::NamedTempFile,
}

impl Scene {
    async fn new() -> Option<Self> {
        let command = command()?;
        let node = rust().start().await.unwrap();
        let config = tempfile::NamedTempFile::new().unwrap();
        let settings = serde_json::json!({
            "secret": SECRET,
            "seeds": node.listeners(),
            "binds": ["127.0.0.1:*"],
        });
        fs::write(config.path(), settings.to_string()).unwrap();
        Some(Self {
            node,
            command,
            config,
        })
    }

    fn run(&self, args: &[&str]) -> Command {
        let mut command = Command::new("perl");
        command.arg(&self.command).args(args);
        command.env("PERL_ANYEVENT_MP_RC", self.config.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the command to its end. Returns its output.
    async fn prints(&self, args: &[&str]) -> String {
        let out = soon(self.run(args).output()).await.unwrap();
        String::from_utf8(out.stdout).unwrap()
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn snd() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let mut inbox = Inbox::new(&scene.node);
    let sent = scene
        .prints(&["snd", inbox.id.as_str(), "hello", "[1]"])
        .await;
    assert_eq!(sent.trim_end(), "message sent successfully");
    let message = inbox.next().await;
    assert_eq!(message[0], "hello".into());
    assert_eq!(message[1].as_array().unwrap().len(), 1);
    let lost = scene.prints(&["snd", "rust#nobody", "hello"]).await;
    // The death and the echo that the command asks for may arrive in one read; then it shows the later one.
    let shown = ["no_such_port cannot monitor", "message sent successfully"];
    assert!(shown.iter().any(|text| lost.starts_with(text)), "{lost}");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn cal() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let port = scene.node.port(counter(42)).id();
    scene.prints(&["snd", port.as_str(), "inc", "1"]).await;
    let answer = scene.prints(&["cal", port.as_str(), "get"]).await;
    assert_eq!(answer.trim_end(), "43");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn mon() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let inbox = Inbox::new(&scene.node);
    let running = scene.run(&["mon", inbox.id.as_str()]).spawn().unwrap();
    until(|| !scene.node.up_nodes().is_empty()).await;
    // True if it has set its monitor yet or not, it hears of the death.
    scene.node.kil(&inbox.id, aemp::msg!["all", "over"]);
    let out = soon(running.wait_with_output()).await.unwrap();
    let out = String::from_utf8(out.stdout).unwrap();
    let heard = ["all over", "no_such_port cannot monitor"];
    assert!(heard.iter().any(|reason| out.starts_with(reason)), "{out}");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn trace() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let seen = scene.prints(&["trace", "rust"]).await;
    assert!(
        seen.lines().any(|line| line.starts_with("rust -> ")),
        "{seen}"
    );
    assert!(!seen.contains("timeout"), "{seen}");
}

/// The command works in a network that it knows through our node only, which it makes global.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_whole_network() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let mut perl = Perl::start("perl", &scene.node.listeners()).await.unwrap();
    perl.expect("up").await;
    let inbox = perl.inbox().await;
    let sent = scene.prints(&["snd", &inbox, "hello", "1"]).await;
    assert_eq!(sent.trim_end(), "message sent successfully");
    assert_eq!(perl.expect("got").await[1..], ["hello", "1"]);
    let died = scene.prints(&["mon", "nobody#port"]).await;
    assert_eq!(died.trim_end(), "transport_error nobody no known address");
    let seen = scene.prints(&["trace", "perl"]).await;
    for line in ["perl -> rust", "rust -> perl"] {
        assert!(seen.lines().any(|seen| seen == line), "{seen}");
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn shell() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let mut shell = scene.run(&["shell", "rust"]);
    let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let mut output = BufReader::new(shell.stdout.take().unwrap()).lines();
    // One line at a time: the shell sees no second one that comes with the first.
    input.write_all(b"=\n").await.unwrap();
    let nodes = loop {
        let line = soon(output.next_line()).await.unwrap().unwrap();
        if let Some(nodes) = line.strip_prefix("nodes: ") {
            break nodes.trim_end().to_owned();
        }
    };
    input.write_all(b"1 + 1\n").await.unwrap();
    while !soon(output.next_line())
        .await
        .unwrap()
        .unwrap()
        .contains("evaluates no code")
    {}
    let nodes: Vec<_> = nodes.split(' ').collect();
    assert!(
        nodes.len() == 2 && nodes[0].starts_with("aemp/") && nodes[1] == "rust",
        "{nodes:?}"
    );
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn eval() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let out = soon(
        scene
            .run(&["eval", "rust", "1"])
            .stderr(Stdio::piped())
            .output(),
    )
    .await;
    let out = out.unwrap();
    assert_eq!(out.status.code(), Some(255));
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(text.contains("evaluates no code"), "{text}");
}
