//! A connection that always has something to read leaves its worker to others now and then.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aemp::{Args, Cx, Node};

/// Writes packets until the sockets' buffers, which are not read meanwhile, are full. The last one may be incomplete.
fn fill(stream: &mut TcpStream, packet: &str) -> u64 {
    stream.set_nonblocking(true).expect("it can be");
    let batch = packet.repeat(1000);
    let mut written = 0;
    loop {
        // Where the last one ended within a packet, the next goes on with its rest.
        match stream.write(&batch.as_bytes()[written % packet.len()..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    (written / packet.len()) as u64
}

#[tokio::test]
async fn a_flood_takes_turns_with_other_tasks() {
    let node = Node::builder().node_id("a").secret("geheim");
    let node = node.bind("127.0.0.1:0").start().await;
    let node = node.expect("the node starts");
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let port = node.untyped(move |_: &mut Cx<'_>, _: Args| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut stream = TcpStream::connect(node.listeners().remove(0)).expect("the node listens");
    let secret: String = b"geheim".iter().map(|byte| format!("{byte:02x}")).collect();
    let login = format!("aemp;1;flood;hmac_sha3_512;json\nn\ncleartext;{secret};json\n");
    stream.write_all(login.as_bytes()).expect("it takes it");
    node.until_up("flood").await;
    let id = port.id();
    let (_, name) = id.as_str().split_once('#').expect("a name");
    // The node's only thread is this one.
    let packets = fill(&mut stream, &format!(r#"["{name}","hello"]"#));
    let (mut delivered, mut longest) = (0, 0);
    while seen.load(Ordering::Relaxed) < packets {
        // The number of packets that have arrived since this task last had a turn.
        let queued = port.queue_len().expect("the port lives") as u64;
        let now = seen.load(Ordering::Relaxed) + queued;
        longest = longest.max(now.saturating_sub(delivered));
        delivered = now;
        tokio::task::yield_now().await;
    }
    assert!(packets > 20_000, "{packets} are no flood");
    assert!(
        longest <= 5000,
        "{longest} of {packets} messages came without a break"
    );
}
