use aemp::port;

#[port]
fn start() {}

#[port]
mod counter {}

fn main() {}
