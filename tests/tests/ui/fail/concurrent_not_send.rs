//! The future of a handler that runs beside its port moves between threads.

use std::rc::Rc;

use aemp::port;

#[derive(Clone)]
struct Crawler;

async fn wait() {}

#[port]
impl Crawler {
    #[rcv(concurrent = 2)]
    async fn fetch(&self) -> u8 {
        let held = Rc::new(1);
        wait().await;
        *held
    }
}

fn main() {}
