//! Ports that wait for each other's answers: the call that closes the circle is refused, and no other call.

mod random;

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{Call, CallError, Cx, Local, Reply, port};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep},
};

use crate::node;

const MINUTE: Duration = Duration::from_secs(60);

/// A port that calls another one, which may be itself.
#[derive(Default)]
struct Link {
    next: Option<LinkRef>,
    /// A call that is waited for later.
    kept: Option<std::pin::Pin<Box<Call<LinkMsg, i64>>>>,
}

#[port]
impl Link {
    #[rcv]
    fn set_next(&mut self, next: LinkRef) {
        self.next = Some(next);
    }

    #[rcv]
    fn value(&self) -> i64 {
        7
    }

    /// Answers from elsewhere after a while.
    #[rcv]
    fn later(&self, ms: u64, reply: Reply<i64>) {
        tokio::spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            reply.send(8);
        });
    }

    /// Answers after a while, beside the other handlers.
    #[rcv(concurrent = 2)]
    async fn slowly(wait: Duration) -> i64 {
        sleep(wait).await;
        9
    }

    #[rcv]
    async fn ask_slowly(&mut self, wait: Duration) -> String {
        let answer = self.next().slowly(wait).await;
        answer.map_or_else(text, |n| n.to_string())
    }

    #[rcv]
    async fn ask(&mut self) -> String {
        self.next()
            .value()
            .await
            .map_or_else(text, |n| n.to_string())
    }

    #[rcv]
    async fn ask_for_later(&mut self, ms: u64) -> String {
        let answer = self.next().later(ms).await;
        answer.map_or_else(text, |n| n.to_string())
    }

    /// Asks the port behind the next one, and so on.
    #[rcv]
    async fn around(&mut self, steps: u64) -> String {
        if steps == 0 {
            return self.ask().await;
        }
        self.next().around(steps - 1).await.unwrap_or_else(text)
    }

    /// As `around`, with the means to go on without an answer.
    #[rcv]
    async fn with_a_way_out(&mut self, out: Local<Out>) -> String {
        let call = self.next().ask();
        match out.0 {
            Out::Limit(limit) => call.timeout(limit).await.unwrap_or_else(text),
            Out::Sleep(limit) => tokio::select! {
                answer = call => answer.unwrap_or_else(text),
                () = sleep(limit) => "slept".into(),
            },
            Out::Told(told) => tokio::select! {
                answer = call => answer.unwrap_or_else(text),
                () = told.notified() => "told".into(),
            },
            Out::Task => {
                let task = tokio::spawn(async move { tokio::time::timeout(MINUTE, call).await });
                format!("{:?}", task.await.unwrap().is_err())
            }
        }
    }

    /// Gives its own reply away, and then waits for the next port.
    #[rcv]
    async fn give_away(&mut self, ms: u64, reply: Reply<String>) {
        tokio::spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            reply.send("given".into());
        });
        let _ = self.next().value().await;
    }

    #[rcv]
    async fn ask_to_give_away(&mut self, ms: u64) -> String {
        self.next().give_away(ms).await.unwrap_or_else(text)
    }

    /// Keeps a call of itself that is sent and not waited for.
    #[rcv]
    async fn keep(&mut self, ms: u64) {
        let mut call = Box::pin(self.next().later(ms));
        let polled = std::future::poll_fn(|task| std::task::Poll::Ready(call.as_mut().poll(task)));
        assert!(polled.await.is_pending());
        self.kept = Some(call);
    }

    #[rcv]
    async fn kept(&mut self) -> i64 {
        self.kept.take().unwrap().await.unwrap()
    }

    /// Calls itself with a message that does not contain the reply.
    #[rcv]
    async fn by_hand(&mut self, ms: u64) -> i64 {
        let call = self.next().call(|reply: Reply<i64>| {
            tokio::spawn(async move {
                sleep(Duration::from_millis(ms)).await;
                reply.send(9);
            });
            LinkMsg::Value(Reply::none())
        });
        call.await.unwrap()
    }

    /// Waits for a circle and for a port that answers.
    #[rcv]
    async fn both(&mut self, healthy: LinkRef) -> String {
        let (first, second) = tokio::join!(self.next().value(), healthy.slow(5000));
        format!(
            "{} {}",
            first.map_or_else(text, |n| n.to_string()),
            second.unwrap()
        )
    }

    #[rcv]
    async fn slow(&mut self, ms: u64) -> i64 {
        sleep(Duration::from_millis(ms)).await;
        6
    }

    #[rcv]
    async fn held(&mut self, gate: Local<oneshot::Receiver<()>>) -> i64 {
        let _ = gate.0.await;
        5
    }

    #[rcv]
    async fn ask_held(&mut self, gate: Local<oneshot::Receiver<()>>) -> i64 {
        self.next().held(gate).await.unwrap()
    }
}

enum Out {
    Limit(Duration),
    Sleep(Duration),
    Told(Arc<Notify>),
    Task,
}

impl Link {
    fn next(&self) -> &LinkRef {
        self.next.as_ref().unwrap()
    }
}

fn text(error: CallError) -> String {
    match error {
        CallError::Circle(text) => format!("circle: {text}"),
        error => error.to_string(),
    }
}

/// Ports in a ring, all of them idle.
async fn ring<const N: usize>() -> [LinkRef; N] {
    let node = node();
    let ports = std::array::from_fn(|_| node.port(Link::default()));
    for (nth, port) in ports.iter().enumerate() {
        let next: &LinkRef = &ports[(nth + 1) % N];
        port.set_next(next.clone());
        assert_eq!(port.value().await.unwrap(), 7);
    }
    ports
}

/// The outcome within a time that only a hanging call exceeds.
async fn in_time<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(100 * MINUTE, future);
    limit.await.expect("it hangs")
}

#[tokio::test(start_paused = true)]
async fn a_port_that_calls_itself() {
    let [port] = ring::<1>().await;
    let (began, id) = (Instant::now(), port.id());
    let name = std::any::type_name::<Link>();
    let expected = format!("circle: `ask` of {id} ({name}) -> {id}");
    assert_eq!(in_time(port.ask()).await.unwrap(), expected);
    assert!(began.elapsed() < Duration::from_secs(2));
    let error = in_time(port.ask_for_later(1)).await.unwrap();
    assert!(error.starts_with("circle: `ask_for_later` of "), "{error}");
    assert_eq!(in_time(port.value()).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_circle_of_ports_is_broken_once() {
    let ports = ring::<2>().await;
    let answer = in_time(ports[0].around(1)).await.unwrap();
    let [a, b] = [&ports[0], &ports[1]].map(|port| port.id());
    // The second port has asked the first one, which waits.
    assert!(
        answer.starts_with(&format!("circle: `around` of {b} (")),
        "{answer}"
    );
    assert!(
        answer.contains(&format!("-> `around` of {a} (")),
        "{answer}"
    );
    assert!(answer.ends_with(&format!("-> {b}")), "{answer}");
    let ports = ring::<5>().await;
    let answer = in_time(ports[0].around(4)).await.unwrap();
    assert_eq!(answer.matches("`around` of ").count(), 5, "{answer}");
    for port in &ports {
        assert_eq!(in_time(port.value()).await.unwrap(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_waits_for_a_circle_gets_its_answer() {
    let node = node();
    let [a, b] = ring::<2>().await;
    let outside = node.port(Link::default());
    outside.set_next(a.clone());
    let around = tokio::spawn(a.around(1).into_future());
    tokio::task::yield_now().await;
    assert_eq!(in_time(outside.ask()).await.unwrap(), "7");
    assert!(
        in_time(around)
            .await
            .unwrap()
            .unwrap()
            .starts_with("circle: ")
    );
    assert_eq!(in_time(b.value()).await.unwrap(), 7);
}

/// A port that ends with its handles, and calls another one.
#[derive(Default)]
struct Held {
    next: Option<HeldRef>,
}

#[port(owned)]
impl Held {
    #[rcv]
    fn set_next(&mut self, next: HeldRef) {
        self.next = Some(next);
    }

    #[rcv]
    fn value(&self) -> i64 {
        7
    }

    #[rcv]
    fn later(&self, reply: Reply<i64>) {
        reply.send(8);
    }

    #[rcv]
    async fn ask(&mut self) -> String {
        let next = self.next.take().unwrap();
        next.value().await.map_or_else(text, |n| n.to_string())
    }

    #[rcv]
    async fn ask_for_later(&mut self, cx: &mut Cx<'_>) -> String {
        let me: HeldRef = cx.me().unwrap();
        me.later().await.map_or_else(text, |n| n.to_string())
    }

    #[rcv]
    async fn around(&mut self) -> String {
        let next = self.next.take().unwrap();
        next.ask().await.unwrap_or_else(text)
    }
}

#[tokio::test(start_paused = true)]
async fn owned_ports_are_no_exception() {
    let node = node();
    let [a, b] = [(); 2].map(|()| node.port(Held::default()));
    a.set_next(a.clone());
    let answer = in_time(a.ask()).await.unwrap();
    assert!(answer.starts_with("circle: `ask` of "), "{answer}");
    let answer = in_time(a.ask_for_later()).await.unwrap();
    assert!(
        answer.starts_with("circle: `ask_for_later` of "),
        "{answer}"
    );
    a.set_next(b.clone());
    b.set_next(a.clone());
    let answer = in_time(a.around()).await.unwrap();
    assert!(answer.starts_with("circle: `"), "{answer}");
    assert_eq!(answer.matches("` of ").count(), 2, "{answer}");
    // Nothing that the searches have kept holds the ports.
    let ends = [a.closed(), b.closed()];
    drop((a, b));
    for end in ends {
        assert!(in_time(end).await.is_normal());
    }
}

/// A concurrent handler answers although its port waits for the caller.
#[tokio::test(start_paused = true)]
async fn concurrent_handlers_are_waited_for() {
    let [a, b] = ring::<2>().await;
    let beside = tokio::spawn(b.ask_slowly(MINUTE).into_future());
    sleep(Duration::from_millis(1)).await;
    assert_eq!(in_time(a.ask()).await.unwrap(), "7");
    assert_eq!(in_time(beside).await.unwrap().unwrap(), "9");
}

#[tokio::test(start_paused = true)]
async fn a_way_out_is_waited_for() {
    let told = Arc::new(Notify::new());
    let telling = Arc::clone(&told);
    tokio::spawn(async move {
        sleep(10 * MINUTE).await;
        telling.notify_one();
    });
    let outs = [
        (Out::Limit(MINUTE), "no answer in time"),
        (Out::Sleep(MINUTE), "slept"),
        (Out::Told(told), "told"),
        (Out::Task, "true"),
    ];
    for (out, expected) in outs {
        let [a, b] = ring::<2>().await;
        // The first port asks the second, which asks the first: in vain, until the first gives up.
        assert_eq!(
            in_time(a.with_a_way_out(Local(out))).await.unwrap(),
            expected
        );
        assert_eq!(in_time(b.value()).await.unwrap(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn replies_that_were_given_away_are_waited_for() {
    let [a, _b] = ring::<2>().await;
    assert_eq!(in_time(a.ask_to_give_away(100_000)).await.unwrap(), "given");
    let [port] = ring::<1>().await;
    // The port's own call is answered from outside.
    port.keep(100_000);
    assert_eq!(in_time(port.value()).await.unwrap(), 7);
    assert_eq!(in_time(port.kept()).await.unwrap(), 8);
    assert_eq!(in_time(port.by_hand(100_000)).await.unwrap(), 9);
}

#[tokio::test(start_paused = true)]
async fn one_of_several_calls_is_enough_to_go_on() {
    let [port] = ring::<1>().await;
    let healthy = node().port(Link::default());
    let began = Instant::now();
    // The call of itself is refused when nothing else is left to wait for.
    let answer = in_time(port.both(healthy)).await.unwrap();
    assert!(
        answer.starts_with("circle: ") && answer.ends_with(" 6"),
        "{answer}"
    );
    assert!(began.elapsed() >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn slow_ports_are_waited_for() {
    let ports = ring::<3>().await;
    let [a, b, _] = &ports;
    let (open, gate) = oneshot::channel();
    let waiting = tokio::spawn(a.ask_held(Local(gate)).into_future());
    tokio::task::yield_now().await;
    // These find ports at work, so they are watched.
    let more: Vec<_> = (0..5)
        .map(|_| tokio::spawn(ports[2].ask().into_future()))
        .collect();
    let behind = tokio::spawn(b.value().into_future());
    sleep(10 * MINUTE).await;
    assert!(!waiting.is_finished() && !behind.is_finished());
    open.send(()).unwrap();
    assert_eq!(in_time(waiting).await.unwrap().unwrap(), 5);
    assert_eq!(in_time(behind).await.unwrap().unwrap(), 7);
    for one in more {
        assert_eq!(in_time(one).await.unwrap().unwrap(), "7");
    }
}

struct Early(Arc<Mutex<Option<String>>>);

#[port]
impl Early {
    #[start]
    async fn start(&mut self, cx: &mut Cx<'_>) {
        let me: EarlyRef = cx.me().unwrap();
        let answer = me.value().await.map_or_else(text, |n| n.to_string());
        *self.0.lock().unwrap() = Some(answer);
    }

    #[rcv]
    fn value(&self) -> i64 {
        1
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_calls_its_own_port() {
    let told = Arc::default();
    let port = node().port(Early(Arc::clone(&told)));
    assert_eq!(in_time(port.value()).await.unwrap(), 1);
    let told = told.lock().unwrap().take().unwrap();
    assert!(told.starts_with("circle: `#[start]` of "), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_a_circle_as_ever() {
    let [a, b] = ring::<2>().await;
    let around = tokio::spawn(a.around(1).into_future());
    sleep(Duration::from_millis(500)).await;
    b.kill("enough");
    assert!(in_time(around).await.unwrap().unwrap().contains("enough"));
    sleep(MINUTE).await;
    assert_eq!(in_time(a.value()).await.unwrap(), 7);
}

/// A type with more handlers than the executor tells apart.
struct Many;

#[port]
impl Many {
    #[rcv]
    fn h0(&self) {}

    #[rcv]
    fn h1(&self) {}

    #[rcv]
    fn h2(&self) {}

    #[rcv]
    fn h3(&self) {}

    #[rcv]
    fn h4(&self) {}

    #[rcv]
    fn h5(&self) {}

    #[rcv]
    fn h6(&self) {}

    #[rcv]
    fn h7(&self) {}

    #[rcv]
    fn h8(&self) {}

    #[rcv]
    fn h9(&self) {}

    #[rcv]
    fn h10(&self) {}

    #[rcv]
    fn h11(&self) {}

    #[rcv]
    fn h12(&self) {}

    #[rcv]
    fn h13(&self) {}

    #[rcv]
    fn h14(&self) {}

    #[rcv]
    fn h15(&self) {}

    #[rcv]
    fn h16(&self) {}

    #[rcv]
    fn h17(&self) {}

    #[rcv]
    fn h18(&self) {}

    #[rcv]
    fn h19(&self) {}

    #[rcv]
    fn h20(&self) {}

    #[rcv]
    fn h21(&self) {}

    #[rcv]
    fn h22(&self) {}

    #[rcv]
    async fn ask_myself(&mut self, me: ManyRef) -> String {
        text(me.ask_myself(me.clone()).await.unwrap_err())
    }
}

/// The 24th handler once had the number of code that is not a handler.
#[tokio::test(start_paused = true)]
async fn a_circle_names_the_last_of_many_handlers() {
    let many = node().port(Many);
    let answer = many.ask_myself(many.clone()).await.unwrap();
    assert!(answer.starts_with("circle: `ask_myself` of "), "{answer}");
}
