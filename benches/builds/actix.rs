use actix::{Actor, Context, Handler, Message};

#[derive(Default)]
struct Counter {
    sum: u64,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Add(u64);

#[derive(Message)]
#[rtype(result = "u64")]
struct Get;

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Add> for Counter {
    type Result = ();

    fn handle(&mut self, Add(number): Add, _: &mut Context<Self>) {
        self.sum += number;
    }
}

impl Handler<Get> for Counter {
    type Result = u64;

    fn handle(&mut self, _: Get, _: &mut Context<Self>) -> u64 {
        self.sum
    }
}

#[actix::main]
async fn main() {
    let counter = Counter::default().start();
    counter.do_send(Add(41));
    counter.do_send(Add(1));
    assert_eq!(counter.send(Get).await.unwrap(), 42);
}
