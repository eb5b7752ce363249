use aemp::rcv;

struct Counter {
    n: i64,
}

impl Counter {
    #[rcv]
    fn add(&mut self, n: i64) {
        self.n += n;
    }
}

fn main() {
    Counter { n: 1 }.add(2);
}
