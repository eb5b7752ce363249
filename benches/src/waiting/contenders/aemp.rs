//! The subject of the bench, written as in its documentation.

use aemp::{Local, Node, port};

use crate::waiting::framework::{Framework, State, Wait, Waiter};

#[derive(Debug)]
pub(crate) struct Aemp(Node);

struct Rester(State);

#[port]
impl Rester {
    #[rcv]
    fn plain(&mut self, wait: Local<Wait>) {
        wait.0.work();
        self.0.did_one();
    }

    #[rcv]
    async fn rest(&mut self, wait: Local<Wait>) {
        wait.0.wait().await;
        self.0.did_one();
    }

    #[rcv]
    fn ask_plain(&mut self, wait: Local<Wait>) -> bool {
        wait.0.work();
        self.0.did_one();
        true
    }

    #[rcv]
    async fn ask(&mut self, wait: Local<Wait>) -> bool {
        wait.0.wait().await;
        self.0.did_one();
        true
    }
}

impl Framework for Aemp {
    type Waiter = ResterRef;

    fn start() -> Self {
        Self(Node::local().expect("called within a runtime"))
    }

    async fn waiter(&self, state: State) -> Self::Waiter {
        self.0.port(Rester(state))
    }
}

impl Waiter for ResterRef {
    fn rest(&self, wait: Wait) {
        match wait {
            Wait::Plain | Wait::Work(_) => drop(self.plain(Local(wait))),
            wait => drop(Self::rest(self, Local(wait))),
        }
    }

    async fn rested(&self, wait: Wait) {
        let done = match wait {
            Wait::Plain | Wait::Work(_) => self.ask_plain(Local(wait)).await,
            wait => self.ask(Local(wait)).await,
        };
        assert!(done.expect("the port answers"));
    }
}
