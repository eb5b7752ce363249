use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn all(&self) -> impl Iterator<Item = i64> {
        0..self.n
    }
}

fn main() {}
