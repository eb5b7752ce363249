//! Seeds that stand for several addresses, the own one among them, and strangers with a node's own greeting.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{Node, NodeBuilder, SeedSource, db::Role};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    common::{SECRET, soon, until},
    logs::Logs,
    nodes::{address, listening, start},
};

/// A seed that stands for these addresses.
fn always(addresses: &[&str]) -> impl SeedSource + use<> {
    let addresses: Vec<String> = addresses.iter().map(|one| (*one).into()).collect();
    move || {
        let addresses = addresses.clone();
        async move { io::Result::Ok(addresses) }
    }
}

/// A node that listens there.
fn at(id: &str, address: &str) -> NodeBuilder {
    let builder = Node::builder().node_id(id).secret(SECRET).bind(address);
    builder.connect_interval(Duration::from_millis(500))
}

/// An address at which the system drops all requests for connections, for as long as the second value lives.
async fn swallowing() -> (String, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut kept = Vec::new();
    let short = Duration::from_millis(100);
    while let Ok(stream) = timeout(short, TcpStream::connect(&address)).await {
        kept.push(stream.unwrap());
    }
    (address, (listener, kept))
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_silent_address_does_not_delay_others() {
    let (swallows, _kept) = swallowing().await;
    let refuses = aemp_tests::free_address();
    let good = start(listening("good")).await;
    let all = always(&[&swallows, &refuses, &address(&good)]);
    let node = start(listening("a").seed_source("all", all)).await;
    soon(node.joined()).await.unwrap();
    assert_eq!(node.node_is_up("good"), Some(true));
    let seed = node.seeds().remove(0);
    assert_eq!((seed.address.as_str(), seed.connected), ("all", true));
}

/// As in a container network: one name, which has the addresses of all.
#[tokio::test]
async fn nodes_with_one_common_seed_name_find_each_other() {
    let addresses = [(); 3].map(|()| aemp_tests::free_address());
    let mut nodes = Vec::new();
    for (i, own) in addresses.iter().enumerate() {
        // Each meets itself first.
        let mut all: Vec<&str> = addresses.iter().map(String::as_str).collect();
        all.rotate_left(i);
        let builder = at(&format!("n{i}"), own).seed_source("all", always(&all));
        nodes.push(start(builder).await);
    }
    for node in &nodes {
        for other in &nodes {
            soon(node.until_up(other.id().as_str())).await;
        }
        soon(node.joined()).await.unwrap();
    }
}

/// A name is looked up again, also when it has once stood for this node alone.
#[tokio::test]
async fn addresses_that_are_found_later_are_connected() {
    let (own, other) = (aemp_tests::free_address(), aemp_tests::free_address());
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, addresses) = (Arc::clone(&asked), [own.clone(), other.clone()]);
    let source = move || {
        let more = count.fetch_add(1, Ordering::Relaxed);
        let addresses = addresses[..1 + more.min(1)].to_vec();
        async move { io::Result::Ok(addresses) }
    };
    let node = start(at("a", &own).seed_source("all", source)).await;
    soon(node.joined()).await.unwrap();
    until(|| asked.load(Ordering::Relaxed) > 1).await;
    let late = start(at("late", &other)).await;
    soon(node.until_up("late")).await;
    drop(late);
}

#[tokio::test]
#[cfg(unix)]
async fn a_command_gives_the_addresses_of_nodes() {
    let good = start(listening("good")).await;
    let node = listening("a").seed(format!("exec:echo {}", address(&good)));
    let node = start(node).await;
    soon(node.joined()).await.unwrap();
    assert_eq!(node.node_is_up("good"), Some(true));
}

/// Sends the node's own greeting to each connection at the seed's address.
async fn parrot(at: TcpListener, node: String) {
    let mut kept = Vec::new();
    loop {
        let (mut victim, _) = at.accept().await.unwrap();
        let mut greeting = BufReader::new(TcpStream::connect(&node).await.unwrap());
        let mut lines = String::new();
        for _ in 0..2 {
            greeting.read_line(&mut lines).await.unwrap();
        }
        victim.write_all(lines.as_bytes()).await.unwrap();
        kept.push((victim, greeting));
    }
}

#[tokio::test]
async fn a_stranger_with_our_greeting_does_not_split_the_network() {
    let logs = Logs::catch();
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seed = place.local_addr().unwrap().to_string();
    let node = listening("a").seed(&seed);
    let node = node.monitor_timeout(Duration::from_secs(1));
    let node = start(node).await;
    let parrot = tokio::spawn(parrot(place, address(&node)));
    let told = format!(
        "seed not reached: {seed} disconnected - Connection timed out (it says it is this node itself"
    );
    logs.expect(&told).await;
    assert_ne!(node.role(), Role::Global);
    assert_eq!(node.seeds().len(), 1);
    parrot.abort();
    let _ = parrot.await;
    // The real one is there.
    let _real = start(at("real", &seed)).await;
    soon(node.until_up("real")).await;
}

#[tokio::test]
async fn advertised_addresses_replace_the_listeners_in_announcements() {
    let seed = start(listening("seed")).await;
    let node = listening("a")
        .seed(address(&seed))
        .advertise("nat.example:7");
    let node = start(node.advertise("127.0.0.1")).await;
    soon(node.until_up("seed")).await;
    until(|| seed.node_is_up("a") == Some(true)).await;
    let port = address(&node).rsplit_once(':').unwrap().1.to_owned();
    let expected = ["nat.example:7".to_owned(), format!("127.0.0.1:{port}")];
    let told = async {
        loop {
            let listeners = node.db_family("'l").await.unwrap();
            if let Some((_, value)) = listeners.iter().find(|(key, _)| **key == *"a") {
                let told = value.as_array().unwrap().iter();
                return told
                    .map(|one| one.as_str().unwrap().to_owned())
                    .collect::<Vec<_>>();
            }
        }
    };
    assert_eq!(soon(told).await, expected);
}

#[tokio::test]
async fn only_addresses_can_be_advertised() {
    for (address, problem) in [
        ("*:1", "other nodes cannot connect to *:1"),
        ("a", "a:* needs a port, because this node does not listen"),
    ] {
        let node = Node::builder().secret(SECRET).advertise(address);
        let error = node.start().await.unwrap_err().to_string();
        assert!(error.ends_with(problem), "{error}");
    }
}
