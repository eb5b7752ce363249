#![allow(unused_variables)]

use aemp::{Origin, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, origin: &Origin) {
        self.n += 1;
    }
}

fn main() {}
