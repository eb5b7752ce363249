//! Small streams in messages, over the connection of the nodes and real sockets.

use std::{
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use aemp::{
    Cx, Node,
    config::Encrypt,
    port,
    stream::{ByteStream, INLINE},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::{
    common::soon,
    nodes::{address, listening, start},
    proxy::Proxy,
};

/// Sends the bytes of a stream back as they come, and reports the stream's state or its error.
struct Mirror {
    report: mpsc::UnboundedSender<io::Result<String>>,
}

#[port]
impl Mirror {
    #[rcv]
    fn show(&self, cx: &Cx<'_>, mut stream: ByteStream) {
        let report = self.report.clone();
        cx.spawn(async move {
            let (mut from, mut to) = tokio::io::split(&mut stream);
            let read = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.shutdown().await;
            let _ = report.send(read.map(|_| format!("{stream:?}, {:?}", stream.tls())));
        });
    }
}

/// Two nodes with one connection through a proxy, and the mirror of the node that has dialled.
struct Pair {
    proxy: Proxy,
    here: Node,
    _there: Node,
    mirror: MirrorRef,
    reports: mpsc::UnboundedReceiver<io::Result<String>>,
    /// Held by `here` until it is freed.
    life: Weak<()>,
}

impl Pair {
    async fn new(format: &str, encrypt: Encrypt) -> Self {
        let builder = |id| listening(id).framing_format([format]).encrypt(encrypt);
        let held = Arc::new(());
        let life = Arc::downgrade(&held);
        let here = builder("here").stream_function("My::none", move |_, _, _| {
            let _ = &held;
            async {}
        });
        let here = start(here).await;
        let proxy = Proxy::to(address(&here)).await;
        // The stream is dialled where its message goes.
        let there = start(builder("there").seed(proxy.address())).await;
        soon(there.until_up("here")).await;
        soon(here.until_up("there")).await;
        let (report, reports) = mpsc::unbounded_channel();
        let mirror = here.handle(&there.port(Mirror { report }).id());
        Self {
            proxy,
            here,
            _there: there,
            mirror,
            reports,
            life,
        }
    }

    /// Sends bytes, and gets them back. Returns the number of connections, and the stream's state at the other end.
    async fn show(&mut self, ends: (ByteStream, ByteStream), content: &[u8]) -> (usize, String) {
        let (mine, theirs) = ends;
        self.mirror.show(theirs);
        let (mut from, mut to) = tokio::io::split(mine);
        let write = async {
            to.write_all(content).await?;
            to.shutdown().await
        };
        let mut back = Vec::new();
        let both = async { tokio::join!(write, from.read_to_end(&mut back)) };
        let (written, read) = soon(both).await;
        assert!(written.is_ok() && read.is_ok(), "{written:?}, {read:?}");
        assert!(back == content, "{} bytes", back.len());
        let report = soon(self.reports.recv()).await.unwrap();
        (self.proxy.accepted(), report.unwrap())
    }
}

#[tokio::test]
async fn a_small_stream_opens_no_connection_in_any_format() {
    // Control characters and characters beyond ASCII are the longest in JSON.
    let content: Vec<u8> = (0..40_000_u32).map(|place| place as u8).collect();
    for format in ["json", "cbor", "postcard/1"] {
        for encrypt in [Encrypt::Never, Encrypt::Always] {
            let mut pair = Pair::new(format, encrypt).await;
            let ends = pair.here.stream();
            let (count, state) = pair.show(ends, &content).await;
            assert_eq!(count, 1, "{format}: {state}");
            assert!(state.contains("inline"), "{format}: {state}");
            assert_eq!(
                state.contains("TLS 1.3"),
                encrypt == Encrypt::Always,
                "{state}"
            );
            let ends = pair.here.bulk_stream();
            let (count, state) = pair.show(ends, b"small").await;
            assert_eq!(count, 2, "{format}: {state}");
            let ends = pair.here.stream();
            let (count, state) = pair.show(ends, &content.repeat(3)).await;
            assert_eq!(count, 3, "{format}: {state}");
            assert!(state.contains("connected"), "{format}: {state}");
        }
    }
}

#[tokio::test]
async fn a_cut_of_the_connection_of_the_nodes_is_an_error() {
    let mut pair = Pair::new("json", Encrypt::Never).await;
    let (mut mine, theirs) = pair.here.stream();
    pair.mirror.show(theirs);
    soon(mine.write_all(b"half of a fi")).await.unwrap();
    soon(mine.read_exact(&mut [0; 12])).await.unwrap();
    pair.proxy.cut();
    let error = soon(pair.reports.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    let error = soon(mine.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    let error = soon(mine.write_all(b"le")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
}

#[tokio::test]
async fn a_stream_that_has_moved_holds_no_node() {
    let pair = Pair::new("json", Encrypt::Never).await;
    let Pair {
        proxy: _proxy,
        here,
        _there,
        mirror,
        reports: mut ended,
        life,
    } = pair;
    let (mine, theirs) = here.stream();
    mirror.show(theirs);
    let (mut from, mut to) = tokio::io::split(mine);
    let content = vec![7; 2 * INLINE];
    let mut back = content.clone();
    let both = async { tokio::join!(to.write_all(&content), from.read_exact(&mut back)) };
    let (written, read) = soon(both).await;
    assert!(written.is_ok() && read.is_ok());
    soon(here.stop()).await;
    drop((here, mirror));
    let freed = async {
        while life.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(freed).await;
    soon(to.write_all(b"more")).await.unwrap();
    soon(to.shutdown()).await.unwrap();
    let mut rest = String::new();
    soon(from.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "more");
    assert!(soon(ended.recv()).await.unwrap().is_ok());
}
