#![allow(unused_variables)]

use aemp::{port, spawnable};

#[port]
struct Idle;

#[spawnable]
fn start(name: &str) -> Idle {
    Idle
}

fn main() {}
