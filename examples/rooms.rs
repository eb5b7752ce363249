//! Rooms: users on two nodes talk in a room, see who is here, and one of them is slow.
//!
//! ```text
//! cargo run --example rooms
//! ```
//!
//! A room is a topic. A user is a port, which subscribes to the room and is a member of it. The three nodes are in one
//! process here, and would do the same in three.

use std::{error::Error, time::Duration};

use aemp::{
    Cx, Node, port,
    topic::{Membership, Presence, PresenceEvent, Slow, Topic, TopicEvent},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A line that somebody says.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    who: String,
    text: String,
}

/// A room as one node sees it.
#[derive(Clone)]
struct Room {
    lines: Topic<Line>,
    users: Presence<String>,
}

impl Room {
    fn new(node: &Node, name: &str) -> Outcome<Self> {
        let name = format!("room:{name}");
        let (lines, users) = (node.topic(&name)?, node.presence(&name)?);
        Ok(Self { lines, users })
    }

    fn say(&self, who: &str, text: &str) -> Outcome<()> {
        let (who, text) = (who.into(), text.into());
        Ok(self.lines.publish(Line { who, text })?)
    }

    /// Waits until lines reach the subscribers of these nodes.
    async fn reaches(&self, nodes: &[&str]) -> Outcome<()> {
        loop {
            let known = self.lines.nodes().await?;
            if nodes
                .iter()
                .all(|node| known.iter().any(|known| known.as_str() == *node))
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
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
    /// A subscription belongs to its port, which hears one line after the other.
    #[start]
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<(), Box<dyn Error>> {
        cx.stream(self.room.lines.subscribe(), |me: &mut Self, _, event| {
            me.hear(event)
        });
        cx.stream(self.room.users.watch(), |me: &mut Self, _, event| {
            me.see(event)
        });
        self.here = Some(self.room.users.join(&cx.id(), &self.name)?);
        Ok(())
    }

    #[rcv]
    fn say(&mut self, text: String) {
        if let Err(error) = self.room.say(&self.name, &text) {
            self.show(format!("not said: {error}"));
        }
    }
}

impl User {
    fn show(&self, text: String) {
        let _ = self.screen.send(format!("[{}] {text}", self.name));
    }

    fn hear(&self, event: Option<TopicEvent<Line>>) {
        match event {
            Some(TopicEvent::Message(line)) => self.show(format!("{}: {}", line.who, line.text)),
            Some(TopicEvent::Retained(line)) => {
                self.show(format!("(before) {}: {}", line.who, line.text))
            }
            Some(TopicEvent::Missed(lines)) => self.show(format!("({lines} lines missed)")),
            Some(_) | None => {}
        }
    }

    fn see(&self, event: Option<PresenceEvent<String>>) {
        match event {
            Some(PresenceEvent::Joined(_, name)) => self.show(format!("* {name} is here")),
            Some(PresenceEvent::Left(_)) => self.show("* somebody has left".into()),
            _ => {}
        }
    }
}

/// The lines on all screens, as they are printed.
struct Screens {
    lines: mpsc::UnboundedReceiver<String>,
    waiting: Vec<String>,
}

impl Screens {
    /// Waits until a line is shown.
    async fn expect(&mut self, wanted: &str) -> Outcome<()> {
        loop {
            if let Some(at) = self.waiting.iter().position(|line| line == wanted) {
                self.waiting.remove(at);
                return Ok(());
            }
            let line = timeout(Duration::from_secs(30), self.lines.recv()).await;
            let line = line
                .map_err(|_| format!("{wanted:?} is not shown"))?
                .ok_or("all users are gone")?;
            println!("{line}");
            self.waiting.push(line);
        }
    }
}

async fn start(name: &str, seed: Option<String>) -> Outcome<Node> {
    let builder = Node::builder()
        .node_id(name)
        .secret("chatter")
        .bind("127.0.0.1:0");
    Ok(seed
        .into_iter()
        .fold(builder, aemp::NodeBuilder::seed)
        .start()
        .await?)
}

fn user(
    node: &Node,
    name: &str,
    room: &str,
    screen: &mpsc::UnboundedSender<String>,
) -> Outcome<UserRef> {
    let room = Room::new(node, room)?;
    let (name, screen) = (name.to_owned(), screen.clone());
    Ok(node.port(User {
        name,
        room,
        screen,
        here: None,
    }))
}

/// The whole evening. It fails if something is not shown.
async fn rehearse() -> Outcome<()> {
    let lobby = start("lobby", None).await?;
    let seed = lobby.listeners().remove(0);
    let (left, right) = (
        start("left", Some(seed.clone())).await?,
        start("right", Some(seed)).await?,
    );
    left.joined().await?;
    right.joined().await?;
    let (screen, lines) = mpsc::unbounded_channel();
    let mut screens = Screens {
        lines,
        waiting: Vec::new(),
    };

    let ann = user(&left, "ann", "42", &screen)?;
    screens.expect("[ann] * ann is here").await?;
    let bob = user(&right, "bob", "42", &screen)?;
    screens.expect("[ann] * bob is here").await?;
    Room::new(&left, "42")?.reaches(&["right"]).await?;
    Room::new(&right, "42")?.reaches(&["left"]).await?;
    ann.say("hello, bob".into());
    screens.expect("[bob] ann: hello, bob").await?;
    bob.say("hello, ann".into());
    screens.expect("[ann] bob: hello, ann").await?;

    println!("--- somebody in the lobby reads too slowly");
    let board = Room::new(&lobby, "42")?;
    let mut slow = board.lines.subscribe_with(Slow::drop_oldest(2));
    Room::new(&left, "42")?.reaches(&["lobby", "right"]).await?;
    for number in 1..=6 {
        ann.say(format!("line {number}"));
    }
    screens.expect("[bob] ann: line 6").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let Some(TopicEvent::Missed(missed)) = slow.next().await else {
        return Err("nothing was missed".into());
    };
    let read = slow
        .next()
        .await
        .and_then(TopicEvent::message)
        .ok_or("no line")?;
    println!("[lobby] {missed} lines missed, then {}", read.text);
    if (missed, &*read.text) != (4, "line 5") {
        return Err("other lines were missed".into());
    }

    println!("--- the last word of a room is kept for those who come later");
    board.lines.retain(Line {
        who: "lobby".into(),
        text: "we close at ten".into(),
    })?;
    screens.expect("[ann] lobby: we close at ten").await?;
    let _eve = user(&lobby, "eve", "42", &screen)?;
    screens
        .expect("[eve] (before) lobby: we close at ten")
        .await?;

    println!("--- a node goes, and its users with it");
    right.stop().await;
    screens.expect("[ann] * somebody has left").await?;
    println!(
        "here are: {:?}",
        board
            .users
            .members()
            .await?
            .into_values()
            .collect::<Vec<_>>()
    );
    left.stop().await;
    lobby.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    rehearse().await
}

#[cfg(test)]
#[tokio::test]
async fn the_evening_goes_as_planned() {
    rehearse().await.unwrap();
}
