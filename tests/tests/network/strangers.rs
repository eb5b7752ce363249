//! Connections of strangers: each is refused with a clear reason, and other peers are not disturbed.

use std::time::Duration;

use aemp::{Node, msg, snd};

use crate::{
    common::{Inbox, SECRET, soon, until},
    logs::Logs,
    nodes::{address, listening, start},
    raw::{Raw, hex_secret},
};

/// A node with a neighbour that must not notice anything.
struct Scene {
    logs: Logs,
    node: Node,
    neighbour: Node,
}

impl Scene {
    async fn new() -> Self {
        Self::with_timeout(Duration::from_secs(30)).await
    }

    async fn with_timeout(timeout: Duration) -> Self {
        let logs = Logs::catch();
        let node = start(listening("a").monitor_timeout(timeout)).await;
        let neighbour = start(listening("b").seed(address(&node))).await;
        soon(node.until_up("b")).await;
        Self {
            logs,
            node,
            neighbour,
        }
    }

    /// The words of a stranger end its connection, and the log has the reason.
    async fn refused(&self, words: impl AsRef<[u8]>, why: &str) {
        let mut raw = Raw::connect(&self.node).await;
        raw.try_send(words).await;
        raw.closed().await;
        self.logs.expect(&format!("disconnected - {why}")).await;
        self.goes_on().await;
    }

    async fn goes_on(&self) {
        let mut inbox = Inbox::new(&self.node);
        snd!(self.neighbour, inbox.id, "undisturbed");
        assert_eq!(inbox.next().await, msg!["undisturbed"]);
        assert_eq!(self.node.up_nodes(), [self.neighbour.id().clone()]);
        assert!(self.logs.find("b is down").is_none());
    }
}

#[tokio::test]
async fn garbage() {
    let scene = Scene::new().await;
    let expected = "unparsable greeting, expected 'aemp', got";
    scene
        .refused(
            "GET / HTTP/1.1\r\n\r\n",
            &format!("{expected} 'GET / HTTP/1.1'"),
        )
        .await;
    scene.refused("\n\n", &format!("{expected} ''")).await;
    scene.refused(b"\x16\x03\x01\x02\0\x01\n", expected).await;
    scene
        .refused(
            "aemp-other;1;raw;x;json\nn\n",
            &format!("{expected} 'aemp-other'"),
        )
        .await;
    scene
        .refused("aemp\n\n", "version mismatch (we: 1, they: )")
        .await;
    scene
        .refused("aemp;2;raw;x;json\n", "version mismatch (we: 1, they: 2)")
        .await;
}

#[tokio::test]
async fn a_line_without_an_end() {
    let scene = Scene::new().await;
    scene
        .refused(vec![b'x'; 5000], "No space left on device")
        .await;
    let long = format!("aemp;1;raw;hmac_sha3_512;json;x={}", "y".repeat(10_000));
    scene.refused(long, "No space left on device").await;
    let mut raw = Raw::connect(&scene.node).await;
    raw.send("aemp;1;raw;hmac_sha3_512;json\nnonce\n").await;
    raw.try_send(vec![b'z'; 5000]).await;
    raw.closed().await;
    until(|| scene.logs.count("No space left on device") == 3).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn node_ids_that_cannot_be() {
    let scene = Scene::new().await;
    let greeting = |id: &str| format!("aemp;1;{id};hmac_sha3_512;json\nnonce\n");
    scene
        .refused(greeting(""), "unusable node ID: an ID must not be empty")
        .await;
    let long = "unusable node ID: a node ID must not be longer than 255 bytes, this one has 256";
    scene.refused(greeting(&"x".repeat(256)), long).await;
    scene
        .refused(
            greeting("x#y"),
            "unusable node ID: a node ID must not contain '#'",
        )
        .await;
    scene
        .refused(
            greeting("x\ty"),
            "unusable node ID: a node ID must not contain '\\t'",
        )
        .await;
    // A semicolon shifts the fields: `y` is no method.
    scene
        .refused(greeting("x;y"), "y: no common auth type supported")
        .await;
    scene
        .refused(greeting("a"), "another node uses our ID \"a\"")
        .await;
    scene
        .refused(greeting("b"), "b already connected, not connecting again.")
        .await;
}

#[tokio::test]
async fn nothing_in_common() {
    let scene = Scene::new().await;
    let auth = "aemp;1;raw;tls_anon,rot13;json\nnonce\n";
    scene
        .refused(auth, "tls_anon,rot13: no common auth type supported")
        .await;
    let framing = "aemp;1;raw;hmac_sha3_512;storable,morse\nnonce\n";
    scene
        .refused(
            framing,
            "storable,morse: no common framing method supported",
        )
        .await;
    let greeting = "aemp;1;raw;hmac_sha3_512;json\nnonce\n";
    let secret = hex_secret();
    let unusable = format!("{greeting}cleartext;{secret};morse\n");
    scene
        .refused(unusable, "morse: unusable remote framing")
        .await;
    let method = format!("{greeting}rot13;{secret};json\n");
    scene
        .refused(method, "rot13: fatal, selected unsupported rcv auth method")
        .await;
    let no_tls = format!("{greeting}tls_anon;;json\n");
    scene
        .refused(
            no_tls,
            "tls_anon: fatal, selected unsupported rcv auth method",
        )
        .await;
}

#[tokio::test]
async fn a_wrong_secret() {
    let scene = Scene::new().await;
    let wrong = "authentication failure/shared secret mismatch";
    let greeting = "aemp;1;raw;hmac_sha3_512;json\nnonce\n";
    for proof in [
        "cleartext;00;json\n",
        "cleartext;;json\n",
        "hmac_sha3_512;00;json\n",
        "hmac_sha3_512\n",
    ] {
        scene.refused(format!("{greeting}{proof}"), wrong).await;
    }
    let (level, _) = scene.logs.expect(wrong).await;
    assert_eq!(level, tracing::Level::WARN);
    // A whole node with another secret, in both directions.
    let other = listening("other")
        .secret("between foes")
        .seed(address(&scene.node));
    let before = scene.logs.count(wrong);
    let other = start(other).await;
    until(|| scene.logs.count(wrong) >= before + 2).await;
    assert!(other.up_nodes().is_empty());
    scene.goes_on().await;
}

/// Lines that were overheard on one connection open no other.
#[tokio::test]
async fn a_replayed_greeting() {
    let scene = Scene::new().await;
    let mut overheard = Raw::connect(&scene.node).await;
    let hello = [overheard.line().await, overheard.line().await].join("\n");
    overheard
        .send("aemp;1;raw;hmac_sha3_512;json\nnonce\n")
        .await;
    let proof = overheard.line().await;
    // Sent back to where it came from, it names the node itself.
    scene
        .refused(format!("{hello}\n{proof}\n"), "I refuse to talk to myself")
        .await;
    // Under another name it still says that it has accepted; if it says otherwise, the proof does not fit.
    let echoed = format!("{hello}\n{proof}\n").replacen("aemp;1;a;", "aemp;1;x;", 1);
    scene
        .refused(echoed.clone(), "both ends of the connection have accepted")
        .await;
    let echoed = echoed.replacen(";role=accepted", ";role=dialed", 1);
    scene
        .refused(echoed, "authentication failure/shared secret mismatch")
        .await;
    // The two lines of that very connection, while it is open: the same.
    let mut raw = Raw::connect(&scene.node).await;
    let echo = [raw.line().await, raw.line().await].join("\n");
    raw.try_send(format!("{echo}\n")).await;
    raw.closed().await;
    scene
        .logs
        .expect("authentication error, echo attack?")
        .await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_greeting_that_takes_for_ever() {
    let scene = Scene::with_timeout(Duration::from_millis(400)).await;
    let mut silent = Raw::connect(&scene.node).await;
    silent.line().await;
    let mut slow = Raw::connect(&scene.node).await;
    let drip = async {
        // A byte now and then is no progress: the handshake as a whole has its time.
        for byte in "aemp;1;raw;hmac_sha3_512;json\n".bytes().cycle() {
            slow.try_send([byte]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = drip => {}
        () = until(|| scene.logs.count("disconnected - Connection timed out.") >= 2) => {}
    }
    silent.closed().await;
    // One that stops before its proof.
    let mut half = Raw::connect(&scene.node).await;
    half.send("aemp;1;raw;hmac_sha3_512;json\nnonce\n").await;
    half.closed().await;
    scene.goes_on().await;
}

#[tokio::test]
async fn one_that_hangs_up() {
    let scene = Scene::new().await;
    for words in ["", "aemp;1;raw", "aemp;1;raw;hmac_sha3_512;json\nnonce\n"] {
        let mut raw = Raw::connect(&scene.node).await;
        raw.send(words).await;
        drop(raw);
    }
    until(|| scene.logs.count("disconnected - ") >= 3).await;
    scene.goes_on().await;
}

/// A stranger that claims a node's ID without proof keeps that node out for a short time only.
#[tokio::test]
async fn an_impostor_gives_way() {
    let logs = Logs::catch();
    let a = start(listening("a")).await;
    let mut impostor = Raw::connect(&a).await;
    impostor.send("aemp;1;b;hmac_sha3_512;json\nnonce\n").await;
    impostor.line().await;
    let b = Node::builder().node_id("b").secret(SECRET);
    let b = start(b.seed(address(&a))).await;
    soon(b.until_up("a")).await;
    soon(a.until_up("b")).await;
    logs.expect("another connection has proved to be that node")
        .await;
    impostor.closed().await;
}
