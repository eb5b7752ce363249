use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, n: i64) {
        self.n += n;
    }

    #[rcv("add")]
    fn plus(&mut self, n: i64) {
        self.n += n;
    }
}

fn main() {}
