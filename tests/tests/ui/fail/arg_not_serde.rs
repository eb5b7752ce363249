use aemp::{port};

struct Step(i64);

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, step: Step) {
        self.n += step.0;
    }
}

fn main() {}
