#![allow(unused_variables)]

use aemp::{Cx, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, cx: &mut Cx<'_>, again: &mut Cx<'_>) {
        self.n += 1;
    }
}

fn main() {}
