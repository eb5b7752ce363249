//! A handler that runs beside its port has a copy of the state.

use aemp::port;

struct Crawler {
    seen: Vec<String>,
}

#[port]
impl Crawler {
    #[rcv(concurrent = 2)]
    async fn fetch(&self, url: String) -> usize {
        self.seen.len() + url.len()
    }
}

fn main() {}
