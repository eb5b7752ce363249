//! Rooms: users on two nodes talk in a room, see the others that are here, and one of them is slow.
//!
//! ```text
//! cargo run --example rooms
//! ```
//!
//! A room is a topic. A user is a port, which subscribes to the room and is a member of it. The three nodes are in one
//! process here, and would do the same in three.

use std::{error::Error, time::Duration};

use aemp::{
    Cx, Node, NodeBuilder, port,
    topic::{Membership, Presence, PresenceEvent, Slow, Topic, TopicEvent},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A line of a guest.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    name: String,
    text: String,
}

/// A room as one node sees it.
struct Room {
    lines: Topic<Line>,
    users: Presence<String>,
}

impl Room {
    fn new(node: &Node, name: &str) -> Outcome<Self> {
        let (lines, users) = (node.topic(name)?, node.presence(name)?);
        Ok(Self { lines, users })
    }

    /// Waits until lines reach the subscribers of so many other nodes.
    async fn reaches(&self, nodes: usize) -> Outcome<()> {
        while self.lines.nodes().await?.len() < nodes {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

/// A user, whose screen is a channel.
struct User {
    name: String,
    room: Room,
    screen: mpsc::UnboundedSender<String>,
    here: Option<Membership<String>>,
}

#[port]
impl User {
    /// The streams belong to the port, which takes one event after the other.
    #[start]
    fn enter(&mut self, cx: &mut Cx<'_>) -> Outcome<()> {
        let (lines, users) = (self.room.lines.subscribe(), self.room.users.watch());
        cx.stream(lines, |me: &mut Self, _, event| me.hear(event));
        cx.stream(users, |me: &mut Self, _, event| me.see(event));
        self.here = Some(self.room.users.join(&cx.id(), &self.name)?);
        Ok(())
    }

    #[rcv(try, send)]
    fn say(&mut self, text: String) -> Outcome<()> {
        let name = self.name.clone();
        Ok(self.room.lines.publish(Line { name, text })?)
    }
}

impl User {
    fn show(&self, text: &str) {
        let _ = self.screen.send(format!("[{}] {text}", self.name));
    }

    fn hear(&self, event: Option<TopicEvent<Line>>) {
        match event {
            Some(TopicEvent::Message(line)) => self.show(&format!("{}: {}", line.name, line.text)),
            Some(TopicEvent::Retained(line)) => self.show(&format!("(before) {}", line.text)),
            _ => {}
        }
    }

    fn see(&self, event: Option<PresenceEvent<String>>) {
        match event {
            Some(PresenceEvent::Here(users)) => {
                let names = users.values();
                names.for_each(|name| self.show(&format!("* {name} is here")));
            }
            Some(PresenceEvent::Joined(_, name)) => self.show(&format!("* {name} is here")),
            Some(PresenceEvent::Left(_)) => self.show("* somebody has left"),
            _ => {}
        }
    }
}

/// All screens.
struct Screens(mpsc::UnboundedReceiver<String>);

impl Screens {
    /// Prints lines until this one is shown.
    async fn expect(&mut self, wanted: &str) -> Outcome<()> {
        loop {
            let line = timeout(Duration::from_secs(30), self.0.recv()).await;
            let line = line.map_err(|_| format!("{wanted:?} is not shown"))?;
            let line = line.ok_or("all users are gone")?;
            println!("{line}");
            if line == wanted {
                return Ok(());
            }
        }
    }
}

async fn start(name: &str, seed: Option<&str>) -> Outcome<Node> {
    let builder = Node::builder().node_id(name).secret("chatter");
    let builder = builder.bind("127.0.0.1:0");
    let node = seed.into_iter().fold(builder, NodeBuilder::seed);
    Ok(node.start().await?)
}

/// The whole evening.
async fn rehearse() -> Outcome<()> {
    let lobby = start("lobby", None).await?;
    let seed = lobby.listeners().remove(0);
    let (left, right) = (
        start("left", Some(&seed)).await?,
        start("right", Some(&seed)).await?,
    );
    left.joined().await?;
    right.joined().await?;
    let (screen, lines) = mpsc::unbounded_channel();
    let mut screens = Screens(lines);
    let user = |node: &Node, name: &str| -> Outcome<UserRef> {
        let (room, screen) = (Room::new(node, "room:42")?, screen.clone());
        let name = name.into();
        Ok(node.port(User {
            name,
            room,
            screen,
            here: None,
        }))
    };

    let ann = user(&left, "ann")?;
    screens.expect("[ann] * ann is here").await?;
    let _bob = user(&right, "bob")?;
    screens.expect("[ann] * bob is here").await?;
    Room::new(&left, "room:42")?.reaches(1).await?;
    ann.say("hello, bob".into());
    screens.expect("[bob] ann: hello, bob").await?;

    println!("--- a guest in the lobby reads too slowly");
    let board = Room::new(&lobby, "room:42")?;
    let mut slow = board.lines.subscribe_with(Slow::drop_oldest(2));
    Room::new(&left, "room:42")?.reaches(2).await?;
    for number in 1..=6 {
        ann.say(format!("line {number}"));
    }
    screens.expect("[bob] ann: line 6").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let Some(TopicEvent::Missed(missed)) = slow.next().await else {
        return Err("nothing was missed".into());
    };
    let read = slow.next().await.and_then(TopicEvent::message);
    let read = read.ok_or("no line")?;
    println!("[lobby] {missed} lines missed, then {}", read.text);
    assert_eq!((missed, &*read.text), (4, "line 5"));

    println!("--- the last word of a room is kept for later guests");
    let (name, text) = ("lobby".into(), "we close at ten".into());
    board.lines.retain(Line { name, text })?;
    screens.expect("[ann] lobby: we close at ten").await?;
    let _eve = user(&lobby, "eve")?;
    screens.expect("[eve] (before) we close at ten").await?;

    println!("--- a node goes, and its users with it");
    right.stop().await;
    screens.expect("[ann] * somebody has left").await?;
    let here = board.users.members().await?.into_values();
    println!("here are {:?}", here.collect::<Vec<_>>());
    left.stop().await;
    lobby.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    rehearse().await
}
