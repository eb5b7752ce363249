use aemp::{port, spawnable};

struct Store {
    n: i64,
}

#[port(local)]
impl Store {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }
}

struct Other;

#[port]
impl Other {
    #[rcv]
    fn hear(&self, store: StoreRef) {
        drop(store.get());
    }
}

#[spawnable]
fn store(n: i64) -> Result<Store, String> {
    Ok(Store { n })
}

fn main() {}
