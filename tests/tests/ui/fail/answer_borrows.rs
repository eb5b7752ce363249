use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn n(&self) -> &i64 {
        &self.n
    }

    #[rcv]
    fn all(&self) -> Result<&[i64], String> {
        Ok(&[])
    }
}

fn main() {}
