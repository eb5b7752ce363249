//! Two reasons for a node to stay alone, and the errors that tell them.

use std::{env, error::Error, time::Duration};

use aemp::{Node, NodeBuilder};

fn node(name: &str, secret: &str) -> NodeBuilder {
    let node = Node::builder().node_id(name).secret(secret);
    node.connect_interval(Duration::from_millis(200))
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: trouble ADDRESS")?;

    let early = node("early", "between friends")
        .seed(&address)
        .start()
        .await?;
    if let Err(error) = early.joined().await {
        println!("early: {error}");
    }

    let _seed = node("seed", "between friends")
        .bind(&address)
        .start()
        .await?;
    early.until_up("seed").await;
    println!("early: the seed is there now");

    let stranger = node("stranger", "among strangers")
        .seed(&address)
        .start()
        .await?;
    if let Err(error) = stranger.joined().await {
        println!("stranger: {error}");
    }
    Ok(())
}
// ANCHOR_END: main
