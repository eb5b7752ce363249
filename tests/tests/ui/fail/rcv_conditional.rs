use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[cfg_attr(all(), rcv)]
    fn add(&mut self, n: i64) {
        self.n += n;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
