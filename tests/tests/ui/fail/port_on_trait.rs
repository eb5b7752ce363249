use aemp::port;

#[port]
trait Counter {
    fn get(&self) -> i64;
}

fn main() {}
