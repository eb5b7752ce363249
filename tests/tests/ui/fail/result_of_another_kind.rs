use aemp::{port};

struct Result<T>(T);

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(try)]
    fn add(&mut self, n: i64) -> Result<i64> {
        Result(n)
    }
}

fn main() {}
