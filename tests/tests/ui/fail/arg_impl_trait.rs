use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, n: impl Into<i64>) {
        self.n += n.into();
    }
}

fn main() {}
