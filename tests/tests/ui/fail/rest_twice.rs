use aemp::{Args, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, #[rest] rest: Args, #[rest] more: Args) {
        self.n += (rest.len() + more.len()) as i64;
    }
}

fn main() {}
