use aemp::{Reply, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, n: i64, reply: Reply<i64>) -> i64 {
        reply.send(n);
        n
    }
}

fn main() {}
