use aemp::{port};

use std::borrow::Cow;

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn name(&mut self, name: Cow<'_, str>) {
        self.n = name.len() as i64;
    }

    #[rcv]
    fn sum(&mut self, all: Vec<&i64>) {
        self.n = all.len() as i64;
    }
}

fn main() {}
