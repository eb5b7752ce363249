#![allow(unused_variables)]

use aemp::{port};

struct Refused;

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(try, send)]
    fn add(&mut self, n: i64) -> Result<(), Refused> {
        Err(Refused)
    }
}

fn main() {}
