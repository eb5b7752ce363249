use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(mut self, n: i64) {
        self.n += n;
    }

    #[rcv]
    fn take(self: Box<Self>) {}
}

fn main() {}
