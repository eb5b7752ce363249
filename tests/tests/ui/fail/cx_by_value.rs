#![allow(unused_variables)]

use aemp::{Cx, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, cx: Cx<'_>, n: i64) {
        self.n += n;
    }
}

fn main() {}
