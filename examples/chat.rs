//! A chat room: one server and any number of clients, in separate terminals.
//!
//! ```text
//! cargo run --example chat server
//! cargo run --example chat client ann
//! ```
//!
//! Clients survive a restart of the server: each monitors its seat in the room, and takes a new one when the seat is
//! lost. Without arguments the program demonstrates all of this by itself, in processes of its own.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use aemp::{Args, Cx, Handle, Monitor, Node, PortId, args, port};
use tokio::io::{AsyncBufReadExt, stdin};

type Outcome = Result<(), Box<dyn Error>>;

const ADDRESS: &str = "127.0.0.1:4040";

/// The guests in the room.
#[derive(Default)]
struct Room {
    seats: Vec<(String, ClientRef)>,
}

#[port]
impl Room {
    #[rcv]
    fn enter(&mut self, name: String, client: ClientRef) {
        self.tell(&format!("* {name} is here"));
        self.seats.push((name, client));
    }

    #[rcv]
    fn leave(&mut self, name: String) {
        self.seats.retain(|(other, _)| *other != name);
        self.tell(&format!("* {name} has left"));
    }

    #[rcv]
    fn say(&mut self, name: String, text: String) {
        self.tell(&format!("{name}: {text}"));
    }
}

impl Room {
    fn tell(&self, line: &str) {
        println!("{line}");
        for (_, client) in &self.seats {
            client.hear(line.into());
        }
    }
}

/// A client's seat. It dies with its client, and the client monitors it.
struct Seat {
    name: String,
    room: RoomRef,
    _client: Monitor,
}

#[port]
impl Seat {
    #[rcv]
    fn say(&mut self, text: String) {
        self.room.say(self.name.clone(), text);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.leave(self.name.clone());
    }
}

/// A client, to which the room sends messages.
struct Client;

#[port]
impl Client {
    #[rcv]
    fn hear(&mut self, line: String) {
        println!("{line}");
    }
}

async fn server(address: &str) -> Outcome {
    let room = Node::local()?.port(Room::default());
    let seat = move |cx: &mut Cx<'_>, args: Args| take_seat(cx, &args, &room);
    let node = Node::builder()
        .node_id("chat")
        .secret("chatter")
        .bind(address);
    let node = node.init("Chat::seat", seat).start().await?;
    println!("* the room is open at {}", node.listeners().remove(0));
    std::future::pending().await
}

/// The init function that clients spawn by name. It is registered as a closure, which knows the room.
fn take_seat(cx: &mut Cx<'_>, args: &Args, room: &RoomRef) -> Result<Seat, Box<dyn Error>> {
    let [name, client] = args.as_slice() else {
        return Err("Chat::seat takes a name and a port".into());
    };
    let name = name.text().ok_or("the name is no text")?.into_owned();
    let client = PortId::parse(&client.text().ok_or("the port is no text")?)?;
    let client: ClientRef = cx.node().handle(&client);
    room.enter(name.clone(), client.clone());
    let client = cx.link(&client);
    let room = room.clone();
    Ok(Seat {
        name,
        room,
        _client: client,
    })
}

async fn client(name: &str, address: &str) -> Outcome {
    let node = Node::builder()
        .secret("chatter")
        .seed(address)
        .start()
        .await?;
    let me = node.port(Client);
    let mut lines = tokio::io::BufReader::new(stdin()).lines();
    loop {
        node.until_up("chat").await;
        let seat = node.spawn("chat", "Chat::seat", args![name, me.id()]);
        let seat: Handle<SeatMsg> = node.handle(&seat);
        let (lost, mut is_lost) = tokio::sync::oneshot::channel();
        let monitor = seat.monitor(|reason| drop(lost.send(reason.to_string())));
        loop {
            tokio::select! {
                line = lines.next_line() => match line? {
                    Some(text) => drop(seat.post(SeatMsg::Say(text))),
                    None => return { node.stop().await; Ok(()) },
                },
                reason = &mut is_lost => {
                    println!("* lost the room: {}", reason?);
                    break;
                }
            }
        }
        drop(monitor);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A process of this program, and its output.
struct Actor {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Actor {
    fn start(role: &[&str]) -> std::io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut process = command
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (sender, lines) = mpsc::channel();
        if let Some(out) = process.stdout.take() {
            let label = role.join(" ");
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    println!("[{label}] {line}");
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { process, lines })
    }

    fn type_line(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.process.stdin {
            Some(input) => writeln!(input, "{line}"),
            None => Ok(()),
        }
    }

    /// Waits until it has printed a line with this beginning, and returns the whole line.
    fn expect(&self, start: &str) -> Result<String, Box<dyn Error>> {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20))?;
            if line.starts_with(start) {
                return Ok(line);
            }
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rehearse() -> Outcome {
    let mut server = Actor::start(&["server", "127.0.0.1:0"])?;
    let open = server.expect("* the room is open at ")?;
    let address = open.rsplit(' ').next().unwrap_or_default().to_owned();
    let mut ann = Actor::start(&["client", "ann", &address])?;
    server.expect("* ann is here")?;
    let mut bob = Actor::start(&["client", "bob", &address])?;
    ann.expect("* bob is here")?;
    ann.type_line("hello, bob")?;
    bob.expect("ann: hello, bob")?;

    println!("--- the server is killed and started again");
    server.process.kill()?;
    server.process.wait()?;
    bob.expect("* lost the room: transport_error chat")?;
    let server = Actor::start(&["server", &address])?;
    server.expect("* ann is here")?;
    bob.type_line("still there?")?;
    ann.expect("bob: still there?")?;
    Ok(())
}

fn main() -> Outcome {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match words.as_slice() {
        [] => rehearse(),
        ["server"] => runtime.block_on(server(ADDRESS)),
        ["server", address] => runtime.block_on(server(address)),
        ["client", name] => runtime.block_on(client(name, ADDRESS)),
        ["client", name, address] => runtime.block_on(client(name, address)),
        _ => Err("usage: chat [server [ADDRESS] | client NAME [ADDRESS]]".into()),
    }
}
