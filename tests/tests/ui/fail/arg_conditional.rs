use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, #[cfg(all())] n: i64) {
        self.n += n;
    }
}

fn main() {}
