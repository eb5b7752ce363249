//! Streams between nodes: opened to functions, sent in messages, cut off, refused, and with clients of the reference's
//! protocol.

use std::{io, time::Duration};

use aemp::{
    Args, CallError, Node, NodeBuilder, Origin, PortId, args,
    config::Encrypt,
    port,
    stream::{ByteStream, MOST_STREAMS, StreamError},
};
use aemp_tests::transcript::{self, Transcript};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::{
    common::soon,
    logs::Logs,
    nodes::{address, listening, start},
    raw::{Raw, hex_secret},
};

/// The results of reading streams to their end: the caller, the arguments, and the bytes.
type Reads = mpsc::UnboundedReceiver<(Origin, Args, io::Result<Vec<u8>>)>;

/// Adds a function that reads its stream to the end, answers with the number of bytes, and reports.
fn reading(builder: NodeBuilder) -> (NodeBuilder, Reads) {
    let (report, reads) = mpsc::unbounded_channel();
    let builder = builder.stream_function("My::read", move |origin, args, mut stream| {
        let report = report.clone();
        async move {
            let mut bytes = Vec::new();
            let read = stream.read_to_end(&mut bytes).await;
            let answer = bytes.len().to_string();
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            let _ = report.send((origin, args, read.map(|_| bytes)));
        }
    });
    (builder, reads)
}

/// Some megabytes without a pattern of a power of two.
fn bulk() -> Vec<u8> {
    (0..3_000_000_u32).map(|n| (n % 251) as u8).collect()
}

async fn connected(one: &Node, other: &Node) {
    soon(one.until_up(other.id().as_str())).await;
    soon(other.until_up(one.id().as_str())).await;
}

async fn write_and_end(stream: &mut ByteStream, bytes: &[u8]) {
    soon(stream.write_all(bytes)).await.unwrap();
    soon(stream.shutdown()).await.unwrap();
}

async fn rest(stream: &mut ByteStream) -> String {
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    text
}

#[tokio::test]
async fn a_function_gets_the_other_end() {
    let (b, mut reads) = reading(listening("b"));
    let b = start(b).await;
    let a = start(listening("a").seed(address(&b))).await;
    connected(&a, &b).await;
    let mut stream = soon(
        a.open_stream("b", "My::read", args![1, "two"])
            .into_future(),
    )
    .await
    .unwrap();
    assert_eq!(stream.marks_end(), Some(true));
    let bytes = bulk();
    write_and_end(&mut stream, &bytes).await;
    assert_eq!(rest(&mut stream).await, bytes.len().to_string());
    let (origin, args, read) = soon(reads.recv()).await.unwrap();
    assert_eq!(origin, Origin::Node(a.id().clone()));
    assert_eq!(args, args![1, "two"]);
    assert!(read.unwrap() == bytes);
    let progress = stream.progress();
    assert_eq!(progress.written(), bytes.len() as u64);
    assert_eq!(progress.read(), 7);
}

#[tokio::test]
async fn a_node_without_listeners_connects_back() {
    let a = start(listening("a")).await;
    let (b, mut reads) = reading(Node::builder().node_id("b").secret("between friends"));
    let b = start(b.seed(address(&a))).await;
    connected(&a, &b).await;
    assert!(b.listeners().is_empty());
    let mut stream = a.open_stream("b", "My::read", args![]).await.unwrap();
    write_and_end(&mut stream, b"back").await;
    assert_eq!(rest(&mut stream).await, "4");
    assert_eq!(soon(reads.recv()).await.unwrap().2.unwrap(), b"back");
}

#[tokio::test]
async fn streams_are_as_encrypted_as_their_node() {
    let encrypted = |id| listening(id).encrypt(Encrypt::Always);
    let (b, mut reads) = reading(encrypted("b"));
    let b = start(b).await;
    let a = start(encrypted("a").seed(address(&b))).await;
    connected(&a, &b).await;
    let mut stream = a.open_stream("b", "My::read", args![]).await.unwrap();
    assert!(stream.tls().unwrap().contains("1.3"), "{stream:?}");
    let bytes = bulk();
    write_and_end(&mut stream, &bytes).await;
    assert_eq!(rest(&mut stream).await, bytes.len().to_string());
    assert!(soon(reads.recv()).await.unwrap().2.unwrap() == bytes);
}

#[tokio::test]
async fn an_end_that_is_dropped_is_an_error_at_the_other() {
    let (b, mut reads) = reading(listening("b"));
    let b = start(b).await;
    let a = start(listening("a").seed(address(&b))).await;
    connected(&a, &b).await;
    let mut stream = a.open_stream("b", "My::read", args![]).await.unwrap();
    soon(stream.write_all(b"half of a fi")).await.unwrap();
    soon(stream.flush()).await.unwrap();
    drop(stream);
    let error = soon(reads.recv()).await.unwrap().2.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
}

#[tokio::test]
async fn a_refused_stream_is_an_error_with_its_reason() {
    let (b, _reads) = reading(listening("b").allow("a", "My::nothing"));
    let b = start(b).await;
    let a = start(listening("a").seed(address(&b))).await;
    connected(&a, &b).await;
    // The function is not allowed. That is logged there and not answered, as for any function.
    let logs = Logs::catch();
    let within = Duration::from_millis(300);
    let opening = a.open_stream("b", "My::read", args![]).timeout(within);
    let error = opening.await.unwrap_err();
    let node = "b".into();
    let text = "the stream is not expected there".into();
    assert_eq!(error, StreamError::Unreachable { node, text });
    logs.warned("node port: My::read from a: remote execution not allowed")
        .await;
    let error = a
        .open_stream("b", "My::nothing", args![])
        .await
        .unwrap_err();
    let StreamError::Refused { reason, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(
        reason.to_string(),
        "AnyEvent::MP::DataConn unable to resolve function 'My::nothing'"
    );
    let error = a.open_stream("", "My::read", args![]).await.unwrap_err();
    assert!(matches!(error, StreamError::NoNode(_)), "{error}");
}

#[tokio::test]
async fn a_stream_to_this_node_stays_here() {
    let (a, mut reads) = reading(listening("a"));
    let a = start(a).await;
    let mut stream = a.open_stream("a", "My::read", args![]).await.unwrap();
    soon(stream.write_all(b"cut")).await.unwrap();
    drop(stream);
    let error = soon(reads.recv()).await.unwrap().2.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = a.open_stream("a", "My::other", args![]).await.unwrap_err();
    assert!(matches!(error, StreamError::Refused { .. }), "{error}");
}

/// A program need not flush a question before it waits for the answer, also if it has given a write up.
#[tokio::test]
async fn an_answer_comes_without_a_flush() {
    for encrypt in [Encrypt::Never, Encrypt::Always] {
        let (ask, asked) = tokio::sync::watch::channel(0_usize);
        let b = listening("b").encrypt(encrypt);
        let b = b.stream_function("My::answer", move |_, _, mut stream| {
            let mut asked = asked.clone();
            async move {
                let size = *asked.wait_for(|size| *size > 0).await.unwrap();
                stream.read_exact(&mut vec![0; size]).await.unwrap();
                stream.write_all(b"42").await.unwrap();
                let _ = stream.shutdown().await;
            }
        });
        let b = start(b).await;
        let a = start(listening("a").encrypt(encrypt).seed(address(&b))).await;
        connected(&a, &b).await;
        let mut stream = a.open_stream("b", "My::answer", args![]).await.unwrap();
        // More than the socket takes: the last write that counts is held in part, and the next one has to wait.
        let chunk = vec![7; 300_000];
        while tokio::time::timeout(Duration::from_millis(50), stream.write(&chunk))
            .await
            .is_ok()
        {}
        ask.send(usize::try_from(stream.progress().written()).unwrap())
            .unwrap();
        assert_eq!(rest(&mut stream).await, "42");
    }
}

/// A node may ask for a connection back once for each stream. It opens no other sockets here.
#[tokio::test]
async fn a_connection_back_is_made_once() {
    let (b, _reads) = reading(listening("b").global(true));
    let b = start(b).await;
    let mut client = Raw::login_saying(&b, "perl", ";gproto=1;mproto=1").await;
    let counted = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    counted.set_nonblocking(true).unwrap();
    let here = counted.local_addr().unwrap().to_string();
    client
        .send(json!(["", "g_slave", {"'l": {"perl": [here]}}]).to_string())
        .await;
    let expect = json!([
        "",
        "AnyEvent::MP::DataConn::_expect",
        "x@perl",
        "perl#p",
        60,
        "My::read"
    ]);
    client.send(expect.to_string()).await;
    let listed = async {
        while b.db_keys("'l").await.unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(listed).await;
    for _ in 0..20 {
        let connect = json!(["", "AnyEvent::MP::DataConn::_connect", "x@perl", "perl"]);
        client.send(connect.to_string()).await;
    }
    let mut accepted = Vec::new();
    let counting = async {
        while accepted.is_empty() {
            tokio::task::yield_now().await;
            accepted.extend(counted.accept());
        }
    };
    soon(counting).await;
    client
        .send(json!(["", "snd", "perl#q", "done"]).to_string())
        .await;
    assert_eq!(client.packet().await, json!(["q", "done"]));
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    accepted.extend(counted.accept());
    assert_eq!(accepted.len(), 1);
}

/// Keeps the data that it receives, by stream.
struct Store;

#[port]
impl Store {
    #[rcv]
    async fn put(&self, name: String, mut content: ByteStream) -> Result<u64, String> {
        let mut bytes = Vec::new();
        let read = content.read_to_end(&mut bytes).await;
        read.map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes.len() as u64)
    }

    /// Sends back more than it gets.
    #[rcv]
    async fn double(&self, mut both: ByteStream) -> bool {
        let (mut read, mut write) = tokio::io::split(&mut both);
        let mut buffer = vec![0; 10_000];
        loop {
            match read.read(&mut buffer).await {
                Ok(0) => return write.shutdown().await.is_ok(),
                Ok(count) => {
                    let _ = write.write_all(&buffer[..count]).await;
                    let _ = write.write_all(&buffer[..count]).await;
                }
                Err(_) => return false,
            }
        }
    }
}

#[tokio::test]
async fn a_message_carries_a_stream() {
    let b = start(listening("b")).await;
    let store = b.port(Store);
    let a = start(listening("a").seed(address(&b))).await;
    connected(&a, &b).await;
    let there: StoreRef = a.handle(&store.id());
    let bytes = bulk();
    let (mut mine, theirs) = a.stream();
    let (stored, ()) = tokio::join!(
        there.put("a.txt".into(), theirs),
        write_and_end(&mut mine, &bytes)
    );
    assert_eq!(stored.unwrap().unwrap(), bytes.len() as u64);
    // Both directions, and the other way round: the listener is at the other end.
    let (mine, theirs) = a.stream();
    let doubled = there.double(theirs);
    let (mut read, mut write) = tokio::io::split(mine);
    let writing = async {
        write.write_all(&bytes).await?;
        write.shutdown().await
    };
    let reading = async {
        let mut twice = Vec::new();
        read.read_to_end(&mut twice).await.map(|_| twice.len())
    };
    let (doubled, written, read) = tokio::join!(doubled, writing, reading);
    assert!(doubled.unwrap() && written.is_ok());
    assert_eq!(read.unwrap(), 2 * bytes.len());
}

#[tokio::test]
async fn a_stream_in_a_message_is_cut_off_loudly() {
    let b = start(listening("b")).await;
    let store = b.port(Store);
    let a = start(listening("a").seed(address(&b))).await;
    connected(&a, &b).await;
    let there: StoreRef = a.handle(&store.id());
    let (mut mine, theirs) = a.stream();
    let stored = there.put("half.txt".into(), theirs);
    let half = async {
        mine.write_all(b"half").await.unwrap();
        mine.flush().await.unwrap();
        drop(mine);
    };
    let (stored, ()) = tokio::join!(stored, half);
    assert_eq!(
        stored.unwrap().unwrap_err(),
        "half.txt: the stream was cut off: its other end has not ended it"
    );
    // An end that is in use cannot be sent.
    let (mut mine, mut theirs) = a.stream();
    let (_, connected) = tokio::join!(mine.connected(), theirs.connected());
    connected.unwrap();
    let error = there.put("used.txt".into(), theirs).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Send(error) if error.to_string().contains("unused end")),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_that_is_not_fetched_fails() {
    let a = start(listening("a")).await;
    let (mut mine, theirs) = a.stream();
    drop(theirs);
    let error = soon(mine.write_all(b"x")).await.unwrap_err();
    assert_eq!(error.to_string(), "the other end was dropped");
}

/// Connects as a client of the reference's protocol, for a stream.
async fn data_connection(node: &Node, id: &str, stream: &str) -> Raw {
    let mut raw = Raw::connect(node).await;
    let secret = hex_secret();
    raw.send(format!(
        "aemp-dataconn;1;{id};hmac_sha3_512;json;dataconn_id={stream}\nother nonce\ncleartext;{secret};json\n"
    ))
    .await;
    let greeting = raw.handshake().await;
    assert!(greeting.starts_with("aemp;1;"), "{greeting}");
    raw
}

#[tokio::test]
async fn a_client_of_the_reference_opens_a_raw_stream() {
    let (b, mut reads) = reading(listening("b"));
    let b = start(b).await;
    let mut client = Raw::login(&b, "perl").await;
    let expect = json!([
        "",
        "AnyEvent::MP::DataConn::_expect",
        "x@perl",
        "perl#p",
        5,
        "My::read",
        "arg"
    ]);
    client.send(expect.to_string()).await;
    client
        .send(json!(["", "snd", "perl#q", "announced"]).to_string())
        .await;
    assert_eq!(client.packet().await, json!(["q", "announced"]));
    let mut raw = data_connection(&b, "perl", "x@perl").await;
    raw.send("raw bytes").await;
    raw.end().await;
    assert_eq!(raw.closed().await, "9");
    let (origin, args, read) = soon(reads.recv()).await.unwrap();
    assert_eq!(origin, Origin::Node(aemp::NodeId::new("perl").unwrap()));
    assert_eq!((args, read.unwrap()), (args!["arg"], b"raw bytes".to_vec()));
}

#[tokio::test]
async fn a_stream_belongs_to_the_node_that_announced_it() {
    let logs = Logs::catch();
    let (b, mut reads) = reading(listening("b"));
    let b = start(b).await;
    let mut client = Raw::login(&b, "perl").await;
    let expect = |id: &str, port: &str, seconds: f64| {
        json!([
            "",
            "AnyEvent::MP::DataConn::_expect",
            id,
            port,
            seconds,
            "My::read"
        ])
        .to_string()
    };
    client.send(expect("x@perl", "perl#p", 0.3)).await;
    client
        .send(json!(["", "snd", "perl#q", "announced"]).to_string())
        .await;
    client.packet().await;
    // Another member that has heard of the stream is turned away, and the stream is still expected.
    let thief = data_connection(&b, "thief", "x@perl").await;
    assert_eq!(thief.closed().await, "");
    logs.warned("thief connects for the stream \"x@perl\", which is not expected")
        .await;
    // The expected stream does not come in time: its port is killed, as the reference does it.
    assert_eq!(
        client.packet().await,
        json!(["", "kil1", "p", "AnyEvent::MP::DataConn", null])
    );
    // A port of another node is not killed in this node's name.
    client.send(expect("y@perl", "victim#p", 0.1)).await;
    logs.warned("from perl: not a stream of its own").await;
    assert!(reads.try_recv().is_err());
}

#[tokio::test]
async fn announced_streams_have_a_limit() {
    let (b, _reads) = reading(listening("b"));
    let b = start(b).await;
    let mut client = Raw::login(&b, "perl").await;
    for n in 0..=MOST_STREAMS {
        let expect = json!([
            "",
            "AnyEvent::MP::DataConn::_expect",
            format!("{n}@perl"),
            "perl#p",
            60,
            "My::read"
        ]);
        client.send(expect.to_string()).await;
    }
    let text = format!("{MOST_STREAMS} streams are announced or open already");
    assert_eq!(
        client.packet().await,
        json!(["", "kil1", "p", "AnyEvent::MP::DataConn", text])
    );
}

/// The arguments wait as long as the stream is announced.
#[tokio::test]
async fn arguments_of_announced_streams_have_a_limit() {
    let (b, _reads) = reading(listening("b"));
    let b = start(b).await;
    let mut client = Raw::login(&b, "perl").await;
    client
        .send(expecting(&"x".repeat(500), "perl#p", 60.0))
        .await;
    let function = "AnyEvent::MP::DataConn::_expect";
    let large = "x".repeat(70_000);
    let expect = json!(["", function, "y", "perl#p", 60, "My::read", large]);
    client.send(expect.to_string()).await;
    let text = "its arguments have more than 65536 bytes";
    assert_eq!(
        client.packet().await,
        json!(["", "kil1", "p", "AnyEvent::MP::DataConn", text])
    );
    assert_eq!(b.stream_counts(), (1, 1));
}

#[tokio::test]
async fn a_stream_to_a_node_that_is_not_there_times_out() {
    let a = start(listening("a")).await;
    let within = Duration::from_millis(200);
    let port = PortId::parse("nowhere#1").unwrap();
    let opening = a.open_stream(port, "My::read", args![]).timeout(within);
    let error = opening.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "nowhere: unable to establish connection within 0.2 seconds"
    );
    // The port of the attempt is gone as well.
    let gone = async {
        while a.port_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
}

/// One task reads and another one writes, and both begin before the stream is connected.
#[tokio::test]
async fn both_sides_may_wait_for_the_connection() {
    let a = start(listening("a")).await;
    let b = start(listening("b").seed(address(&a))).await;
    connected(&a, &b).await;
    let there: StoreRef = b.handle(&a.port(Store).id());
    let (mine, theirs) = b.stream();
    let (mut read, mut write) = tokio::io::split(mine);
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        read.read_to_end(&mut bytes).await.map(|_| bytes)
    });
    tokio::task::yield_now().await;
    let writing = tokio::spawn(async move {
        write.write_all(b"ab").await?;
        write.shutdown().await
    });
    tokio::task::yield_now().await;
    assert!(soon(there.double(theirs)).await.unwrap());
    soon(writing).await.unwrap().unwrap();
    assert_eq!(soon(reading).await.unwrap().unwrap(), b"abab");
}

/// A message that does not leave the node, or comes back, may have been encoded on its way.
#[tokio::test]
async fn a_stream_arrives_in_an_untyped_message_of_its_own_node() {
    for network in [false, true] {
        let a = match network {
            true => start(listening("a")).await,
            false => Node::local().unwrap(),
        };
        let (told, mut sizes) = mpsc::unbounded_channel();
        let port = a.process(move |inbox| async move {
            aemp::receive! { inbox,
                ("put", _, content: ByteStream, _) => {
                    let mut content = content;
                    let mut bytes = Vec::new();
                    let _ = told.send(content.read_to_end(&mut bytes).await);
                }
            }
        });
        let (mut mine, theirs) = a.stream();
        // A process has no typed messages.
        let there: StoreRef = a.handle(&port.id());
        tokio::spawn(there.put("x".into(), theirs).into_future());
        write_and_end(&mut mine, b"local").await;
        assert_eq!(soon(sizes.recv()).await.unwrap().unwrap(), 5);
    }
}

fn expecting(id: &str, port: &str, seconds: f64) -> String {
    let function = "AnyEvent::MP::DataConn::_expect";
    json!(["", function, id, port, seconds, "My::read", id]).to_string()
}

/// Nodes choose their IDs. One that has chosen those of others is not in their way.
#[tokio::test]
async fn nodes_may_choose_the_same_ids() {
    let (b, mut reads) = reading(listening("b"));
    let b = start(b).await;
    let mut clients = [Raw::login(&b, "perl").await, Raw::login(&b, "ruby").await];
    for (client, port) in clients.iter_mut().zip(["perl#p", "ruby#p"]) {
        client.send(expecting("1", port, 60.0)).await;
        let done = json!(["", "snd", port, "announced"]).to_string();
        client.send(done).await;
        assert_eq!(client.packet().await, json!(["p", "announced"]));
    }
    for id in ["ruby", "perl"] {
        let mut raw = data_connection(&b, id, "1").await;
        raw.send(id).await;
        raw.end().await;
        let (origin, _, read) = soon(reads.recv()).await.unwrap();
        assert_eq!(origin, Origin::Node(aemp::NodeId::new(id).unwrap()));
        assert_eq!(read.unwrap(), id.as_bytes());
    }
}

/// The ID becomes a part of a line of the greeting.
#[tokio::test]
async fn an_id_that_breaks_a_line_is_refused() {
    let logs = Logs::catch();
    let (b, _reads) = reading(listening("b"));
    let b = start(b).await;
    let mut client = Raw::login(&b, "perl").await;
    client.send(expecting("1\nnonce", "perl#p", 60.0)).await;
    logs.warned("from perl: not a stream of its own").await;
}

/// The end of the time ends the connections back that were dialled, which would otherwise live as long as a handshake.
#[tokio::test]
async fn a_connection_back_ends_with_the_time_of_its_stream() {
    let (b, _reads) = reading(listening("b").global(true));
    let b = start(b).await;
    let mut client = Raw::login_saying(&b, "perl", ";gproto=1;mproto=1").await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = silent.local_addr().unwrap().to_string();
    client
        .send(json!(["", "g_slave", {"'l": {"perl": [here]}}]).to_string())
        .await;
    let listed = async {
        while b.db_keys("'l").await.unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(listed).await;
    client.send(expecting("x", "perl#p", 0.5)).await;
    let connect = json!(["", "AnyEvent::MP::DataConn::_connect", "x", "perl"]);
    client.send(connect.to_string()).await;
    let (mut dialed, _) = soon(silent.accept()).await.unwrap();
    let mut greeting = Vec::new();
    soon(dialed.read_to_end(&mut greeting)).await.unwrap();
    assert!(greeting.starts_with(b"aemp-dataconn;1;b;"));
    assert_eq!(
        client.packet().await,
        json!(["", "kil1", "p", "AnyEvent::MP::DataConn", null])
    );
}

#[tokio::test]
async fn the_end_of_a_node_ends_streams_that_are_not_connected() {
    let a = start(listening("a")).await;
    let client = Raw::login(&a, "perl").await;
    let opening = a.open_stream("perl", "My::read", args![]);
    // An hour, and no overflow.
    let opening = tokio::spawn(opening.timeout(Duration::MAX).into_future());
    let (mut mine, theirs) = a.stream();
    let port = PortId::parse("perl#p").unwrap();
    let there: StoreRef = a.handle(&port);
    tokio::spawn(there.put("x".into(), theirs).into_future());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let begun = std::time::Instant::now();
    soon(a.stop()).await;
    let error = soon(opening).await.unwrap().unwrap_err();
    assert_eq!(error, StreamError::NoNode("this node has ended".into()));
    let error = soon(mine.write_all(b"x")).await.unwrap_err();
    assert_eq!(error.to_string(), "its node has ended");
    assert_eq!(a.stream_counts(), (0, 0));
    // Far less than the time limit of the streams.
    assert!(begun.elapsed() < aemp::stream::WAIT / 2);
    let late = a.open_stream("perl", "My::read", args![]).await;
    assert_eq!(
        late.unwrap_err(),
        StreamError::NoNode("this node has ended".into())
    );
    drop(client);
}

/// Plays a recording of data connections against a running node. `a` sends the recorded data, except for its proofs,
/// which cannot be recorded for other nonces.
struct Playing {
    recording: Transcript,
    node: Node,
    packets: Raw,
}

impl Playing {
    async fn begin(name: &str) -> Self {
        let node = listening("b").stream_function(
            "Interop::Data::recv",
            |_, args, mut stream| async move {
                assert_eq!(args, args!["initdata"]);
                let mut line = [0; 12];
                assert!(stream.read_exact(&mut line).await.is_ok());
                let _ = stream.write_all(b"pong from b\n").await;
            },
        );
        let node = start(node).await;
        let packets = Raw::login(&node, "a").await;
        let recording = transcript::one(name);
        Self {
            recording,
            node,
            packets,
        }
    }

    /// Plays the packets of the first connection.
    async fn packets(&mut self) {
        for event in self.recording.events(1) {
            if event.phase != "data" {
                continue;
            }
            if event.from == "a" {
                self.packets.send(&event.bytes).await;
            } else {
                let expected: serde_json::Value = serde_json::from_slice(&event.bytes).unwrap();
                assert_eq!(self.packets.packet().await, expected);
            }
        }
    }
}

#[tokio::test]
async fn the_recorded_data_connection_works() {
    let mut playing = Playing::begin("dataconn").await;
    playing.packets().await;
    let mut raw = Raw::connect(&playing.node).await;
    for line in playing.recording.sent(2, "a", "greeting") {
        raw.send(line).await;
    }
    raw.send(format!("cleartext;{};json\n", hex_secret())).await;
    raw.handshake().await;
    for event in playing.recording.events(2) {
        match (event.phase, event.from) {
            ("raw", "a") => raw.send(&event.bytes).await,
            ("raw", _) => {
                let expected = String::from_utf8(event.bytes).unwrap();
                assert_eq!(raw.line().await, expected.trim_end());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_recorded_data_connection_that_does_not_come_kills_its_port() {
    Playing::begin("dataconn_broken").await.packets().await;
}
