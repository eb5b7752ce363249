use aemp::{Node, port};

#[derive(Default)]
struct Counter {
    sum: u64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, number: u64) {
        self.sum += number;
    }

    #[rcv]
    fn get(&self) -> u64 {
        self.sum
    }
}

#[tokio::main]
async fn main() {
    #[cfg(not(feature = "net"))]
    let node = Node::local().unwrap();
    #[cfg(feature = "net")]
    let node = Node::builder().node_id("counter").secret("s").bind("127.0.0.1:0").start().await.unwrap();
    let counter = node.port(Counter::default());
    counter.add(41);
    counter.add(1);
    assert_eq!(counter.get().await.unwrap(), 42);
}
