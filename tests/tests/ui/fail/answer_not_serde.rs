use aemp::{port};

struct Step(i64);

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn step(&self) -> Step {
        Step(self.n)
    }
}

fn main() {}
