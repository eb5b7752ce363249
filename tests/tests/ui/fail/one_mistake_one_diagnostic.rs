use aemp::{port};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, n: &i64) {
        self.n += n;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

// The correct parts stay usable: no further error comes from here.
async fn ask(counter: CounterRef) -> Result<i64, aemp::CallError> {
    Counter { n: 1 }.add(&1);
    counter.get().await
}

fn main() {
    let _ = ask;
}
