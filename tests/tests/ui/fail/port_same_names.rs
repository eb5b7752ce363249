use aemp::{port};

struct Counter {
    n: i64,
}

#[port(msg = Both, handle = Both)]
impl Counter {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
