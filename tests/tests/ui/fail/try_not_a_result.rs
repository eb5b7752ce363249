use aemp::port;

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(try)]
    fn get(&self) -> Option<i64> {
        Some(self.n)
    }
}

fn main() {}
