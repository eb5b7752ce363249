//! Ports that die, and the monitors that notice it.

use std::num::ParseIntError;

use aemp::{Node, port};

// ANCHOR: port
#[derive(Default)]
struct Adder {
    total: i64,
}

#[port]
impl Adder {
    /// An error ends the port.
    #[rcv(try)]
    fn add(&mut self, number: String) -> Result<i64, ParseIntError> {
        self.total += number.parse::<i64>()?;
        Ok(self.total)
    }
}
// ANCHOR_END: port

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::local()?;

    // ANCHOR: error
    let adder = node.port(Adder::default());
    let monitor = adder.monitor(|reason| println!("the adder has died: {reason}"));

    println!("the total is {}", adder.add("42".into()).await?);
    adder.add("two".into()).forget();
    adder.closed().await;
    // ANCHOR_END: error
    drop(monitor);

    // ANCHOR: late
    let reason = adder.closed().await;
    println!("it had died of this: {reason}");
    if let Err(error) = adder.add("3".into()).await {
        println!("the call has failed: {error}");
    }
    // ANCHOR_END: late

    // ANCHOR: kill
    let adder = node.port(Adder::default());
    adder.kill("the shop is closed");
    println!("killed: {}", adder.closed().await);

    let adder = node.port(Adder::default());
    adder.stop();
    println!("ended normally: {}", adder.closed().await.is_normal());
    // ANCHOR_END: kill

    // ANCHOR: link
    let (one, other) = (node.port(Adder::default()), node.port(Adder::default()));
    let _links = (one.link(&other), other.link(&one));
    one.add("three".into()).forget();
    println!("the other one has died, too: {}", other.closed().await);
    // ANCHOR_END: link
    Ok(())
}
