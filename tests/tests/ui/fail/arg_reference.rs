use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn name(&mut self, name: &str) {
        self.n = name.len() as i64;
    }

    #[rcv]
    fn sum(&mut self, all: &[i64]) {
        self.n = all.iter().sum();
    }

    #[rcv]
    fn other(&mut self, other: &mut u8) {
        *other = 0;
    }
}

fn main() {}
