use aemp::port;
use tokio::sync::{mpsc, oneshot};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn ring(&self, done: oneshot::Sender<i64>) {
        let _ = done.send(self.n);
    }

    #[rcv]
    fn subscribe(&mut self, to: mpsc::UnboundedSender<String>, name: String) {
        let _ = to.send(name);
    }
}

fn main() {}
