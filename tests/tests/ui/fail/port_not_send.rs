use std::rc::Rc;

use aemp::port;

struct Shared {
    n: Rc<i64>,
}

#[port]
impl Shared {
    #[rcv]
    fn get(&self) -> i64 {
        *self.n
    }
}

fn main() {}
