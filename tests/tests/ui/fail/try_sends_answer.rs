use aemp::{Reply, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv(try, send)]
    fn get(&self) -> Result<i64, String> {
        Ok(self.n)
    }

    #[rcv(try)]
    fn later(&self, reply: Reply<i64>) -> Result<i64, String> {
        reply.send(1);
        Ok(self.n)
    }
}

fn main() {}
