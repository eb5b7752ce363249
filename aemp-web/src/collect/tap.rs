//! The messages of ports, for pages that ask for them.
//!
//! A tap costs its node a copy of each packet that other nodes send to the port. So it is open only while a page asks for it by a parameter of its
//! address, and for some seconds after. The node decides by `allow` if it opens one.
//!
//! Each tap has a task, which tells its news at most ten times a second, and of many messages the last ones. Dropping it closes the tap.

use std::{collections::BTreeMap, time::Duration};

use aemp::{
    Node, PortId, Value,
    tap::{Tap, TapEvent, TappedPacket},
};
use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::News;
use crate::looked::{Message, Tapped, Tapping};

/// The number of ports whose messages are followed at the same time.
const MOST: usize = 16;
/// The time for which messages are gathered.
const GATHERED: Duration = Duration::from_millis(100);
/// The shown length of a message, in characters.
const LONGEST: usize = 500;

/// The open taps, by port ID.
#[derive(Debug, Default)]
pub(super) struct Taps(BTreeMap<String, Following>);

#[derive(Debug)]
struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Taps {
    /// Follows these ports and no others. A tap that has ended is opened again.
    pub(super) fn follow<'a>(
        &mut self,
        ports: impl IntoIterator<Item = &'a str>,
        node: &Node,
        sender: &UnboundedSender<News>,
    ) {
        let ports: Vec<&str> = ports.into_iter().take(MOST).collect();
        self.0
            .retain(|port, of| ports.contains(&&**port) && !of.0.is_finished());
        for port in ports {
            let Ok(id) = PortId::parse(port) else {
                continue;
            };
            self.0.entry(port.into()).or_insert_with(|| {
                let tap = node.tap(&id, None);
                Following(tokio::spawn(tell(tap, port.into(), sender.clone())))
            });
        }
    }
}

/// Tells the news of a tap, until it ends.
async fn tell(mut tap: Tap, port: String, sender: UnboundedSender<News>) {
    let tell = |tapped| {
        let port = port.clone();
        sender.send(News::Messages { port, tapped }).is_ok()
    };
    while let Some(event) = tap.next().await {
        let mut news = Tapped::default();
        add(&mut news, event);
        let over = Instant::now() + GATHERED;
        while let Ok(Some(event)) = timeout_at(over, tap.next()).await {
            add(&mut news, event);
        }
        if !tell(news) {
            return;
        }
    }
    let reason = tap.end().unwrap_or_default().to_string();
    tell(Tapped {
        state: Tapping::Ended(reason),
        ..Tapped::default()
    });
}

fn add(news: &mut Tapped, event: TapEvent) {
    match event {
        TapEvent::Open => news.state = Tapping::Open,
        TapEvent::Refused(text) => news.state = Tapping::Refused(text),
        TapEvent::Lost(lost) => news.lost = news.lost.saturating_add(lost),
        TapEvent::Packet(packet) => {
            news.seen += 1;
            news.add(message(packet));
        }
        _ => {}
    }
}

fn message(packet: TappedPacket) -> Message {
    let mut message = Value::from(packet.message).to_string();
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push_str("...");
    }
    Message {
        time: packet.time,
        from: packet.node.as_str().into(),
        message,
    }
}
