use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    async fn add(&mut self, n: i64) {
        let shared = std::rc::Rc::new(n);
        tokio::task::yield_now().await;
        self.n += *shared;
    }
}

fn main() {}
