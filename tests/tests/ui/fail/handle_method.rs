#![allow(unused_variables)]

use aemp::{Args, port, protocol};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn send(&self, n: i64) {}

    #[rcv("the id", try)]
    fn id(&self) -> Result<i64, String> {
        Ok(self.n)
    }

    #[rcv(default)]
    fn r#handle(&mut self, tag: &str, args: Args) {}

    /// No handler, so its name is free.
    fn node(&self) {}

    #[rcv]
    fn get(&self) -> i64 {
        self.node();
        self.n
    }
}

#[protocol]
trait Far {
    fn clone(&self) -> i64;
}

fn main() {}
