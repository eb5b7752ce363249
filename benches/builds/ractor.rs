use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

struct Counter;

#[derive(Debug)]
enum Message {
    Add(u64),
    Get(RpcReplyPort<u64>),
}

impl Actor for Counter {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Message>, message: Message, sum: &mut u64) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Add(number) => *sum += number,
            Message::Get(reply) => drop(reply.send(*sum)),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let (counter, _) = Actor::spawn(None, Counter, ()).await.unwrap();
    counter.cast(Message::Add(41)).unwrap();
    counter.cast(Message::Add(1)).unwrap();
    assert_eq!(counter.call(Message::Get, None).await.unwrap().unwrap(), 42);
}
