#![allow(unused_variables)]

use aemp::{port, spawnable};

#[port]
struct Idle;

#[spawnable]
fn start<T>(state: T) -> Idle {
    Idle
}

fn main() {}
