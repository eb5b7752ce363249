use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(tag = add)]
    fn add(&mut self, n: i64) {
        self.n += n;
    }

    #[rcv(tag = 5)]
    fn five(&mut self) {}

    #[rcv(6)]
    fn six(&mut self) {}

    #[rcv("seven", tag = "7")]
    fn seven(&mut self) {}
}

fn main() {}
