#![allow(unused_variables)]

use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(default)]
    fn other(&mut self, tag: &str) {
        self.n += 1;
    }
}

fn main() {}
