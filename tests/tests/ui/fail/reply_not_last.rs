use aemp::{Reply, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, reply: Reply<i64>, n: i64) {
        reply.send(n);
    }
}

fn main() {}
