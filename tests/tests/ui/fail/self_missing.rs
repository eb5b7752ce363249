use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(n: i64) -> i64 {
        n
    }
}

fn main() {}
