use std::rc::Rc;

use aemp::port;

struct Session;

#[port]
impl Session {
    #[stop]
    async fn save(&mut self) {
        let kept = Rc::new(1);
        std::future::ready(()).await;
        drop(kept);
    }
}

fn main() {}
