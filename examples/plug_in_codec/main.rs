//! A wire format of another crate: MessagePack, negotiated by name like any other.
//!
//! Messages are converted directly between their types and bytes, as in the built-in formats. A node without the format
//! would still be understood: the connection would fall back to plain JSON.

mod msgpack;

use std::{error::Error, time::Duration};

use aemp::{Node, msg, port};

use msgpack::MessagePack;

struct Echo;

#[port]
impl Echo {
    #[rcv]
    fn echo(&self, text: String) -> String {
        text
    }

    #[rcv]
    fn sum(&self, numbers: Vec<i64>) -> i64 {
        numbers.iter().sum()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Node::builder()
        .node_id("server")
        .secret("demo")
        .codec(MessagePack);
    let server = server.bind("127.0.0.1:0").start().await?;
    let echo = server.port(Echo);

    let client = Node::builder()
        .node_id("client")
        .secret("demo")
        .codec(MessagePack);
    let client = client.seed(server.listeners().remove(0)).start().await?;
    tokio::time::timeout(Duration::from_secs(5), client.until_up("server")).await?;
    let format = client
        .node_format("server")
        .ok_or("connected nodes have a format")?;
    println!("the nodes speak {format}");

    let far: EchoRef = client.handle(&echo.id());
    println!("typed call: {}", far.echo("tea?".into()).await?);
    let numbers = vec![1, -2, 300, -40_000, 1 << 40];
    println!("another: {}", far.sum(numbers).await?);
    println!(
        "untyped call: {:?}",
        client.cal(&echo.id(), msg!["echo", "tea!"]).await?
    );

    client.stop().await;
    server.stop().await;
    Ok(())
}
