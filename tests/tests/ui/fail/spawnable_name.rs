use aemp::{port, spawnable};

#[port]
struct Idle;

#[spawnable(name = "start")]
fn start() -> Idle {
    Idle
}

fn main() {}
