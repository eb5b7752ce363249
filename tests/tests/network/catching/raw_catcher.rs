//! Sockets that pass lines on, and that catch them and do not read.

use aemp::{Node, logs};
use serde_json::Value as Json;
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::{
    common::soon,
    nodes::{listening, start},
    raw::Raw,
};

/// A node that passes lines on.
pub(super) struct Passing {
    raw: Raw,
    id: String,
    early: Vec<Json>,
}

impl Passing {
    /// A node that is part of the network, as a slave of the other one.
    pub(super) async fn connect(node: &Node, id: &str) -> Self {
        let mut raw = Raw::login_saying(node, id, ";gproto=1;mproto=1").await;
        let entry = format!(r#"["","g_slave",{{"'l":{{"{id}":["127.0.0.1:1"]}}}}]"#);
        raw.send(entry).await;
        let (id, early) = (id.into(), Vec::new());
        Self { raw, id, early }
    }

    async fn until(&mut self, wanted: impl Fn(&Json) -> bool) -> Json {
        if let Some(place) = self.early.iter().position(&wanted) {
            return self.early.remove(place);
        }
        loop {
            let packet = self.raw.packet().await;
            if wanted(&packet) {
                return packet;
            }
            self.early.push(packet);
        }
    }

    /// The port and the level of the next request for lines. The port is monitored.
    pub(super) async fn asked(&mut self) -> (String, u64) {
        let packet = self.until(|packet| packet[1] == logs::CONNECT).await;
        assert_eq!((&packet[0], &packet[2]), (&"".into(), &0.into()));
        let (_, name) = packet[3].as_str().unwrap().split_once('#').unwrap();
        // The answer of the second request tells that the first has been served.
        let monitored = format!(
            r#"["","mon1","{name}"]["","snd","{id}#monitored"]"#,
            id = self.id
        );
        self.raw.send(monitored).await;
        self.until(|packet| packet[0] == "monitored").await;
        (name.into(), packet[4].as_u64().unwrap())
    }

    pub(super) async fn pass(&mut self, port: &str, level: u64, text: &str) {
        let line = format!(r#"["{port}",1795466410.5,"main",{level},"{text}"]"#);
        self.raw.send(line).await;
    }

    /// Waits for the death of a port.
    pub(super) async fn ended(&mut self, port: &str) {
        let dead = self
            .until(|packet| packet[1] == "kil0" && packet[2] == port)
            .await;
        assert_eq!(dead.as_array().unwrap().len(), 3, "{dead}");
    }
}

/// A catcher that does not read gets the newest lines, and the number of those that were left out.
#[tokio::test]
async fn a_slow_catcher_loses_the_oldest_lines() {
    const MOST: usize = 10_000;
    let subscriber = Registry::default().with(logs::layer());
    let _layer = tracing::subscriber::set_default(subscriber);
    let b = start(listening("b")).await;
    let mut raw = Raw::login(&b, "slow").await;
    raw.send(format!(r#"["","{}",0,"slow#lines",7]"#, logs::CONNECT))
        .await;
    assert_eq!(raw.packet().await[1], "mon1");
    let text = "x".repeat(1000);
    for n in 0..MOST {
        tracing::info!(target: "test", n, "{text}");
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut seen, mut lost) = (0, 0);
    loop {
        let line = soon(raw.packet()).await;
        assert_eq!(line[0], "lines");
        match line[2].as_str().unwrap() {
            "test" => {
                let number = line[4].as_str().unwrap().rsplit_once("n=").unwrap().1;
                assert_eq!(number.parse::<usize>().unwrap(), seen + lost);
                seen += 1;
            }
            "aemp::logs" => {
                let text = line[4].as_str().unwrap();
                let (number, text) = text.split_once(' ').unwrap();
                let told = "lines were left out here: slow takes them too slowly";
                assert_eq!((text, &line[3]), (told, &5.into()));
                lost += number.parse::<usize>().unwrap();
            }
            target => panic!("{target}: {line}"),
        }
        if seen + lost == MOST {
            break;
        }
    }
    assert!(lost > MOST / 4, "{lost}");
    // The connection has never been at its limit.
    assert_eq!(b.node_is_up("slow"), Some(true));
    raw.send(r#"["","kil0","lines"]"#).await;
    raw.send(r#"["","snd","slow#end"]"#).await;
    assert_eq!(raw.packet().await[0], "end");
}
