use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add_one(&mut self) {
        self.n += 1;
    }

    #[rcv]
    fn add__one(&mut self) {
        self.n += 1;
    }
}

fn main() {}
