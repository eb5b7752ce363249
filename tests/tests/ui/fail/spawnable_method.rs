use aemp::{port, spawnable};

#[port]
struct Idle;

impl Idle {
    #[spawnable]
    fn start(self) -> Idle {
        self
    }
}

fn main() {}
