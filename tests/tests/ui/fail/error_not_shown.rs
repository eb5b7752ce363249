#![allow(unused_variables)]

use aemp::{port};

struct Refused;

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, n: i64) -> Result<(), Refused> {
        Err(Refused)
    }
}

fn main() {}
