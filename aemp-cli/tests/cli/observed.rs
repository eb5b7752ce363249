//! The terminal and the page agree: the documents of `aemp nodes`, `ports` and `top` are those of `/api/..`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aemp::{
    Cx, Node, port,
    supervisor::{Restart, Supervisor},
};
use serde_json::Value;

use crate::SECRET;

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Stand {
    sold: u64,
}

#[port]
impl Stand {
    #[rcv]
    fn sell(&mut self) -> u64 {
        self.sold += 1;
        self.sold
    }

    #[rcv]
    fn fail(&self, cx: &mut Cx<'_>) {
        cx.kill(vec!["die".into(), "rain".into()]);
    }
}

fn aemp(seed: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aemp"));
    command
        .env("PERL_ANYEVENT_MP_RC", "rc")
        .env("AEMP_SEEDS", seed)
        .env("AEMP_SECRET", SECRET);
    command
        .args(args)
        .stderr(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// The documents that a command prints, one a line.
fn documents(seed: &str, args: &[&str]) -> Vec<Value> {
    let output = aemp(seed, args).output().expect("the command runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?}: {text}");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a document"))
        .collect()
}

fn get(at: &str, path: &str) -> Value {
    let mut client = TcpStream::connect(at).expect("it listens");
    write!(
        client,
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

/// The document, when it has this.
fn until(at: &str, path: &str, has: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let document = get(at, path);
        if has(&document) {
            return document;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{document}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The document without the parts that change from one moment to the next, also in a network in which nothing happens.
fn still(mut document: Value) -> Value {
    if let Some(details) = document.as_object_mut() {
        for moving in ["uptime", "memory", "connections"] {
            details.remove(moving);
        }
        details
            .values_mut()
            .for_each(|value| *value = still(value.take()));
    }
    if let Some(list) = document.as_array_mut() {
        list.iter_mut()
            .for_each(|value| *value = still(value.take()));
    }
    document
}

/// Two nodes, one of them with a port that has been called and with another that has died and was restarted.
async fn network() -> (Node, Node, impl Sized) {
    let node = |id: &str| {
        Node::builder()
            .node_id(id)
            .secret(SECRET)
            .bind("127.0.0.1:0")
    };
    let green = node("green").start().await.expect("it starts");
    let blue = node("blue").seed(green.listeners().remove(0));
    let blue = blue.start().await.expect("it starts");
    blue.until_up("green").await;
    // Both count from now on.
    for node in [&green, &blue] {
        node.inspect(node.id()).counts().await.expect("its own");
    }
    let supervisor = Supervisor::builder().child("stand", Restart::Permanent, |node: &Node| {
        node.port(Stand { sold: 0 })
    });
    let supervisor = supervisor.start(&green);
    supervisor.ready().await.expect("it is ready");
    let stand = supervisor
        .follow::<StandRef>("stand")
        .await
        .expect("a child");
    let first = stand.wait().await.expect("it lives");
    first.fail();
    let again = async {
        while green
            .inspect("green")
            .counts()
            .await
            .expect("its own")
            .restarts
            == 0
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again)
        .await
        .expect("a restart");
    // The restart may be counted before the death of the first one is known here.
    let mut next = stand.wait().await.expect("it lives");
    while next.id() == first.id() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        next = stand.wait().await.expect("it lives");
    }
    let stand = next;
    let far: StandRef = blue.handle(&stand.id());
    for _ in 0..5 {
        far.sell().await.expect("it sells");
    }
    (green, blue, supervisor)
}

#[test]
fn the_terminal_and_the_page_agree() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (green, _blue, _supervisor) = runtime.block_on(network());
    let seed = green.listeners().remove(0);
    let args = ["--json", "observe", "--listen", "127.0.0.1:0"];
    let mut observer = Running(aemp(&seed, &args).spawn().expect("the command starts"));
    let mut line = String::new();
    let out = observer.0.stdout.as_mut().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("it tells");
    let told: Value = serde_json::from_str(&line).expect("a document");
    let at = told["address"].as_str().expect("an address");
    let at = at
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();

    let is_counted = |top: &Value| {
        let handlers = top["handlers"].as_array();
        let sold = handlers.and_then(|all| all.iter().find(|of| of["handler"] == "sell"));
        sold.is_some_and(|sold| sold["calls"]["ended"]["answered"] == 5 && sold["rate"] == 0.0)
    };
    // The observer is a node as well, which the others see and which it does not show itself.
    let known = |top: &Value| {
        let mut nodes = top["nodes"].as_object().cloned().unwrap_or_default();
        nodes.retain(|id, _| ["green", "blue"].contains(&id.as_str()));
        nodes
    };
    let page = until(&at, "/api/top", is_counted);
    let [terminal] = &documents(&seed, &["--json", "top"])[..] else {
        panic!("it is one document");
    };
    assert!(is_counted(terminal), "{terminal}");
    assert_eq!(known(&page).len(), 2, "{page}");
    assert_eq!(still(known(&page).into()), still(known(terminal).into()));
    assert_eq!(page["nodes"]["green"]["restarts"], 1);
    assert_eq!(page["nodes"]["green"]["died"], 1);
    for list in ["types", "handlers"] {
        // The commands are nodes whose own ports and calls are in neither.
        let stands = |top: &Value| {
            let mut all = top[list].as_array().cloned().unwrap_or_default();
            all.retain(|of| {
                of["type"]
                    .as_str()
                    .is_some_and(|kind| kind.ends_with("::Stand"))
            });
            all
        };
        assert!(!stands(&page).is_empty(), "{page}");
        assert_eq!(
            still(stands(&page).into()),
            still(stands(terminal).into()),
            "{list}"
        );
    }

    let page = until(&at, "/api/nodes", |nodes| {
        nodes.as_array().is_some_and(|nodes| nodes.len() > 1)
    });
    let terminal = documents(&seed, &["--json", "nodes", "--long"]);
    for id in ["green", "blue"] {
        let of = |nodes: &[Value]| nodes.iter().find(|node| node["id"] == id).cloned();
        let page = of(page.as_array().expect("a list")).expect("it is there");
        assert_eq!(still(page), still(of(&terminal).expect("it is there")));
    }
    let page = get(&at, "/api/ports?node=green");
    let [terminal] = &documents(&seed, &["--json", "ports", "--most", "200", "green"])[..] else {
        panic!("it is one document");
    };
    assert_eq!(page["green"], *terminal);
}
