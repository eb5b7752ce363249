//! The smallest actor: a struct, its handlers, a call.

use aemp::{Node, port};

#[derive(Default)]
struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let counter = Node::local()?.port(Counter::default());
    counter.inc(40);
    counter.inc(2);
    println!("the counter stands at {}", counter.get().await?);
    Ok(())
}
