use aemp::{port, spawnable};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[spawnable]
    fn start(n: i64) -> Counter {
        Counter { n }
    }
}

impl Counter {
    #[spawnable(name = "My::other")]
    fn other(n: i64) -> Self {
        Self { n }
    }
}

fn main() {}
