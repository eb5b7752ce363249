use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add<T: Into<i64>>(&mut self, n: T) {
        self.n += n.into();
    }
}

fn main() {}
