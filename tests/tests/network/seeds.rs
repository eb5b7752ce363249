//! Seeds with which something is wrong: the log says which and why, and everything else goes on.

use std::time::Duration;

use aemp::Node;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tracing::Level;

use crate::{
    common::{soon, until},
    logs::Logs,
    nodes::{address, listening, start},
};

/// A listener that is not a node: it sends those words to each connection, and keeps it open.
async fn other_peer(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut kept: Vec<TcpStream> = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(words).await.unwrap();
            kept.push(stream);
        }
    });
    address
}

/// A node with a bad seed and a good one.
async fn with_a_bad_seed(bad: &str) -> [Node; 2] {
    let good = start(listening("good")).await;
    let node = listening("a").monitor_timeout(Duration::from_millis(500));
    let node = start(node.seed(bad).seed(address(&good))).await;
    soon(node.until_up("good")).await;
    [node, good]
}

/// It is told as a warning once, and then, with the next attempts, otherwise.
async fn told_once(logs: &Logs, text: &str) {
    assert_eq!(logs.expect(text).await.0, Level::WARN);
    until(|| logs.count(text) > 1).await;
    let lines = logs.lines().into_iter();
    let warnings = lines.filter(|(level, line)| *level == Level::WARN && line.contains(text));
    assert_eq!(warnings.count(), 1);
}

#[tokio::test]
async fn an_unreachable_seed() {
    let logs = Logs::catch();
    let bad = aemp_tests::free_address();
    let _nodes = with_a_bad_seed(&bad).await;
    let text = format!("seed not reached: {bad} disconnected - Connection refused.");
    told_once(&logs, &text).await;
}

#[tokio::test]
async fn a_seed_with_an_unknown_name() {
    let logs = Logs::catch();
    let _nodes = with_a_bad_seed("no-such-host.invalid:4040").await;
    let text = "seed not reached: no-such-host.invalid:4040: failed to lookup";
    logs.warned(text).await;
}

#[tokio::test]
async fn a_seed_that_is_not_a_node() {
    let logs = Logs::catch();
    let bad = other_peer(b"220 mail.example ESMTP\r\n").await;
    let _nodes = with_a_bad_seed(&bad).await;
    let text = format!(
        "seed is not a node: {bad} disconnected - unparsable greeting, expected 'aemp', got '220 mail.example ESMTP'."
    );
    told_once(&logs, &text).await;
}

#[tokio::test]
async fn a_silent_seed() {
    let logs = Logs::catch();
    let bad = other_peer(b"").await;
    let _nodes = with_a_bad_seed(&bad).await;
    let text = format!("seed sends no greeting: {bad} disconnected - Connection timed out.");
    told_once(&logs, &text).await;
}

#[tokio::test]
async fn a_seed_with_another_secret() {
    let logs = Logs::catch();
    let foreign = start(listening("foreign").secret("between foes")).await;
    let _nodes = with_a_bad_seed(&address(&foreign)).await;
    let text = format!(
        "seed not reached: {} disconnected - authentication failure/shared secret mismatch (it says it is node \
         \"foreign\").",
        address(&foreign)
    );
    told_once(&logs, &text).await;
}

/// Neither of the two can know; the third does, and the second gets a hint.
#[tokio::test]
async fn a_seed_that_knows_another_node_with_our_id() {
    let logs = Logs::catch();
    let brief = |id: &str| listening(id).monitor_timeout(Duration::from_millis(500));
    let seed = start(brief("seed")).await;
    let first = start(brief("twin").seed(address(&seed))).await;
    soon(seed.until_up("twin")).await;
    let second = start(brief("twin").seed(address(&seed))).await;
    let hint = "it says it is node \"seed\": it may have no secret, or know another node with our ID \"twin\"";
    logs.warned(hint).await;
    logs.warned("again and again that it is node \"twin\", which is connected from")
        .await;
    assert_eq!(first.node_is_up("seed"), Some(true));
    assert_ne!(second.node_is_up("seed"), Some(true));
}
