use aemp::{Args, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    fn add(&mut self, #[rest] rest: Args) {
        self.n += rest.len() as i64;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
