//! A weather board, and stations that report to it through the network's database.

use std::{env, error::Error};

use aemp::{Node, NodeBuilder, db::FamilyEvent};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn node(name: &str) -> NodeBuilder {
    Node::builder().node_id(name).secret("between friends")
}

// ANCHOR: station
async fn station(name: &str, celsius: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let node = node(name).seed(address).start().await?;
    let weather = node.family::<i64>("weather")?;
    weather.set(name, &celsius.parse()?)?;

    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        weather.set(name, &line.parse()?)?;
    }
    node.stop().await;
    Ok(())
}
// ANCHOR_END: station

// ANCHOR: board
async fn board(address: &str) -> Result<(), Box<dyn Error>> {
    let node = node("board").bind(address).start().await?;
    let mut watch = node.family::<i64>("weather")?.watch();
    println!("the board is ready");

    while let Some(event) = watch.next().await {
        let (there, gone) = match event {
            FamilyEvent::All(all) => (all.entries, Vec::new()),
            FamilyEvent::Changes(mut changes) => {
                changes.added.append(&mut changes.changed);
                (changes.added, changes.deleted)
            }
        };
        for (name, celsius) in there {
            println!("{name}: {celsius} degrees");
        }
        for name in gone {
            println!("{name} is gone");
        }
    }
    Ok(())
}
// ANCHOR_END: board

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["board", address] => board(address).await,
        ["station", name, celsius, address] => station(name, celsius, address).await,
        _ => Err("usage: database board ADDRESS | database station NAME CELSIUS ADDRESS".into()),
    }
}
