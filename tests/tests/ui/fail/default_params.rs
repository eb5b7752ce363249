#![allow(unused_variables)]

use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(default)]
    fn other(&mut self, tag: &str, n: i64) {
        self.n += n;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
