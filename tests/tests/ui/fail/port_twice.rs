use aemp::port;

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

#[port]
impl Counter {
    #[rcv]
    fn set(&mut self, n: i64) {
        self.n = n;
    }

    #[rcv]
    fn reset(&mut self) {
        self.n = 0;
    }
}

fn main() {}
