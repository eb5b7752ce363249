#![allow(unused_variables)]

use aemp::{port};

struct Counter {
    n: i64,
}

#[port(colour = red, msg = )]
impl Counter {
    #[rcv(nmae = "x")]
    fn a(&mut self, a: &str) -> &str {
        ""
    }

    #[rcv]
    fn b(self, #[rest] b: Vec<u8>, c: i64) {}

    #[rcv(default)]
    async fn c(&self, n: i64) -> i64 {
        n
    }

    #[rcv("b")]
    fn d() {}
}

fn main() {}
