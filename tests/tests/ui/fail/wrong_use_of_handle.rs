use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, n: i64) {
        self.n += n;
    }
}

fn misuse(counter: CounterRef) {
    counter.add("one");
    counter.sub(1);
}

fn main() {
    let _ = misuse;
}
