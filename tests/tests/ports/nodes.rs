//! Several nodes in one process, and threads that are none of theirs.

use std::{
    sync::Arc,
    task::{Context, Wake},
    thread,
    time::Duration,
};

use aemp::{Cx, Node, PortId, StartError, args, msg, port, snd};
use tokio::sync::oneshot;

use crate::{
    Journal, Recorder, RecorderRef, death, many_threads, node, on_both, one_thread, settle, watch,
    within,
};

/// Talks to a port of another node.
struct Bridge {
    other: RecorderRef,
}

#[port]
impl Bridge {
    #[rcv]
    fn forward(&self, n: i64) {
        self.other.add(n);
    }

    #[rcv]
    async fn total(&mut self) -> i64 {
        self.other.count().await.unwrap_or(-1)
    }

    #[rcv]
    fn link_both(&self, cx: &mut Cx<'_>) {
        cx.link(&self.other).detach();
    }
}

#[test]
fn handles_reach_other_nodes_of_the_process() {
    on_both(|| async {
        let (here, there) = (node(), node());
        let journal = Journal::default();
        let other = there.port(Recorder::new(&journal));
        let bridge = here.port(Bridge {
            other: other.clone(),
        });
        for n in 0..10 {
            bridge.forward(n);
        }
        assert_eq!(within(bridge.total()).await.unwrap(), 10);
        let expected: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(journal.take(), expected);
        bridge.link_both();
        settle(&bridge).await;
        let told = watch(&bridge);
        other.kill("over there");
        assert_eq!(within(told).await.unwrap().to_string(), "over there");
        assert_eq!((here.port_count(), there.port_count()), (0, 0));
    });
}

#[test]
fn ids_of_nodes_without_names_do_not_mix() {
    on_both(|| async {
        let (here, there) = (node(), node());
        let journal = Journal::default();
        let ports: Vec<RecorderRef> = (0..20)
            .map(|_| there.port(Recorder::new(&journal)))
            .collect();
        let _own: Vec<RecorderRef> = (0..20).map(|_| here.port(Recorder::default())).collect();
        for port in &ports {
            snd!(here, port.id(), "add", 1);
            here.kil(&port.id(), "wrong node");
            let far: RecorderRef = here.handle(&port.id());
            assert!(death(&far).await.starts_with("no_such_port"));
        }
        for port in &ports {
            assert_eq!(within(port.count()).await.unwrap(), 0);
        }
    });
}

#[test]
fn a_node_needs_a_runtime() {
    assert!(matches!(Node::local(), Err(StartError::NoRuntime)));
}

#[test]
fn any_thread_sends() {
    for runtime in [one_thread(), many_threads()] {
        runtime.block_on(async {
            let node = node();
            let port = node.port(Recorder::default());
            let (tell, told) = oneshot::channel();
            let (here, handle) = (node.clone(), port.clone());
            thread::spawn(move || {
                handle.add(1);
                snd!(here, handle, "add", 2);
                let made = here.port(Recorder::default());
                made.add(3);
                let _ = tell.send(made);
                handle.kill("from a thread");
            });
            let made = within(told).await.unwrap();
            assert_eq!(within(made.count()).await.unwrap(), 1);
            assert_eq!(death(&port).await, "from a thread");
        });
    }
}

/// Needs the runtime of its node.
struct Timed;

#[port]
impl Timed {
    #[rcv]
    async fn wait(&mut self) -> bool {
        tokio::time::sleep(Duration::from_millis(1)).await;
        true
    }

    #[rcv]
    fn start(&self, cx: &mut Cx<'_>) -> bool {
        cx.every(Duration::from_secs(1), |_| ());
        drop(tokio::spawn(async {}));
        true
    }

    #[rcv]
    fn runtime(&self) -> String {
        tokio::runtime::Handle::current().id().to_string()
    }
}

/// Wakes a thread.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on a thread that is part of no runtime.
fn wait_for<F: Future + Unpin>(mut future: F) -> F::Output {
    let waker = Arc::new(Unpark(thread::current())).into();
    loop {
        let polled = std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        if let std::task::Poll::Ready(output) = polled {
            return output;
        }
        thread::park_timeout(Duration::from_secs(20));
    }
}

#[test]
fn calls_from_threads_without_a_runtime_run_handlers_in_the_nodes() {
    let runtime = many_threads();
    let node = runtime.block_on(async { node() });
    let port = node.port(Timed);
    assert!(wait_for(port.wait()).expect("the handler sleeps"));
    assert!(wait_for(port.start()).expect("the handler spawns"));
}

#[test]
fn calls_from_other_runtimes_run_handlers_in_the_nodes() {
    let (own, other) = (many_threads(), one_thread());
    let node = own.block_on(async { node() });
    let port = node.port(Timed);
    let expected = own.handle().id().to_string();
    other.block_on(async {
        for _ in 0..10 {
            assert_eq!(within(port.runtime()).await.unwrap(), expected);
        }
        assert!(within(port.wait()).await.unwrap());
    });
}

#[test]
fn the_node_port_serves_its_own_node() {
    on_both(|| async {
        let (tell, told) = oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        let function = move |_, given: aemp::Args| {
            let tell = tell.lock().unwrap().take().expect("called once");
            let _ = tell.send(given);
        };
        let node = Node::builder().function("My::function", function);
        let node = node.start_local().unwrap();
        let port = node.port(Recorder::default());
        node.snd_on("", &port.id(), msg!["add", 1]);
        assert_eq!(within(port.count()).await.unwrap(), 1);
        node.snd_to_func("", "My::function", args![1, "two"]);
        assert_eq!(within(told).await.unwrap(), args![1, "two"]);
        node.snd_to_func("", "My::unknown", args![]);
        node.snd(&PortId::from(node.id().clone()), msg![args![], 1]);
        assert_eq!(within(port.count()).await.unwrap(), 1);
    });
}

#[test]
fn a_port_that_another_node_spawned_keeps_its_name_in_death() {
    many_threads().block_on(async {
        let (give, given) = oneshot::channel::<RecorderRef>();
        let give = std::sync::Mutex::new(Some(give));
        let init = move |cx: &mut Cx<'_>, _: aemp::Args| {
            if let Some(give) = give.lock().unwrap().take() {
                let _ = give.send(cx.me().expect("itself"));
            }
            Recorder::default()
        };
        let server = Node::builder().node_id("ports/server").secret("ports");
        let server = server.bind("127.0.0.1:0").init("Ports::recorder", init);
        let server = server.start().await.unwrap();
        let address = server.listeners().remove(0);
        let client = Node::builder().node_id("ports/client").secret("ports");
        let client = client
            .address("ports/server", address)
            .start()
            .await
            .unwrap();
        let id = client.spawn("ports/server", "Ports::recorder", args![]);
        let near = within(given).await.unwrap();
        assert_eq!(near.id(), id);
        let far: RecorderRef = client.handle(&id);
        far.add(1);
        assert_eq!(within(far.count()).await.unwrap(), 1);
        assert_eq!(within(near.count()).await.unwrap(), 1);
        let told = (watch(&near), watch(&far));
        far.kill("from afar");
        assert_eq!(within(told.0).await.unwrap().to_string(), "from afar");
        assert_eq!(within(told.1).await.unwrap().to_string(), "from afar");
        assert_eq!(near.id(), id, "a dead port keeps its ID");
        assert_eq!(death(&near).await, "from afar");
        let error = within(near.count()).await.unwrap_err();
        assert_eq!(error.reason().expect("it died").to_string(), "from afar");
        assert_eq!((server.port_count(), client.port_count()), (0, 0));
        client.stop().await;
        server.stop().await;
    });
}
