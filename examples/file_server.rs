//! The file server of Coro::MP's tutorial, with clients that fall silent.
//!
//! The server is a process: one async function that receives the messages that it wants next. It writes one file at a
//! time. Messages of other clients, which come in between, wait in its mailbox. A client that sends nothing for a while
//! is the end of the server, which a supervisor notices and starts again.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use aemp::{Handle, Inbox, Node, Octets, PortId, Reason, UntypedMsg, receive, snd};
use tokio::{fs::File, io::AsyncWriteExt, sync::mpsc, time::sleep};

/// The time that the server waits for the next piece of a file.
const PATIENCE: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_secs(60);
/// The time that clients take for each piece.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lines that the program prints.
type Lines = mpsc::UnboundedSender<String>;

/// Writes files, one after the other.
///
/// - `("write_file", client, name)` begins a file.
/// - `("data", client, octets)` is its next piece. An empty piece ends the file. Then the client is told: `("written")`.
async fn file_server(inbox: Inbox, dir: PathBuf, lines: Lines) -> Result<(), Reason> {
    loop {
        // Pieces of other files are not looked at, so they wait.
        let (client, name) = receive! { inbox,
            ("write_file", client: PortId, name: String) => (client, name),
            ("stop") => return Ok(()),
        };
        let _ = lines.send(format!("server: writing {name}"));
        match write_file(&inbox, &client, &dir.join(&name)).await? {
            Some(size) => {
                let _ = lines.send(format!("server: {name} has {size} bytes"));
                snd!(inbox, client, "written");
            }
            None => {
                let _ = lines.send(format!("server: the client of {name} is gone"));
            }
        }
    }
}

/// Writes one file, and returns its size; `None` if the client has died.
async fn write_file(inbox: &Inbox, client: &PortId, path: &Path) -> Result<Option<usize>, Reason> {
    let failed = |error: io::Error| Reason::die(format_args!("{}: {error}", path.display()));
    let mut file = File::create(path).await.map_err(failed)?;
    let _guard = inbox.monitor(client);
    let mut size = 0;
    loop {
        let data = receive! { inbox,
            ("data", from: PortId, data: Octets) if from == *client => data,
            ("DOWN", dead: PortId, ..) if dead == *client => return Ok(None),
            after PATIENCE => {
                let name = path.file_name().unwrap_or_default().display();
                return Err(Reason::die(format_args!("timeout waiting for data of {name}")));
            }
        };
        if data.is_empty() {
            file.flush().await.map_err(failed)?;
            return Ok(Some(size));
        }
        file.write_all(&data).await.map_err(failed)?;
        size += data.len();
    }
}

/// Sends a file in pieces, of which the last should be empty, and waits until it has been written.
async fn client(
    inbox: Inbox,
    server: PortId,
    name: &'static str,
    pieces: &'static [&'static str],
    limit: Duration,
) -> Result<(), &'static str> {
    // If the server dies, so does the client.
    let _link = inbox.link(&server);
    let own = inbox.id();
    snd!(inbox, server, "write_file", &own, name);
    for piece in pieces {
        sleep(PAUSE).await;
        snd!(inbox, server, "data", &own, *piece);
    }
    let written = inbox.get_timeout("written", limit).await;
    written.map(drop).ok_or("had enough")
}

/// Starts the server and its clients, and the server again when it has died.
async fn supervisor(inbox: Inbox, dir: PathBuf, lines: Lines) {
    let node = inbox.node();
    let start = || -> Handle<UntypedMsg> {
        let (dir, lines) = (dir.clone(), lines.clone());
        let server = node.process(move |inbox| file_server(inbox, dir, lines));
        inbox.monitor(&server.id()).detach();
        server
    };
    let upload = |server: &Handle<UntypedMsg>, name, pieces, limit| {
        let server = server.id();
        let client = node.process(move |inbox| client(inbox, server, name, pieces, limit));
        inbox.monitor(&client.id()).detach();
    };

    // Their pieces come in turn, and the files do not.
    let server = start();
    upload(&server, "alice.txt", &["one\n", "two\n", ""], MINUTE);
    upload(&server, "bob.txt", &["drei\n", "vier\n", ""], MINUTE);
    inbox.get("DOWN").await;
    inbox.get("DOWN").await;

    upload(&server, "carol.txt", &["only this\n"], 2 * PAUSE);
    inbox.get("DOWN").await;

    upload(&server, "dave.txt", &["only that\n"], MINUTE);
    let reason = receive! { inbox,
        ("DOWN", dead: PortId, reason: Reason) if dead == server.id() => reason,
    };
    let _ = lines.send(format!("supervisor: the server has died: {reason}"));
    let server = start();
    upload(&server, "erin.txt", &["again\n", ""], MINUTE);
    // The clients of both servers.
    inbox.get("DOWN").await;
    inbox.get("DOWN").await;
    snd!(inbox, server, "stop");
    let ended = inbox.get("DOWN").await;
    assert_eq!(ended[0], server.id().as_str().into());
}

/// Runs everything in a directory. Returns when the supervisor has ended and all lines have been sent.
async fn run(dir: &Path, lines: Lines) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(dir)?;
    let node = Node::local()?;
    let (ended, ends) = tokio::sync::oneshot::channel();
    let own = dir.to_owned();
    let supervisor = node.process(move |inbox| supervisor(inbox, own, lines));
    let tell = move |reason: &Reason| drop(ended.send(reason.clone()));
    supervisor.monitor(tell).detach();
    let reason = ends.await?;
    node.stop().await;
    if reason.is_normal() {
        Ok(())
    } else {
        Err(reason.into())
    }
}

fn directory() -> PathBuf {
    env::temp_dir().join(format!("aemp-file-server-{}", process::id()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (lines, mut printed) = mpsc::unbounded_channel();
    let printing = tokio::spawn(async move {
        while let Some(line) = printed.recv().await {
            println!("{line}");
        }
    });
    let dir = directory();
    let done = run(&dir, lines).await;
    printing.await?;
    fs::remove_dir_all(dir)?;
    done
}

#[tokio::test(start_paused = true)]
async fn files_are_written_one_at_a_time() {
    let (lines, mut printed) = mpsc::unbounded_channel();
    let dir = directory();
    run(&dir, lines).await.expect("the supervisor succeeds");
    let mut all = Vec::new();
    while let Some(line) = printed.recv().await {
        all.push(line);
    }
    let expected = [
        "server: writing alice.txt",
        "server: alice.txt has 8 bytes",
        "server: writing bob.txt",
        "server: bob.txt has 10 bytes",
        "server: writing carol.txt",
        "server: the client of carol.txt is gone",
        "server: writing dave.txt",
        "supervisor: the server has died: die timeout waiting for data of dave.txt",
        "server: writing erin.txt",
        "server: erin.txt has 6 bytes",
    ];
    assert_eq!(all, expected);
    let read = |name: &str| fs::read_to_string(dir.join(name)).expect("it was written");
    assert_eq!(
        (read("alice.txt"), read("bob.txt")),
        ("one\ntwo\n".into(), "drei\nvier\n".into())
    );
    fs::remove_dir_all(dir).expect("it is this test's own");
}
