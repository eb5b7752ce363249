//! A receiver and a sender, in two processes.

use std::{env, error::Error, time::Duration};

use aemp::{Node, db::Pick, port};

// ANCHOR: port
struct Receiver;

#[port]
impl Receiver {
    #[rcv]
    fn test(&self, text: String) {
        println!("received: {text}");
    }

    #[rcv]
    fn length(&self, text: String) -> usize {
        text.len()
    }
}
// ANCHOR_END: port

// ANCHOR: receiver
async fn receiver(address: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder()
        .node_id("receiver")
        .secret("between friends")
        .bind(address)
        .start()
        .await?;

    let port = node.port(Receiver);
    node.db_reg("receivers", &port.id(), ())?;
    println!("the receiver is ready");

    node.stop_on_signal(Duration::from_secs(1)).await?;
    Ok(())
}
// ANCHOR_END: receiver

// ANCHOR: sender
async fn sender(address: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder()
        .node_id("sender")
        .secret("between friends")
        .seed(address)
        .start()
        .await?;

    let receivers = node.pool::<ReceiverRef>("receivers")?;
    let receiver = receivers.wait(Pick::Random).await?;
    println!("found the port {}", receiver.id());

    receiver.test("hello from another process".into());
    let length = receiver.length("one two three".into()).await?;
    println!("the receiver has counted {length} bytes");
    Ok(())
}
// ANCHOR_END: sender

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["receiver", address] => receiver(address).await,
        ["sender", address] => sender(address).await,
        _ => Err("usage: two_nodes receiver|sender ADDRESS".into()),
    }
}
// ANCHOR_END: main
