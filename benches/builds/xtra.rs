use xtra::{Actor, Context, Handler, Mailbox};

#[derive(Default)]
struct Counter {
    sum: u64,
}

struct Add(u64);
struct Get;

impl Actor for Counter {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Add> for Counter {
    type Return = ();

    async fn handle(&mut self, Add(number): Add, _: &mut Context<Self>) {
        self.sum += number;
    }
}

impl Handler<Get> for Counter {
    type Return = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self>) -> u64 {
        self.sum
    }
}

#[tokio::main]
async fn main() {
    let counter = xtra::spawn_tokio(Counter::default(), Mailbox::unbounded());
    counter.send(Add(41)).await.unwrap();
    counter.send(Add(1)).await.unwrap();
    assert_eq!(counter.send(Get).await.unwrap(), 42);
}
