use std::time::Duration;

use aemp::{Cx, port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, cx: &mut Cx<'_>) {
        cx.after(Duration::from_secs(1), |_| self.n += 1);
    }

    #[rcv]
    fn spawn(&mut self, cx: &mut Cx<'_>) {
        cx.spawn(async move { self.n += 1 });
    }
}

fn main() {}
