//! Two ports throw a ball to each other. A handle is a value like any other: here it travels in the messages.

use std::time::Instant;

use aemp::{Cx, Node, port};
use tokio::sync::oneshot;

const THROWS: u32 = 1_000_000;

struct Player {
    done: Option<oneshot::Sender<()>>,
}

#[port]
impl Player {
    #[rcv]
    fn ball(&mut self, cx: &mut Cx<'_>, from: PlayerRef, left: u32) {
        if let Some(left) = left.checked_sub(1) {
            from.ball(cx.handle_of(self), left);
        } else if let Some(done) = self.done.take() {
            let _ = done.send(());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::local()?;
    let (done, finished) = oneshot::channel();
    let ann = node.port(Player { done: Some(done) });
    let bob = node.port(Player { done: None });

    let start = Instant::now();
    ann.ball(bob, THROWS);
    finished.await?;
    let each = start.elapsed() / THROWS;
    println!("{THROWS} throws, {each:?} each");
    Ok(())
}
