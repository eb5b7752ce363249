#![allow(unused_variables)]

use aemp::{Args, port, protocol};

struct Store {
    n: i64,
}

#[port(local, strict)]
impl Store {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv(default)]
    fn other(&self, tag: &str, args: Args) {}
}

#[protocol(local)]
trait Far {
    fn get(&self) -> i64;
}

fn main() {}
