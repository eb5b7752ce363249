#![allow(unused_variables)]

use aemp::{Args, Reply, port, protocol};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(send)]
    fn alone(&self) {}

    #[rcv(send)]
    fn alone_with_result(&self) -> Result<(), String> {
        Ok(())
    }

    #[rcv(try)]
    fn nothing(&self) {}

    #[rcv(try, send)]
    fn reply(&self, reply: Reply<i64>) -> Result<(), String> {
        Ok(())
    }

    #[rcv(default)]
    fn other(&self, tag: &str, args: Args) -> Result<(), String> {
        Ok(())
    }
}

#[protocol]
trait Far {
    #[rcv(try)]
    fn divide(&self, by: i64) -> Result<i64, String>;
}

fn main() {}
