use aemp::{port, spawnable};

#[port]
struct Idle;

#[spawnable]
fn start() -> String {
    String::new()
}

fn main() {}
