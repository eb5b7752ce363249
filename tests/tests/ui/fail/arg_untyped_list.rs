use aemp::{Args, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, all: Args) {
        self.n += all.len() as i64;
    }
}

fn main() {}
