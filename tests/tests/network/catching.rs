//! The log catcher: lines of other nodes. All nodes of a test have the subscriber of its thread.

mod raw_catcher;

use std::{fmt, time::Duration};

use aemp::{
    Node, args,
    logs::{self, CatchLogs, LogLevel, LogLine, LogStream},
    msg,
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::{
    common::{Inbox, SECRET, soon, until},
    logs::Logs,
    nodes::{address, listening, pair, start},
};

/// A subscriber of this thread with the layer alone.
fn layer() -> DefaultGuard {
    let subscriber = Registry::default().with(logs::layer());
    tracing::subscriber::set_default(subscriber)
}

fn history() -> DefaultGuard {
    let layer = logs::layer_with_history(LogLevel::Info, 10);
    tracing::subscriber::set_default(Registry::default().with(layer))
}

/// The next line that the test itself has logged.
async fn next(lines: &mut LogStream) -> LogLine {
    loop {
        let line = soon(lines.next()).await.expect("the node lives");
        if line.target.starts_with("test") {
            return line;
        }
    }
}

/// Logs until a line arrives: the first ones may be logged before the node has asked for them.
async fn caught(lines: &mut LogStream) {
    let logging = async {
        loop {
            tracing::error!(target: "start", "caught?");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let start =
        async { while soon(lines.next()).await.expect("the node lives").target != "start" {} };
    tokio::select! {
        () = logging => {}
        () = start => {}
    }
}

#[tokio::test]
async fn lines_of_the_level_and_more_urgent_ones_arrive() {
    let _layer = layer();
    let (a, b) = pair().await;
    let mut lines = a.catch_logs(LogLevel::Info);
    caught(&mut lines).await;
    tracing::debug!(target: "test", "too detailed");
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    tracing::info!(target: "test::part", answer = 42, name = "x", shown = %"y", "the text");
    tracing::warn!(target: "test", only = true);
    tracing::error!(target: "test", "an error\nof two lines");
    let line = next(&mut lines).await;
    assert_eq!((&line.node, line.level), (b.id(), LogLevel::Info));
    assert_eq!(line.target, "test::part");
    assert_eq!(line.text, r#"the text answer=42 name="x" shown=y"#);
    assert!((line.time - before).abs() < 60.0);
    let line = next(&mut lines).await;
    assert_eq!((line.level, &*line.text), (LogLevel::Warn, "only=true"));
    let line = next(&mut lines).await;
    let text = "an error\nof two lines";
    assert_eq!((line.level, &*line.text), (LogLevel::Error, text));
}

struct Unprintable;

impl fmt::Debug for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Debug")
    }
}

/// Writes text without end.
struct Endless;

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("\u{e4}")?;
        }
    }
}

#[tokio::test]
async fn fields_may_panic_and_be_endless() {
    let _layer = layer();
    let (a, _b) = pair().await;
    let mut lines = a.catch_logs(LogLevel::Info);
    caught(&mut lines).await;
    tracing::info!(target: "test", first = 1, odd = ?Unprintable, "text");
    tracing::info!(target: "test", odd = ?Endless, "text");
    tracing::info!(target: "test", "{:?}", Endless);
    let line = next(&mut lines).await;
    let text = "text first=1 odd= (a field cannot be shown: panicked: in Debug)";
    assert_eq!(line.text, text);
    let line = next(&mut lines).await;
    assert!(line.text.starts_with("text odd=\u{e4}") && line.text.ends_with("..."));
    assert!(line.text.len() <= 8 << 10);
    let line = next(&mut lines).await;
    assert!(line.text.len() > 8000 && line.text.len() <= 8 << 10);
}

/// At the most detailed level, nothing that the passing of a line causes is a line.
#[tokio::test]
async fn no_line_causes_another_one() {
    let _layer = layer();
    let (a, _b) = pair().await;
    let mut lines = a.catch_logs(LogLevel::Trace);
    caught(&mut lines).await;
    // The lines of the beginning.
    tracing::trace!(target: "test", "start");
    next(&mut lines).await;
    for n in 0..100 {
        tracing::trace!(target: "test", n);
        let line = soon(lines.next()).await.unwrap();
        assert_eq!(line.text, format!("n={n}"), "{line}");
    }
}

/// Three nodes that catch from each other: lines of one that another one logs come no further.
#[tokio::test]
async fn lines_of_other_nodes_are_not_passed_on() {
    let layer = Registry::default().with(logs::layer());
    let logs = Logs::catch_with(layer);
    let a = start(listening("a")).await;
    let b = listening("b").seed(address(&a));
    let b = start(b.service(logs::CATCH, args![9])).await;
    let c = listening("c").seed(address(&a));
    let c = start(c.service(logs::CATCH, args!["trace"])).await;
    soon(a.until_up("b")).await;
    soon(a.until_up("c")).await;
    let mut lines = a.catch_logs(CatchLogs::from(LogLevel::Trace).nodes("c"));
    caught(&mut lines).await;
    // A line of the program is logged here, and once each by b and c, which get it from one of the others.
    let mut probes = 0;
    until(|| {
        let all = logs.count(&format!("probe {probes}.")) == 1 + 2;
        if !all {
            probes += 1;
            tracing::warn!(target: "test", "probe {probes}.");
        }
        all
    })
    .await;
    while !next(&mut lines)
        .await
        .text
        .ends_with(&format!("probe {probes}."))
    {}
    tracing::warn!(target: "test", "the only one");
    until(|| logs.count("the only one") == 1 + 2).await;
    assert_eq!(next(&mut lines).await.text, "the only one");
    tracing::warn!(target: "test", "the last one");
    loop {
        let line = soon(lines.next()).await.unwrap();
        assert_ne!(line.target, logs::CAUGHT, "{line}");
        if line.text == "the last one" {
            break;
        }
    }
    assert_eq!(logs.count("the only one"), 3);
    for node in [&a, &b, &c] {
        soon(node.stop()).await;
    }
}

/// The service logs a line at its level, with the node and the target there.
#[tokio::test]
async fn the_service_logs_lines_here() {
    let logs = Logs::catch();
    let a = start(listening("a").service(logs::CATCH, args![5])).await;
    let mut b = raw_catcher::Passing::connect(&a, "b").await;
    let (port, level) = b.asked().await;
    assert_eq!(level, 5);
    for (level, text) in [(1, "fatal"), (5, "a warning"), (6, "a note"), (8, "detail")] {
        b.pass(&port, level, text).await;
    }
    assert_eq!(logs.expect("detail").await.0, tracing::Level::DEBUG);
    // A fatal line of another node ends nothing here.
    for (level, text) in [
        (tracing::Level::ERROR, "fatal"),
        (tracing::Level::WARN, "a warning"),
        (tracing::Level::INFO, "a note"),
    ] {
        assert_eq!(logs.find(text).unwrap().0, level);
    }
    // A second service takes the place of the first, and one without a level ends it.
    a.spawn("a", logs::CATCH, args![9]);
    let (second, level) = b.asked().await;
    assert_eq!(level, 9);
    b.ended(&port).await;
    a.snd_to_func("a", logs::CATCH, args![]);
    b.ended(&second).await;
    until(|| a.port_count() == 0).await;
    let odd = a.spawn("a", logs::CATCH, args!["loud"]);
    let reason = crate::common::watch(&a, &odd).await;
    assert!(reason.to_string().contains("is no level"), "{reason}");
}

#[tokio::test]
async fn a_node_that_comes_back_is_asked_again() {
    let _layer = layer();
    let at = aemp_tests::free_address();
    let a = start(listening("a").seed(&at)).await;
    let again = || {
        let b = Node::builder().node_id("b").secret(SECRET).bind(&at);
        start(b.service("AnyEvent::MP::Global", args![]))
    };
    let b = again().await;
    soon(a.until_up("b")).await;
    let mut lines = a.catch_logs(LogLevel::Warn);
    caught(&mut lines).await;
    soon(b.stop()).await;
    drop(b);
    let b = again().await;
    soon(a.until_up("b")).await;
    // Lines that the first one has passed on may come before.
    let logging = async {
        loop {
            tracing::warn!(target: "test", "caught again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let again = async { while next(&mut lines).await.text != "caught again" {} };
    tokio::select! {
        () = logging => {}
        () = again => {}
    }
    drop(lines);
    until(|| a.port_count() == 0).await;
    drop(b);
}

#[tokio::test]
async fn the_history_comes_first() {
    let _layer = history();
    let (_a, b) = pair().await;
    for n in 0..12 {
        tracing::info!(target: "test", n);
        tracing::debug!(target: "test", "too detailed");
    }
    let long = Duration::from_secs(3600);
    let mut lines = b.catch_logs(CatchLogs::from(LogLevel::Info).since(long));
    let first = next(&mut lines).await;
    assert!(["n=2", "n=3"].contains(&&*first.text), "{first}");
    while next(&mut lines).await.text != "n=11" {}
    tracing::info!(target: "test", "live");
    assert_eq!(next(&mut lines).await.text, "live");
    let mut live = b.catch_logs(LogLevel::Info);
    caught(&mut live).await;
    tracing::info!(target: "test", "live as well");
    assert_eq!(next(&mut live).await.text, "live as well");
}

#[tokio::test]
async fn nodes_are_chosen_by_patterns() {
    let _layer = layer();
    let a = start(listening("a")).await;
    let nodes = ["worker/1", "worker/2", "other"];
    let mut started = Vec::new();
    for id in nodes {
        started.push(start(listening(id).seed(address(&a))).await);
        soon(a.until_up(id)).await;
    }
    let mut lines = a.catch_logs(CatchLogs::from(LogLevel::Info).nodes("worker/*"));
    until(|| a.port_count() == 2).await;
    caught(&mut lines).await;
    // The lines of the program come from one of the two that were asked.
    tracing::info!(target: "test", "here");
    let line = next(&mut lines).await;
    assert!(line.node.as_str().starts_with("worker/"), "{line}");
}

#[tokio::test]
async fn a_program_without_the_layer_says_so() {
    let logs = Logs::catch();
    let (a, b) = pair().await;
    let mut lines = a.catch_logs(LogLevel::Error);
    let line = soon(lines.next()).await.unwrap();
    let text = "this node does not pass on the lines of its log: its program has not added `aemp::logs::layer()`";
    assert!(line.text.starts_with(text), "{line}");
    assert_eq!((&line.node, line.level), (b.id(), LogLevel::Warn));
    logs.warned(&format!("{} from a: {text}", logs::CONNECT))
        .await;
    assert!(
        a.inspect("b")
            .functions()
            .await
            .unwrap()
            .callable
            .is_empty()
    );
}

#[tokio::test]
async fn it_is_a_function_like_any_other() {
    let _layer = layer();
    let b = listening("b").allow("friend", "*LogCatcher::connect");
    let b = start(b).await;
    let logs = Logs::catch_with(Registry::default().with(logs::layer()));
    let friend = start(listening("friend").seed(address(&b))).await;
    let stranger = start(listening("stranger").seed(address(&b))).await;
    soon(friend.until_up("b")).await;
    soon(stranger.until_up("b")).await;
    let mut lines = friend.catch_logs(CatchLogs::from(LogLevel::Info).nodes("b"));
    let _refused = stranger.catch_logs(CatchLogs::from(LogLevel::Info).nodes("b"));
    caught(&mut lines).await;
    let refused = "AnyEvent::MP::LogCatcher::connect from stranger: remote execution not allowed";
    logs.warned(refused).await;
    // Neither a third node's port nor a node's own.
    let inbox = Inbox::new(&stranger);
    for port in [inbox.id.as_str(), "friend", "b#port"] {
        friend.snd_to_func("b", logs::CONNECT, args![0, port, 9]);
    }
    logs.warned("belongs to another node").await;
    logs.warned("is a node port").await;
    b.snd_to_func("b", logs::CONNECT, args![0, "b#port", 9]);
    logs.warned("a node does not catch its own lines").await;
    friend.snd(&inbox.id, msg!["nothing"]);
    let mut inbox = inbox;
    assert_eq!(inbox.next().await, msg!["nothing"]);
}
