use aemp::port;

#[port]
struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

fn main() {}
