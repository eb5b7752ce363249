use aemp::{port, spawnable};

#[port]
struct Idle;

#[spawnable]
struct Start;

fn main() {}
