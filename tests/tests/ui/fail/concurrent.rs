//! A handler that runs beside its port waits, takes no state by `&mut self`, and has at least one place.

use aemp::{port, protocol};

#[derive(Clone)]
struct Crawler;

#[port]
impl Crawler {
    #[rcv(concurrent = 2)]
    fn quick(&self) {}

    #[rcv(concurrent = 2)]
    async fn change(&mut self) {}

    #[rcv(concurrent = 0)]
    async fn never(&self) {}

    #[rcv(concurrent)]
    async fn without_number(&self) {}
}

#[protocol]
trait Shelf {
    #[rcv(concurrent = 2)]
    fn count(&self) -> i64;
}

fn main() {}
