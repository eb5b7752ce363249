#![allow(unused_variables)]

use aemp::{Cx, port, spawnable};

#[port]
struct Idle;

#[spawnable]
fn start(n: i64, cx: &mut Cx<'_>) -> Idle {
    Idle
}

#[spawnable]
fn by_value(cx: Cx<'_>) -> Idle {
    Idle
}

fn main() {}
