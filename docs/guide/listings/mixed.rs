//! Ports in Rust that Perl uses, and a port in Perl that Rust uses.

use std::{env, error::Error, time::Duration};

use aemp::{Node, args, port, protocol, spawnable};

// ANCHOR: converter
struct Converter;

#[port]
impl Converter {
    #[rcv]
    fn fahrenheit(&self, celsius: f64) -> f64 {
        celsius * 1.8 + 32.0
    }
}

#[spawnable(name = "Guide::converter")]
fn converter() -> Converter {
    Converter
}
// ANCHOR_END: converter

// ANCHOR: shelf
#[protocol]
trait Shelf {
    fn put(&self, key: String, value: String);
    fn get(&self, key: String) -> String;
}
// ANCHOR_END: shelf

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: mixed ADDRESS")?;
    let node = Node::builder()
        .node_id("rust")
        .secret("between friends")
        .bind(address)
        .start()
        .await?;
    println!("waiting for the node perl");
    node.until_up("perl").await;

    let id = node.spawn("perl", "Guide::Shelf::start", args![]);
    let shelf: ShelfRef = node.handle(&id);
    let _monitor = shelf.monitor(|reason| println!("the shelf has ended: {reason}"));
    shelf.put("colour".into(), "green".into());
    println!("the colour is {}", shelf.get("colour".into()).await?);

    shelf.kill("no longer needed");
    node.stop_on_signal(Duration::from_secs(1)).await?;
    Ok(())
}
// ANCHOR_END: main
