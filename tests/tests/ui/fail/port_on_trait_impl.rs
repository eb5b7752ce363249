use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Clone for Counter {
    fn clone(&self) -> Self {
        Counter { n: self.n }
    }
}

fn main() {}
