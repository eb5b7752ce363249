use aemp::{Port, port, spawnable};

#[port]
struct Idle;

#[spawnable]
fn start() -> impl Port {
    Idle
}

fn main() {}
