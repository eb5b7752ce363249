#![allow(unused_variables)]

use aemp::{Args, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(default)]
    fn other(&mut self, tag: &str, args: Args) {}

    #[rcv(default)]
    fn another(&mut self, tag: &str, args: Args) {}
}

fn main() {}
