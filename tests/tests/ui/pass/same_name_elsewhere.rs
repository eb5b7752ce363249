//! Types of one name in one file, each of which is a port of its own.

use aemp::port;

mod inner {
    pub struct Counter(pub i64);

    #[aemp::port]
    impl Counter {
        #[rcv]
        fn get(&self) -> i64 {
            self.0
        }
    }
}

struct Counter(String);

#[port]
impl Counter {
    #[rcv]
    fn get(&self) -> String {
        self.0.clone()
    }
}

fn main() {
    struct Counter;

    #[port]
    impl Counter {
        #[rcv]
        fn nothing(&self) {}
    }

    let _: Option<(CounterRef, inner::CounterRef)> = None;
}
