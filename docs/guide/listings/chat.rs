//! A chat room. Its server and its clients survive each other's crashes.

use std::{env, error::Error, time::Duration};

use aemp::{Cx, Node, Reason, db::Pick, port};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    time::sleep,
};

// ANCHOR: guest
/// A guest of the room: the port that gets the room's messages.
struct Guest;

#[port]
impl Guest {
    #[rcv]
    fn hear(&self, line: String) {
        println!("{line}");
    }
}
// ANCHOR_END: guest

// ANCHOR: room
#[derive(Default)]
struct Room {
    guests: Vec<(String, GuestRef)>,
}

#[port]
impl Room {
    #[rcv]
    fn join(&mut self, cx: &mut Cx<'_>, name: String, guest: GuestRef) -> usize {
        let gone = guest.clone();
        cx.then(guest.closed(), move |room: &mut Self, _, reason| {
            room.quit(&gone, &reason);
        });
        self.guests.push((name.clone(), guest));
        self.tell(&format!("{name} joins"));
        self.guests.len()
    }

    #[rcv]
    fn say(&self, name: String, text: String) {
        self.tell(&format!("{name}: {text}"));
    }
}

impl Room {
    fn quit(&mut self, gone: &GuestRef, reason: &Reason) {
        if let Some(place) = self.guests.iter().position(|(_, guest)| guest == gone) {
            let (name, _) = self.guests.remove(place);
            self.tell(&format!("{name} quits ({reason})"));
        }
    }

    fn tell(&self, line: &str) {
        println!("{line}");
        for (_, guest) in &self.guests {
            guest.hear(line.into());
        }
    }
}
// ANCHOR_END: room

// ANCHOR: server
async fn server(address: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder()
        .node_id("server")
        .secret("between friends")
        .bind(address)
        .start()
        .await?;
    let room = node.port(Room::default());
    node.db_reg("rooms", &room.id(), ())?;
    println!("the room is open");
    node.stop_on_signal(Duration::from_secs(1)).await?;
    Ok(())
}
// ANCHOR_END: server

// ANCHOR: client
async fn client(name: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder()
        .node_id(name)
        .secret("between friends")
        .seed(address)
        .start()
        .await?;
    let rooms = node.pool::<RoomRef>("rooms")?;
    let guest = node.port(Guest);
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        let room = rooms.wait(Pick::Random).await?;
        let mut lost = room.closed();
        if room.join(name.into(), guest.clone()).await.is_err() {
            sleep(Duration::from_millis(200)).await;
            continue;
        }
        loop {
            tokio::select! {
                line = lines.next_line() => match line? {
                    Some(text) => drop(room.say(name.into(), text)),
                    None => return Ok(()),
                },
                reason = &mut lost => {
                    println!("lost the room: {reason}");
                    break;
                }
            }
        }
    }
}
// ANCHOR_END: client

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["server", address] => server(address).await,
        ["client", name, address] => client(name, address).await,
        _ => Err("usage: chat server ADDRESS | chat client NAME ADDRESS".into()),
    }
}
