//! A connection that always has something to read leaves its worker to others now and then.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aemp::{Args, Cx, Node};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const MESSAGES: u64 = 100_000;

/// What a peer has written before the node had a chance to read any of it.
async fn flood(address: &str, packets: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the node listens");
    let secret: String = b"geheim".iter().map(|byte| format!("{byte:02x}")).collect();
    let login = format!("aemp;1;flood;hmac_sha3_512;json\nn\ncleartext;{secret};json\n");
    stream
        .write_all(login.as_bytes())
        .await
        .expect("it takes it");
    stream.write_all(packets).await.expect("it takes it");
    stream
}

#[tokio::test]
async fn a_flood_takes_turns_with_other_tasks() {
    let node = Node::builder()
        .node_id("a")
        .secret("geheim")
        .bind("127.0.0.1:0");
    let node = node.start().await.expect("the node starts");
    let (turns, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (longest, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let port = node.untyped({
        let (turns, seen, longest) = (Arc::clone(&turns), Arc::clone(&seen), Arc::clone(&longest));
        let run = AtomicU64::new(0);
        move |_: &mut Cx<'_>, _: Args| {
            let turn = turns.load(Ordering::Relaxed);
            // How many have come while nobody else had a turn.
            if last.swap(turn, Ordering::Relaxed) != turn {
                run.store(0, Ordering::Relaxed);
            }
            let run = run.fetch_add(1, Ordering::Relaxed) + 1;
            longest.fetch_max(run, Ordering::Relaxed);
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });
    let address = node.listeners().remove(0);
    let name = port
        .id()
        .as_str()
        .rsplit('#')
        .next()
        .expect("a name")
        .to_owned();
    let (done, over) = tokio::sync::oneshot::channel::<()>();
    // Another thread writes, so that there is always something to read.
    let packets = format!(r#"["{name}","hello"]"#).repeat(MESSAGES as usize);
    let writer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            let _stream = flood(&address, packets.as_bytes()).await;
            // What is not read yet would be lost with the connection.
            let _ = over.await;
        });
    });
    while seen.load(Ordering::Relaxed) < MESSAGES {
        turns.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    drop(done);
    writer.join().expect("it wrote all");
    let longest = longest.load(Ordering::Relaxed);
    assert!(
        longest <= 5000,
        "{longest} messages were handled without a break"
    );
}
