//! One connection, dialled by either end; losses, and connections after them.

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{Node, PortId, args, cal, msg, snd};
use serde_json::json;

use crate::{
    BOTH, Dial,
    common::{Inbox, SECRET, soon, until, watch},
    pair,
    perl::{self, Perl},
    rust,
};

/// Two nodes that have each other as seed and start together, now one ahead, now the other: always one connection.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn each_is_the_others_seed() {
    for round in 0..20_u64 {
        let (at_rust, at_perl) = (aemp_tests::free_address(), aemp_tests::free_address());
        let seed = std::slice::from_ref(&at_rust);
        let starting = async {
            // It takes Perl a while to start.
            tokio::time::sleep(Duration::from_millis(15 * round)).await;
            let node = Node::builder().node_id("rust").secret(SECRET);
            node.bind(&at_rust).seed(&at_perl).start().await.unwrap()
        };
        let perl = Perl::start_at("perl", &at_perl, seed, false);
        let (node, perl) = tokio::join!(starting, perl);
        let Some(mut perl) = perl else { return };
        let heard: Arc<Mutex<Vec<bool>>> = Arc::default();
        let keep = Arc::clone(&heard);
        let _observer = node.mon_nodes(move |_, up, _| keep.lock().unwrap().push(up));
        soon(node.until_up("perl")).await;
        let inbox = PortId::parse(&perl.inbox().await).unwrap();
        let mut own = Inbox::new(&node);
        snd!(node, inbox, "to perl", round);
        assert_eq!(perl.expect("got").await[2], round);
        perl.order(&json!(["snd", own.id.as_str(), "to rust"]));
        assert_eq!(own.next().await, msg!["to rust"]);
        // All other dialled connections have been refused or are being refused.
        until(|| connections(&[&at_rust, &at_perl]).is_none_or(|count| count == 1)).await;
        assert_eq!(perl.ask(json!(["up"]), "nodes").await, [json!("rust")]);
        assert_eq!(node.up_nodes().len(), 1, "round {round}");
        let downs = heard.lock().unwrap().iter().filter(|&&up| !up).count();
        assert_eq!(downs, 0, "round {round}");
        let heard = perl.so_far();
        assert!(
            heard.iter().all(|event| event[0] != "down"),
            "round {round}: {heard:?}"
        );
    }
}

/// The number of established connections to these listeners, if the system can tell it.
fn connections(listeners: &[&str]) -> Option<usize> {
    let mut ss = Command::new("ss");
    let out = ss.args(["-Htn", "state", "established"]).output().ok()?;
    let out = String::from_utf8(out.stdout).ok()?;
    let peer = |line: &str| line.split_whitespace().nth(3).map(str::to_owned);
    let to_them = |line: &&str| peer(line).is_some_and(|peer| listeners.contains(&&*peer));
    Some(out.lines().filter(to_them).count())
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_killed_perl_is_noticed_and_its_successor_found() {
    for dial in BOTH {
        let Some((node, perl)) = pair(dial).await else {
            return;
        };
        let address = perl.address.clone();
        let old: Vec<_> = (0..10)
            .map(|n| node.spawn("perl", "Peer::counter", args![n]))
            .collect();
        assert_eq!(soon(cal!(node, old[9], "get")).await.unwrap(), msg![9]);
        let (port, own) = (
            watch(&node, &old[0]),
            watch(&node, &"perl".parse().unwrap()),
        );
        perl.kill();
        for reason in [port.await, own.await] {
            let reason = reason.into_values();
            assert_eq!(reason[..2], msg!["transport_error", "perl"]);
            let text = reason[2].as_str().unwrap();
            let known = [
                "Unexpected end-of-file",
                "Connection reset by peer",
                "Broken pipe",
            ];
            assert!(known.contains(&text), "{text}");
        }
        let seeds = match dial {
            Dial::Rust => Vec::new(),
            Dial::Perl => node.listeners(),
        };
        let perl = Perl::start_at("perl", &address, &seeds, false).await;
        let mut perl = perl.unwrap();
        soon(node.until_up("perl")).await;
        perl.expect("up").await;
        for port in &old {
            snd!(node, port, "inc", 1);
            assert_eq!(watch(&node, port).await.kind(), "no_such_port");
        }
        let fresh = node.spawn("perl", "Peer::counter", args![7]);
        assert_eq!(soon(cal!(node, fresh, "get")).await.unwrap(), msg![7]);
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_stopped_node_of_ours_is_an_ordinary_end_to_perl() {
    let Some((node, mut perl)) = pair(Dial::Rust).await else {
        return;
    };
    let inbox = Inbox::new(&node);
    let port = inbox.id.as_str().to_owned();
    perl.order(&json!(["mon", "rust"]));
    perl.ask(json!(["cal", "rust#nobody", "x"]), "answer").await;
    perl.order(&json!(["mon", port]));
    perl.ask(json!(["cal", "rust#nobody", "x"]), "answer").await;
    node.stop().await;
    // Its ports die normally, and only then is the connection closed.
    assert_eq!(perl.expect("died").await, [json!(port)]);
    let end = json!(["rust", "transport_error", "rust", "Unexpected end-of-file"]);
    assert_eq!(json!(perl.expect("died").await), end);
    assert_eq!(perl.expect("down").await[0], "rust");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn messages_to_ports_of_an_earlier_run_vanish_after_our_restart() {
    let at = aemp_tests::free_address();
    let start = || async {
        let node = Node::builder().node_id("rust").secret(SECRET);
        node.bind(&at).start().await.unwrap()
    };
    let node = start().await;
    let Some(mut perl) = Perl::start("perl", std::slice::from_ref(&at)).await else {
        return;
    };
    perl.expect("up").await;
    let old = Inbox::new(&node).id;
    let spawned = perl
        .ask(json!(["spawn", "rust", "Test::counter", 5]), "spawned")
        .await;
    let spawned = spawned[0].as_str().unwrap().to_owned();
    assert_eq!(
        perl.ask(json!(["cal", spawned, "get"]), "answer").await,
        [json!(5)]
    );
    node.stop().await;
    perl.expect("down").await;
    let node = start().await;
    let fresh = Inbox::new(&node);
    perl.expect("up").await;
    for port in [old.as_str(), &spawned] {
        perl.order(&json!(["snd", port, "inc", 1]));
        assert_eq!(
            perl.ask(json!(["mon", port]), "died").await[1],
            "no_such_port"
        );
    }
    assert_ne!(fresh.id, old);
}

/// While Perl does not run, keepalives to it are not its to answer; the system answers for it, so that it lives.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn an_idle_perl_stays_connected() {
    let Some(mut perl) = Perl::start("perl", &[]).await else {
        return;
    };
    let node = Node::builder()
        .node_id("rust")
        .secret(SECRET)
        .seed(&perl.address);
    let node = node
        .monitor_timeout(Duration::from_millis(300))
        .start()
        .await
        .unwrap();
    soon(node.until_up("perl")).await;
    perl.expect("up").await;
    // Several timeouts, in which Perl says nothing.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(node.node_is_up("perl"), Some(true));
    assert!(perl.so_far().iter().all(|event| event[0] != "down"));
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_wrong_secret_connects_neither() {
    if !perl::is_there() {
        return;
    }
    let node = rust().secret("between foes").start().await.unwrap();
    let Some(mut perl) = Perl::start("perl", &node.listeners()).await else {
        return;
    };
    let other = Node::builder().node_id("other").secret("between foes");
    let other = other.seed(&perl.address).start().await.unwrap();
    let reason = watch(&other, &"perl".parse().unwrap()).await;
    assert_eq!(reason.to_string(), "transport_error perl connect timeout");
    let died = perl.ask(json!(["mon", "rust#nobody"]), "died").await;
    assert_eq!(died[1], "transport_error");
    assert!(node.up_nodes().is_empty() && other.up_nodes().is_empty());
    assert_eq!(
        perl.ask(json!(["up"]), "nodes").await,
        [] as [serde_json::Value; 0]
    );
}
