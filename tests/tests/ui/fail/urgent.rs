//! The queue is that of a port, and `urgent` is a word without a value.

use aemp::{port, protocol};

struct Pump;

#[port]
impl Pump {
    #[rcv(urgent = 3)]
    fn halt(&mut self) {}

    #[rcv(urgently)]
    fn shut(&mut self) {}
}

#[protocol]
trait Remote {
    #[rcv(urgent)]
    fn halt(&self);
}

fn main() {}
