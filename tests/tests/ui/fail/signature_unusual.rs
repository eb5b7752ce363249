use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    const fn get(&self) -> i64 {
        self.n
    }

    #[rcv]
    unsafe fn add(&mut self, n: i64) {
        self.n += n;
    }

    #[rcv]
    extern "C" fn sub(&mut self, n: i64) {
        self.n -= n;
    }
}

fn main() {}
