use aemp::{Args, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, #[rest] rest: Args, n: i64) {
        self.n += n + rest.len() as i64;
    }
}

fn main() {}
