//! A process that takes one file at a time, and clients that send theirs at the same time.

use std::time::Duration;

use aemp::{Inbox, Node, PortId, Reason, receive, snd};

// ANCHOR: server
/// - `("file", client, name)` begins a file.
/// - `("data", client, text)` is its next piece. An empty piece ends it.
async fn server(inbox: Inbox) -> Result<(), Reason> {
    loop {
        let (client, name) = receive! { inbox,
            ("file", client: PortId, name: String) => (client, name),
            ("stop") => return Ok(()),
        };
        let mut content = String::new();
        loop {
            let piece = receive! { inbox,
                ("data", from: PortId, piece: String) if from == client => piece,
                after Duration::from_secs(1) => return Err(format!("no data for {name}").into()),
            };
            if piece.is_empty() {
                break;
            }
            content += &piece;
        }
        println!("{name}: {content}");
    }
}
// ANCHOR_END: server

// ANCHOR: clients
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::local()?;
    let server = node.process(server);
    let (ann, bob) = (node.empty_port(), node.empty_port());

    snd!(node, server, "file", ann.id(), "ann.txt");
    snd!(node, server, "file", bob.id(), "bob.txt");
    for number in 1..=3 {
        snd!(node, server, "data", bob.id(), format!("b{number} "));
        snd!(node, server, "data", ann.id(), format!("a{number} "));
    }
    snd!(node, server, "data", bob.id(), "");
    snd!(node, server, "data", ann.id(), "");

    snd!(node, server, "file", ann.id(), "silence.txt");
    println!("the server has ended: {}", server.closed().await);
    Ok(())
}
// ANCHOR_END: clients
