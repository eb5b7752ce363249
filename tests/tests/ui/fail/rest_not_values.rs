use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, #[rest] rest: Vec<i64>) {
        self.n += rest.len() as i64;
    }
}

fn main() {}
