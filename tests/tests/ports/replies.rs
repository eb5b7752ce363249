//! The callee's side of calls within one node: the presence of callers, and the errors that they get.

use std::{
    pin::pin,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use aemp::{CallError, Handle, Local, Message, Value, cal, msg, port, protocol};
use aemp_tests::keeper::Keeper;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::oneshot;

use crate::{many_threads, node, on_both, settle, until, within};

const LONG: Duration = Duration::from_secs(600);

/// The same from afar: messages are encoded.
#[protocol]
trait Encoded {
    fn keep(&self) -> u8;
    fn panics(&self) -> u8;
}

async fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    let mut future = Some(future);
    std::future::poll_fn(|task| {
        Poll::Ready(future.take().expect("polled once").as_mut().poll(task))
    })
    .await
}

#[test]
fn replies_know_if_they_are_wanted() {
    on_both(|| async {
        let node = node();
        let port = node.port(Keeper::default());
        let encoded: EncodedRef = node.handle(&port.id());
        let mut typed = Box::pin(port.keep());
        let mut untyped = Box::pin(encoded.keep());
        assert!(poll_once(typed.as_mut()).await.is_pending());
        assert!(poll_once(untyped.as_mut()).await.is_pending());
        assert_eq!(within(port.wanted()).await.unwrap(), 2);
        drop(typed);
        assert_eq!(within(port.wanted()).await.unwrap(), 1);
        drop(untyped);
        assert_eq!(within(port.wanted()).await.unwrap(), 0);
        let over = port.keep().timeout(Duration::from_millis(1)).await;
        assert!(matches!(over, Err(CallError::Timeout)));
        let over = encoded.keep().timeout(Duration::from_millis(1)).await;
        assert!(matches!(over, Err(CallError::Timeout)));
        assert_eq!(within(port.wanted()).await.unwrap(), 0);
    });
}

#[test]
fn the_callers_going_can_be_awaited() {
    on_both(|| async {
        let node = node();
        let port = node.port(Keeper::default());
        let encoded: EncodedRef = node.handle(&port.id());
        let mut typed = Box::pin(port.keep());
        let mut untyped = Box::pin(encoded.keep());
        assert!(poll_once(typed.as_mut()).await.is_pending());
        assert!(poll_once(untyped.as_mut()).await.is_pending());
        let told: [oneshot::Receiver<()>; 2] = std::array::from_fn(|_| {
            let (tell, told) = oneshot::channel();
            port.watch(Local(tell));
            told
        });
        settle(&port).await;
        let [mut first, mut second] = told;
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
        drop((typed, untyped));
        within(first).await.unwrap();
        within(second).await.unwrap();
    });
}

#[test]
fn dropped_replies_and_deaths_are_distinguished() {
    on_both(|| async {
        let node = node();
        let port = node.port(Keeper::default());
        let encoded: EncodedRef = node.handle(&port.id());
        for limit in [None, Some(LONG)] {
            let mut call = encoded.keep();
            if let Some(limit) = limit {
                call = call.timeout(limit);
            }
            let mut call = pin!(call);
            assert!(poll_once(call.as_mut()).await.is_pending());
            port.forget();
            let end = within(call).await;
            assert!(matches!(end, Err(CallError::NoReply)), "{end:?}");
        }
        // A panicking handler drops its reply before the port is dead, and its caller is told of the death all the
        // same.
        let end = within(encoded.panics().timeout(LONG)).await;
        assert!(matches!(end, Err(CallError::Died(_))), "{end:?}");
        let end = within(encoded.keep().timeout(LONG)).await;
        assert!(matches!(end, Err(CallError::Died(_))), "{end:?}");
        let end = within(cal!(node, port, "keep").timeout(LONG)).await;
        assert!(matches!(end, Err(CallError::Died(_))), "{end:?}");
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn calls_work_outside_of_a_runtime() {
    let runtime = many_threads();
    let node = runtime.block_on(async { node() });
    let port = node.port(Keeper::default());
    let encoded: EncodedRef = node.handle(&port.id());
    assert_eq!(block_on(port.wanted()).unwrap(), 0);
    let short = Duration::from_millis(20);
    for _ in 0..2 {
        let end = block_on(port.keep().timeout(short));
        assert!(matches!(end, Err(CallError::Timeout)), "{end:?}");
        let end = block_on(encoded.keep().timeout(short));
        assert!(matches!(end, Err(CallError::Timeout)), "{end:?}");
    }
}

/// Runs a future on this thread, which belongs to no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = std::sync::Arc::new(Unpark(thread::current())).into();
    let mut task = std::task::Context::from_waker(&waker);
    let mut future = pin!(future);
    let begun = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it takes too long"
        );
        thread::park_timeout(Duration::from_secs(1));
    }
}

#[test]
fn a_time_limit_without_a_runtime_is_an_error() {
    let runtime = many_threads();
    let node = runtime.block_on(async { node() });
    let silent = node.empty_port();
    let encoded: EncodedRef = node.handle(&silent.id());
    drop(runtime);
    let end = block_on(encoded.keep().timeout(Duration::from_millis(1)));
    assert!(
        matches!(end, Err(CallError::Died(_) | CallError::Timeout)),
        "{end:?}"
    );
}

/// Answers with lists.
struct Lists;

#[port]
impl Lists {
    #[rcv]
    fn value(&self, of: Value) -> Value {
        of
    }

    #[rcv]
    fn values(&self, of: Vec<Value>) -> Vec<Value> {
        of
    }
}

#[protocol]
trait Any {
    fn value(&self, of: Value) -> Value;
    fn values(&self, of: Vec<Value>) -> Value;
}

#[protocol]
trait Certain {
    fn values(&self, of: Vec<Value>) -> Vec<u8>;
    fn value(&self, of: Value) -> u8;
}

#[test]
fn lists_arrive_as_they_were_sent() {
    on_both(|| async {
        let node = node();
        let port = node.port(Lists);
        let any: AnyRef = node.handle(&port.id());
        let certain: CertainRef = node.handle(&port.id());
        for list in [
            msg![],
            msg![1],
            msg![1, 2],
            msg![Value::Null],
            msg![msg![1]],
            msg![msg![]],
        ] {
            let value = Value::Array(list.clone());
            assert_eq!(within(any.value(value.clone())).await.unwrap(), value);
            assert_eq!(within(any.values(list)).await.unwrap(), value);
        }
        for single in [Value::Null, 1.into(), "x".into()] {
            assert_eq!(within(any.value(single.clone())).await.unwrap(), single);
        }
        assert_eq!(within(certain.values(msg![1])).await.unwrap(), [1]);
        assert_eq!(within(certain.value(msg![1].into())).await.unwrap(), 1);
        // Untyped callers see the values, as callers in Perl do.
        assert_eq!(
            within(cal!(node, port, "values", msg![1])).await.unwrap(),
            msg![1]
        );
    });
}

/// Reads and writes itself with a side effect.
#[derive(Debug)]
struct Odd(u8);

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != 13, "in Serialize");
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let n = u8::deserialize(deserializer)?;
        assert!(n != 7, "in Deserialize");
        Ok(Self(n))
    }
}

#[protocol]
trait Oddly {
    #[rcv("value")]
    fn odd(&self, of: Value) -> Odd;
    #[rcv("values")]
    fn send_odd(&self, of: Vec<Odd>) -> u8;
}

fn handle<R: aemp::PortRef>(node: &aemp::Node, port: &Handle<impl Message>) -> R {
    node.handle(&port.id())
}

#[test]
fn panics_of_serde_hit_the_caller_alone() {
    on_both(|| async {
        let node = node();
        let port = node.port(Lists);
        let oddly: OddlyRef = handle(&node, &port);
        let end = within(oddly.odd(7.into())).await;
        assert!(matches!(end, Err(CallError::Answer(_))), "{end:?}");
        assert!(end.unwrap_err().to_string().contains("in Deserialize"));
        let end = within(oddly.send_odd(vec![Odd(13)])).await;
        assert!(matches!(end, Err(CallError::Send(_))), "{end:?}");
        assert!(end.unwrap_err().to_string().contains("in Serialize"));
        assert_eq!(within(oddly.odd(8.into())).await.unwrap().0, 8);
        until(|| node.port_count() == 1).await;
    });
}

#[test]
fn an_answer_that_cannot_be_encoded_ends_the_call() {
    struct Ratio;

    #[port]
    impl Ratio {
        #[rcv]
        fn of(&self, a: f64, b: f64) -> f64 {
            a / b
        }
    }

    #[protocol(msg = FarRatioMsg)]
    trait FarRatio {
        fn of(&self, a: f64, b: f64) -> f64;
    }

    on_both(|| async {
        let node = node();
        let port = node.port(Ratio);
        let far: FarRatioRef = handle(&node, &port);
        let end = within(far.of(0.0, 0.0)).await;
        assert!(matches!(end, Err(CallError::Answer(_))), "{end:?}");
        assert!(within(port.of(0.0, 0.0)).await.unwrap().is_nan());
        let end = within(cal!(node, port, "of", 0.0, 0.0)).await;
        assert!(matches!(end, Err(CallError::Answer(_))), "{end:?}");
    });
}
