//! Tracers that kill, panic and send.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

/// Kills from each method are heard: of plain handlers, and of async ones with and without waits.
#[tokio::test]
async fn a_tracer_may_kill_the_port_that_it_traces() {
    for method in ["begin", "context", "enter", "leave", "end"] {
        for handler in ["note", "slow_0", "slow_5"] {
            let victim = Arc::new(OnceLock::<LeafRef>::new());
            let shot = Arc::clone(&victim);
            let recorder = Recorder::with_hook(move |called, name| {
                if called == method
                    && name.starts_with("Leaf")
                    && let Some(victim) = shot.get()
                {
                    victim.kill("traced");
                }
            });
            let node = traced(&recorder);
            let leaf = victim.get_or_init(|| node.port(Leaf));
            match handler {
                "note" => drop(leaf.note("x".into())),
                "slow_0" => drop(leaf.slow(0).forget()),
                _ => drop(leaf.slow(5).forget()),
            }
            let reason = soon(leaf.closed()).await;
            assert_eq!(reason.to_string(), "traced", "{method} of {handler}");
        }
    }
}

#[tokio::test]
async fn a_tracer_that_panics_loses_its_span_alone() {
    for method in ["begin", "context", "enter", "leave", "end"] {
        let recorder = Recorder::with_hook(move |called, _| assert_ne!(called, method));
        let middle = middle(&traced(&recorder));
        for _ in 0..3 {
            assert_eq!(soon(middle.then()).await.unwrap(), 2, "{method}");
        }
        assert!(soon(middle.panic()).await.is_err());
    }
}

/// An exporter that uses ports would otherwise trace itself.
#[tokio::test]
async fn a_tracer_that_sends_is_not_traced() {
    let (sends, leaf) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::new()));
    let (counted, to) = (Arc::clone(&sends), Arc::<OnceLock<LeafRef>>::clone(&leaf));
    let recorder = Recorder::with_hook(move |method, name| {
        if name == "Middle.again"
            && let Some(to) = to.get()
        {
            to.note(method.into());
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let node = traced(&recorder);
    let leaf = leaf.get_or_init(|| node.port(Leaf));
    middle(&node).again();
    soon(async {
        while sends.load(Ordering::Relaxed) < 25 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    // Behind all of them in the queue.
    assert_eq!(soon(leaf.get(1)).await.unwrap(), 2);
    assert!(recorder.named("Leaf.note").is_empty());
}
