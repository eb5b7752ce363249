use kameo::{Actor, actor::Spawn, message::{Context, Message}};

#[derive(Actor, Default)]
struct Counter {
    sum: u64,
}

struct Add(u64);
struct Get;

impl Message<Add> for Counter {
    type Reply = ();

    async fn handle(&mut self, Add(number): Add, _: &mut Context<Self, ()>) {
        self.sum += number;
    }
}

impl Message<Get> for Counter {
    type Reply = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self, u64>) -> u64 {
        self.sum
    }
}

#[tokio::main]
async fn main() {
    let counter = Counter::spawn(Counter::default());
    counter.tell(Add(41)).await.unwrap();
    counter.tell(Add(1)).await.unwrap();
    assert_eq!(counter.ask(Get).await.unwrap(), 42);
}
