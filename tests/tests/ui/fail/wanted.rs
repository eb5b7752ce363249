//! Only callers can leave, and the queue is that of a port.

use aemp::{port, protocol};

struct Oracle;

#[port]
impl Oracle {
    #[rcv(wanted)]
    fn hear(&mut self, text: String) {}

    #[rcv(wanted = true)]
    fn guess(&self) -> u32 {
        7
    }
}

#[protocol]
trait Remote {
    #[rcv(wanted)]
    fn guess(&self) -> u32;
}

fn main() {}
