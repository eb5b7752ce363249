//! Streams of items within one node.

mod peers;

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use aemp::{
    Cx, Node, port,
    streamed::{ItemSink, SinkError, Streamed, StreamedError, WINDOW},
};
use futures_core::{FusedStream, Stream};

use crate::{node, on_both, until, within};

/// The numbers from 0 up, without an end unless one is given. Counts those that were taken.
struct Numbers {
    next: usize,
    end: Option<usize>,
    taken: Arc<AtomicUsize>,
}

impl Numbers {
    fn up_to(end: impl Into<Option<usize>>) -> Self {
        Self {
            next: 0,
            end: end.into(),
            taken: Arc::default(),
        }
    }
}

impl Stream for Numbers {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.end == Some(self.next) {
            return Poll::Ready(None);
        }
        self.next += 1;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(self.next - 1))
    }
}

/// A stream of these elements.
struct Listed<T>(VecDeque<T>);

impl<T: Unpin> Stream for Listed<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.pop_front())
    }
}

/// A stream that panics after its item.
struct Once(Option<usize>);

impl Stream for Once {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        let item = self.0.take();
        Poll::Ready(Some(item.unwrap_or_else(|| panic!("no more"))))
    }
}

/// A value that cannot be serialized.
#[derive(Debug, PartialEq)]
struct Solid(usize);

struct Source;

#[port(local)]
impl Source {
    #[rcv]
    fn count(&self, cx: &mut Cx<'_>, numbers: aemp::Local<Numbers>) -> Streamed<usize> {
        cx.streamed(numbers.0)
    }

    #[rcv]
    fn solid(&self, cx: &mut Cx<'_>, items: Streamed<Solid>) -> Streamed<Solid> {
        let (mut sink, streamed) = cx.node().streamed();
        cx.spawn(async move {
            let mut items = items;
            while let Some(Ok(item)) = items.next().await {
                sink.send(item).await?;
            }
            sink.finish();
            Ok::<_, SinkError>(())
        });
        streamed
    }

    #[rcv]
    fn results(&self, cx: &mut Cx<'_>) -> Streamed<usize> {
        cx.streamed_results(Listed(VecDeque::from([Ok(1), Err("no more"), Ok(3)])))
    }

    #[rcv]
    fn panic(&self, cx: &mut Cx<'_>) -> Streamed<usize> {
        cx.streamed(Once(Some(1)))
    }

    #[rcv]
    fn die(&self, cx: &mut Cx<'_>) {
        cx.kill("enough");
    }
}

fn halves<T: Send + 'static>() -> (Node, ItemSink<T>, Streamed<T>) {
    let node = node();
    let (sink, streamed) = node.streamed();
    (node, sink, streamed)
}

/// Sends numbers while there is room. Returns how many.
fn fill(sink: &mut ItemSink<usize>, most: usize) -> usize {
    (0..most)
        .take_while(|number| sink.try_send(*number) == Ok(None))
        .count()
}

#[test]
fn a_handler_returns_a_stream() {
    on_both(async || {
        let source = node().port(Source);
        let numbers = source.count(aemp::Local(Numbers::up_to(10_000))).await;
        let numbers = numbers.unwrap().collect().await;
        assert_eq!(numbers, Ok((0..10_000).collect::<Vec<_>>()));
    });
}

#[test]
fn items_are_moved_and_need_no_serde() {
    on_both(async || {
        let (node, mut sink, items) = halves();
        let source = node.port(Source);
        let mut back = source.solid(items).await.unwrap();
        for number in 0..1000 {
            sink.send(Solid(number)).await.unwrap();
            assert_eq!(back.next().await, Some(Ok(Solid(number))));
        }
        sink.finish();
        assert_eq!(back.next().await, None);
    });
}

/// The window bounds the items that wait, however many there are.
#[test]
fn a_stream_without_a_consumer_stops_at_its_window() {
    on_both(async || {
        let source = node().port(Source);
        let numbers = Numbers::up_to(None);
        let taken = Arc::clone(&numbers.taken);
        let mut streamed = source.count(aemp::Local(numbers)).await.unwrap();
        until(|| taken.load(Ordering::Relaxed) == WINDOW).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(taken.load(Ordering::Relaxed), WINDOW);
        for number in 0..WINDOW / 2 {
            assert_eq!(streamed.next().await, Some(Ok(number)));
        }
        until(|| taken.load(Ordering::Relaxed) == WINDOW + WINDOW / 2).await;
    });
}

#[tokio::test]
async fn the_consumer_sets_the_window() {
    let (_node, mut sink, streamed) = halves();
    assert_eq!(fill(&mut sink, 1000), WINDOW);
    let mut streamed = streamed.window(200);
    assert_eq!(fill(&mut sink, 1000), 200 - WINDOW);
    for _ in 0..100 {
        streamed.next().await;
    }
    assert_eq!(fill(&mut sink, 1000), 100);
    // Nothing is granted until as few items wait.
    let mut streamed = streamed.window(0);
    for _ in 0..199 {
        streamed.next().await;
        assert_eq!(fill(&mut sink, 1000), 0);
    }
    streamed.next().await;
    assert_eq!(fill(&mut sink, 1000), 1);
    let _streamed = streamed.window(1_000_000_000);
    assert_eq!(fill(&mut sink, 1 << 20), aemp::streamed::MOST_WINDOW - 1);
}

#[tokio::test]
async fn the_end_is_behind_the_items_and_lasts() {
    let (_node, mut sink, mut streamed) = halves();
    sink.send(1).await.unwrap();
    sink.finish();
    assert!(!streamed.is_terminated());
    assert_eq!(streamed.next().await, Some(Ok(1)));
    assert_eq!(streamed.next().await, None);
    assert!(streamed.is_terminated());
    assert_eq!(streamed.next().await, None);
}

#[tokio::test]
async fn a_stream_never_ends_short_without_an_error() {
    let (_node, mut sink, mut streamed) = halves();
    sink.send(1).await.unwrap();
    drop(sink);
    assert_eq!(streamed.next().await, Some(Ok(1)));
    let error = streamed.next().await.unwrap().unwrap_err();
    let text = "the stream has failed: no_end the sink was dropped before the end";
    assert_eq!(error.to_string(), text);
    assert_eq!(streamed.next().await, None);
    assert!(streamed.is_terminated());

    let (_node, sink, mut streamed) = halves::<u8>();
    sink.fail("empty");
    let error = Some(Err(StreamedError::Failed("empty".into())));
    assert_eq!(streamed.next().await, error);
    // The reason of a normal end would be an end.
    let (_node, sink, streamed) = halves::<u8>();
    sink.fail(());
    let error = streamed.collect().await.unwrap_err().to_string();
    assert!(error.contains("no_end"), "{error}");
}

#[test]
fn the_death_of_the_port_is_an_error() {
    on_both(async || {
        let source = node().port(Source);
        let numbers = source.count(aemp::Local(Numbers::up_to(None))).await;
        let mut numbers = numbers.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        source.die();
        let mut count = 1;
        let error = loop {
            match numbers.next().await.expect("an error comes first") {
                Ok(number) => assert_eq!(number, count),
                Err(error) => break error,
            }
            count += 1;
        };
        assert_eq!(error, StreamedError::Failed("enough".into()));
        assert_eq!(numbers.next().await, None);
    });
}

/// The consumer and the monitors get the text of the panic.
#[test]
fn a_stream_that_panics_is_an_error() {
    on_both(async || {
        let source = node().port(Source);
        let mut numbers = source.panic().await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(1)));
        let reason = aemp::Reason::die("no more");
        let error = StreamedError::Failed(reason.clone());
        assert_eq!(numbers.next().await, Some(Err(error)));
        assert_eq!(numbers.next().await, None);
        assert_eq!(within(source.closed()).await, reason);
    });
}

#[tokio::test]
async fn the_first_error_of_a_stream_of_results_ends_it() {
    let source = node().port(Source);
    let mut results = source.results().await.unwrap();
    assert_eq!(results.next().await, Some(Ok(1)));
    let error = Some(Err(StreamedError::Failed(aemp::Reason::die("no more"))));
    assert_eq!(results.next().await, error);
    assert_eq!(results.next().await, None);
}

#[test]
fn a_dropped_consumer_cancels_the_sender() {
    on_both(async || {
        let (_node, mut sink, streamed) = halves();
        assert!(!sink.is_closed());
        drop(streamed);
        assert!(sink.closed().await.is_normal() && sink.is_closed());
        let gone = sink.send(1).await.unwrap_err();
        assert_eq!(gone, SinkError::Gone(().into()));
        assert_eq!(gone.to_string(), "the consumer is gone");
        // A sender that waits hears of it, and so does a stream that has nothing to send.
        let (node, mut sink, streamed) = halves();
        fill(&mut sink, WINDOW);
        let full = tokio::spawn(async move { sink.send(1).await });
        let (sink, idle) = node.streamed::<usize>();
        let forward = tokio::spawn(sink.forward(Endless));
        tokio::task::yield_now().await;
        drop((streamed, idle));
        assert_eq!(full.await.unwrap(), Err(gone.clone()));
        assert_eq!(forward.await.unwrap(), Err(gone));
    });
}

/// A stream that has no item and no end.
struct Endless;

impl Stream for Endless {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Pending
    }
}

/// An answer that the caller does not take is dropped, and its stream with it.
#[test]
fn a_caller_that_has_left_cancels_the_stream() {
    on_both(async || {
        let source = node().port(Source);
        let numbers = Numbers::up_to(None);
        let taken = Arc::downgrade(&numbers.taken);
        source.count(aemp::Local(numbers)).forget();
        until(|| taken.strong_count() == 0).await;
    });
}

#[tokio::test]
async fn a_send_that_is_dropped_has_sent_nothing() {
    let (_node, mut sink, mut streamed) = halves();
    assert_eq!(fill(&mut sink, WINDOW), WINDOW);
    let timeout = tokio::time::timeout(std::time::Duration::from_millis(1), sink.send(7_000));
    assert!(timeout.await.is_err());
    for number in 0..WINDOW {
        assert_eq!(streamed.next().await, Some(Ok(number)));
    }
    sink.finish();
    assert_eq!(streamed.next().await, None);
}

#[tokio::test]
async fn a_sink_follows_the_conventions_of_futures() {
    use futures_sink::Sink;
    let (_node, mut sink, mut streamed) = halves();
    let mut task = Context::from_waker(std::task::Waker::noop());
    let ready = Poll::Ready(Ok(()));
    assert_eq!(Pin::new(&mut sink).poll_ready(&mut task), ready);
    assert_eq!(Pin::new(&mut sink).start_send(1), Ok(()));
    assert_eq!(Pin::new(&mut sink).poll_flush(&mut task), ready);
    assert_eq!(Pin::new(&mut sink).poll_close(&mut task), ready);
    assert_eq!(Pin::new(&mut sink).start_send(2), Err(SinkError::Ended));
    assert_eq!(within(sink.send(2)).await, Err(SinkError::Ended));
    assert!(sink.closed().await.is_normal());
    assert_eq!(streamed.next().await, Some(Ok(1)));
    assert_eq!(streamed.next().await, None);
}

/// A producer and a consumer that never wait still let the other tasks of their worker run.
#[tokio::test]
async fn a_fast_stream_yields() {
    let (_node, sink, streamed) = halves();
    let running = tokio::spawn(async move {
        let count = async { streamed.window(50_000).collect().await };
        tokio::join!(sink.forward(Numbers::up_to(5_000_000)), count)
    });
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    assert!(!running.is_finished(), "the timer has had its turn");
    running.abort();
}

#[tokio::test]
async fn items_that_panic_when_they_are_dropped_harm_no_one() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in an item's drop");
        }
    }
    let (node, mut sink, streamed) = halves();
    // Two panics in one drop would end the process.
    for _ in 0..3 {
        sink.send(Bomb).await.unwrap();
    }
    drop(streamed);
    assert!(sink.closed().await.is_normal());
    let (mut sink, mut streamed) = node.streamed();
    for _ in 0..3 {
        sink.send(Bomb).await.unwrap();
    }
    // The consumer has two more that it has not been given.
    std::mem::forget(streamed.next().await);
    drop(streamed);
    assert!(sink.closed().await.is_normal());
}
