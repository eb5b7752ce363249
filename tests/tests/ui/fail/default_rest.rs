#![allow(unused_variables)]

use aemp::{Args, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(default)]
    fn other(&mut self, tag: &str, #[rest] args: Args) {
        self.n += 1;
    }
}

fn main() {}
