//! The functions of AnyEvent::MP, in Rust.

use std::{error::Error, time::Duration};

use aemp::{Args, Cx, Node, args, cal, msg, receive, snd};

// ANCHOR: spawned
fn counter(cx: &mut Cx<'_>, mut args: Args) {
    let start = args.pop().and_then(|start| start.as_i64());
    let mut sum = start.unwrap_or(0);
    cx.rcv("inc", move |cx, args| {
        sum += args[0].as_i64().ok_or("no number")?;
        println!("{} is at {sum}", cx.node().id());
        Ok::<_, &str>(())
    });
}
// ANCHOR_END: spawned

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // ANCHOR: configure
    let node = Node::builder()
        .node_id("rust")
        .secret("between friends")
        .bind("127.0.0.1:*")
        .init("My::counter", counter)
        .start()
        .await?;
    // ANCHOR_END: configure

    // ANCHOR: rcv
    let port = node.empty_port().id();
    node.rcv(&port, "test", |_cx, args| {
        println!("test: {args:?}");
    })?;
    snd!(node, port, "test", 123);
    // ANCHOR_END: rcv

    // Lines of two ports have no order.
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let mut done = Some(done);
    node.rcv(&port, "done", move |_cx, _args| drop(done.take()))?;
    snd!(node, port, "done");
    let _ = is_done.await;

    // ANCHOR: port
    let echo = node.untyped(|cx, mut message: Args| {
        let reply = message.pop().ok_or("no reply port")?;
        cx.node().snd_list(&[reply], message);
        Ok::<_, &str>(())
    });
    // ANCHOR_END: port

    // ANCHOR: cal
    let answer = cal!(node, echo, "hello", 7)
        .timeout(Duration::from_secs(5))
        .await?;
    println!("{answer:?}");
    // ANCHOR_END: cal

    // ANCHOR: mon
    let monitor = node.mon(&port, |reason| {
        println!("it has died: {reason}");
    });
    // ANCHOR_END: mon
    let ended = node.closed(&port);

    // ANCHOR: kil
    node.kil(&port, msg!["bored", "no work"]);
    // ANCHOR_END: kil
    ended.await;
    drop(monitor);

    // ANCHOR: spawn
    let counter = node.spawn("rust", "My::counter", args![40]);
    snd!(node, counter, "inc", 2);
    // ANCHOR_END: spawn

    let ended = node.closed(&counter);
    // ANCHOR: error
    snd!(node, counter, "inc", "two");
    // ANCHOR_END: error
    println!("{}", ended.await);

    // ANCHOR: psub
    let sleeper = node.untyped(|cx, _: Args| {
        cx.after(Duration::from_millis(10), |_| Err::<(), _>("oops"));
    });
    // ANCHOR_END: psub
    snd!(node, sleeper, "go");
    println!("{}", sleeper.closed().await);

    // ANCHOR: db
    let worker = node.empty_port();
    node.db_reg("workers", &worker.id(), ())?;
    let workers = node.db_keys("workers").await?;
    // ANCHOR_END: db
    println!("{} worker", workers.len());

    // ANCHOR: coro
    let process = node.process(|inbox| async move {
        let name = inbox.get("name").await;
        receive! { inbox,
            ("greet", word: String) => println!("{word}, {:?}", name[0]),
            after Duration::from_secs(5) => println!("timeout"),
        }
    });
    // ANCHOR_END: coro
    snd!(node, process, "greet", "hello");
    snd!(node, process, "name", "you");
    process.closed().await;

    node.stop().await;
    Ok(())
}
