use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(tag = add)]
    fn add(&mut self, n: i64) {
        self.n += n;
    }
}

fn main() {}
