use aemp::protocol;

#[protocol]
struct Echo;

fn main() {}
