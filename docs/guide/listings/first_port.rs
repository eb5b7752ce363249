//! A port that adds up numbers.

use aemp::{Node, port};

struct Sum {
    total: i64,
}

#[port]
impl Sum {
    #[rcv]
    fn add(&mut self, number: i64) {
        self.total += number;
    }

    #[rcv]
    fn total(&self) -> i64 {
        self.total
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::local()?;
    let sum = node.port(Sum { total: 0 });

    sum.add(40);
    sum.add(2);
    println!("the total is {}", sum.total().await?);
    Ok(())
}
