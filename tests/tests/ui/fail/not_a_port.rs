use aemp::Node;

struct Counter {
    n: i64,
}

fn main() {
    let node = Node::local().unwrap();
    let _ = node.port(Counter { n: 1 });
}
