use aemp::{port, spawnable};

#[port]
struct Idle;

#[spawnable("My::start")]
fn start() -> Idle {
    Idle
}

#[spawnable(tag = "My::start")]
fn start_again() -> Idle {
    Idle
}

fn main() {}
