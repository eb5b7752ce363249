#![allow(unused_variables)]

use aemp::{Args, Reply, port, protocol};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(call)]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv(call, try)]
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    #[rcv(call, send)]
    fn both(&self) {}

    #[rcv(call)]
    fn later(&self, reply: Reply<i64>) {}

    #[rcv(call)]
    fn never(&self) -> ! {
        panic!()
    }

    #[rcv(call, default)]
    fn other(&self, tag: &str, args: Args) {}
}

#[protocol]
trait Far {
    #[rcv(call)]
    fn get(&self) -> i64;
}

fn main() {}
