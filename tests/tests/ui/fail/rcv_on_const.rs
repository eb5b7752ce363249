use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    const STEP: i64 = 1;

    #[rcv]
    fn add(&mut self) {
        self.n += Self::STEP;
    }
}

fn main() {}
