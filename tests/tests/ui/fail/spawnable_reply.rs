#![allow(unused_variables)]

use aemp::{Reply, port, spawnable};

#[port]
struct Idle;

#[spawnable]
fn start(reply: Reply<i64>) -> Idle {
    Idle
}

fn main() {}
