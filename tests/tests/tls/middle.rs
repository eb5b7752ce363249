//! An attacker in the middle that changes greetings.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aemp::Node;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    certificates::{address, builder, shared, start},
    common::{SECRET, until},
    logs::Logs,
};

/// Passes everything on, but changes the first line of either end's greeting.
async fn middle(to: String, change: fn(&str) -> String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let passed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&passed);
    tokio::spawn(async move {
        while let Ok((here, _)) = listener.accept().await {
            let there = TcpStream::connect(&to).await.unwrap();
            let (here, there) = (here.into_split(), there.into_split());
            tokio::spawn(pass(here.0, there.1, change, Arc::clone(&count)));
            tokio::spawn(pass(there.0, here.1, change, Arc::clone(&count)));
        }
    });
    (address, passed)
}

async fn pass(
    from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    change: fn(&str) -> String,
    passed: Arc<AtomicUsize>,
) {
    let mut from = BufReader::new(from);
    let mut line = String::new();
    if from.read_line(&mut line).await.is_err() {
        return;
    }
    let _ = to.write_all(change(&line).as_bytes()).await;
    passed.fetch_add(1, Ordering::Relaxed);
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

fn strip(line: &str) -> String {
    line.replace(";tls=1.0", "")
}

async fn between(require: bool, secret: &str, change: fn(&str) -> String) -> (Logs, [Node; 2]) {
    let logs = Logs::catch();
    let cert = shared();
    let own = |id| {
        let builder = builder(id, &cert).require_tls(require);
        if secret.is_empty() {
            builder
        } else {
            builder.secret(secret)
        }
    };
    let a = start(own("a")).await;
    let (address, passed) = middle(address(&a), change).await;
    let b = start(own("b").seed(address)).await;
    until(|| passed.load(Ordering::Relaxed) >= 2).await;
    (logs, [a, b])
}

/// The secret covers both greetings as they were sent.
#[tokio::test]
async fn stripping_tls_from_greetings_breaks_the_proof() {
    let (logs, [a, b]) = between(false, SECRET, strip).await;
    logs.warned("authentication failure/shared secret mismatch")
        .await;
    assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn required_tls_cannot_be_stripped() {
    let (logs, [a, b]) = between(true, SECRET, strip).await;
    logs.warned("and require_tls is set").await;
    assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn without_a_secret_nothing_is_left_to_talk_down_to() {
    let (logs, [a, b]) = between(false, "", strip).await;
    logs.warned("no shared secret configured").await;
    b.stop().await;
    a.stop().await;
}

/// Within TLS, the hash covers both greetings.
#[tokio::test]
async fn a_changed_greeting_is_noticed_within_tls() {
    let rename = |line: &str| line.replace("aemp;1;b;", "aemp;1;c;");
    let (logs, [a, b]) = between(false, SECRET, rename).await;
    logs.warned("authentication failure/shared secret mismatch")
        .await;
    assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
    b.stop().await;
    a.stop().await;
}

/// With a careless TLS, the inserted bytes would count as the first ones within it.
#[tokio::test]
async fn bytes_inserted_behind_the_greeting_break_tls() {
    let (logs, [a, b]) = between(true, SECRET, |line| {
        // The nonce of `a` is replaced by one that brings a line along.
        match line.starts_with("aemp;1;a;") {
            true => format!("{line}nonce\ntls_anon;;json\n"),
            false => line.into(),
        }
    })
    .await;
    logs.warned("TLS: ").await;
    assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
    b.stop().await;
    a.stop().await;
}
