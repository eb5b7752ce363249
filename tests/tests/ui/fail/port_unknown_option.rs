use aemp::{port};

struct Counter {
    n: i64,
}

#[port(message = CounterMessage, vis = private)]
impl Counter {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
