use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(name = "add")]
    fn add(&mut self, n: i64) {
        self.n += n;
    }

    #[rcv(7)]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
