//! Sends a file to another process over a stream of its own. The receiver is killed with SIGKILL in the middle and
//! started again. The sender asks it for the bytes that it has, sends the rest, and both compare a hash of the whole.
//!
//! Without arguments, the program makes a file of 64 MiB and starts its receiver on loopback. With them it is a pair of
//! programs: `send_file receive FOLDER` prints its address, and `send_file send FILE ADDRESS` sends there.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aemp::{Node, NodeBuilder, port, spawnable, stream::ByteStream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha3::{Digest, Sha3_256};
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, copy_buf},
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const SIZE: u64 = 64 << 20;

/// The receiver of one file. A sender spawns one on the receiving node.
struct Inbox {
    path: PathBuf,
}

#[spawnable(name = "SendFile::inbox")]
fn inbox(name: String) -> Result<Inbox, String> {
    // A name is a name and no path, so a sender writes into the folder and nowhere else.
    let name = Path::new(&name)
        .file_name()
        .ok_or("not the name of a file")?;
    let folder = env::args().nth(2).ok_or("this node receives nothing")?;
    let path = Path::new(&folder).join(name);
    Ok(Inbox { path })
}

#[port]
impl Inbox {
    /// The number of bytes that are here already.
    #[rcv]
    async fn has(&self) -> u64 {
        fs::metadata(&self.path).await.map_or(0, |file| file.len())
    }

    /// Appends a stream. Answers with the hash of the whole file.
    #[rcv]
    async fn append(&self, mut bytes: ByteStream) -> Result<String, String> {
        let append = async {
            let mut options = OpenOptions::new();
            let mut file = options.create(true).append(true).open(&self.path).await?;
            tokio::io::copy(&mut bytes, &mut file).await?;
            file.sync_all().await?;
            hash(&self.path).await
        };
        append
            .await
            .map_err(|error: std::io::Error| error.to_string())
    }
}

async fn hash(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash) = (File::open(path).await?, Sha3_256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).await? {
            0 => {
                return Ok(hash
                    .finalize()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect());
            }
            read => hash.update(&buffer[..read]),
        }
    }
}

fn node(id: &str) -> NodeBuilder {
    Node::builder().node_id(id).secret("demo")
}

#[tokio::main]
async fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => demonstrate().await,
        ["receive", _] => receive().await,
        ["send", file, address] => {
            let node = node("sender").seed(*address).start().await?;
            node.joined().await?;
            send(&node, Path::new(file), || ()).await.map(drop)
        }
        _ => Err("usage: send_file [receive FOLDER | send FILE ADDRESS]".into()),
    }
}

async fn receive() -> Outcome {
    let node = node("receiver").bind("127.0.0.1:0").start().await?;
    println!("{}", node.listeners().remove(0));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Sends the missing bytes of a file. `half` is called when half of the file has been written.
async fn send(node: &Node, path: &Path, half: impl FnOnce()) -> Outcome<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let inbox = inbox::on(node, "receiver", name.ok_or("no file name")?.into());
    let mut file = File::open(path).await?;
    let (size, has) = (file.metadata().await?.len(), inbox.has().await?);
    println!("send: the receiver has {has} of {size} bytes");
    file.seek(std::io::SeekFrom::Start(has)).await?;

    let (mut stream, theirs) = node.bulk_stream();
    let appended = inbox.append(theirs);
    let progress = stream.progress();
    let write = async {
        copy_buf(
            &mut tokio::io::BufReader::with_capacity(1 << 16, file),
            &mut stream,
        )
        .await?;
        stream.shutdown().await
    };
    let show = async {
        let (bar, mut half) = (bar(size), Some(half));
        loop {
            let sent = has + progress.written();
            bar.set_position(sent);
            if sent >= size / 2
                && let Some(half) = half.take()
            {
                half();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        // The answer counts, whether or not everything could be written.
        answer = async { tokio::join!(write, appended) } => {
            let hash = answer.1??;
            println!("send: it is there, with the hash {hash}");
            Ok(hash)
        }
        () = show => unreachable!("the bar is shown until the end"),
    }
}

/// The bar on the terminal; nothing if the output goes elsewhere.
fn bar(size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = "{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec}";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

async fn demonstrate() -> Outcome {
    let folder = env::temp_dir().join(format!("send_file-{}", std::process::id()));
    let (from, to) = (folder.join("from"), folder.join("to"));
    std::fs::create_dir_all(&from)?;
    std::fs::create_dir_all(&to)?;
    let path = from.join("numbers");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    for number in 0..SIZE / 8 {
        file.write_all(&number.to_le_bytes())?;
    }
    file.flush()?;

    let mut receiver = Receiver::start(&to)?;
    let seed = receiver.address()?;
    let first = node("sender").seed(&seed).start().await?;
    first.joined().await?;
    match send(&first, &path, || receiver.kill()).await {
        Ok(_) => println!("send: all of it was there before the receiver was killed"),
        Err(error) => println!("send: cut off: {error}"),
    }
    first.stop().await;
    drop(receiver);

    let mut receiver = Receiver::start(&to)?;
    let second = node("sender").seed(receiver.address()?).start().await?;
    second.joined().await?;
    let hash_there = send(&second, &path, || ()).await?;
    let same = hash_there == hash(&path).await?;
    println!(
        "send: the hashes are {}",
        if same { "equal" } else { "different" }
    );
    second.stop().await;
    drop(receiver);
    std::fs::remove_dir_all(&folder)?;
    if same {
        Ok(())
    } else {
        Err("the file has changed on its way".into())
    }
}

/// The receiving process. It is killed when this is dropped.
struct Receiver(Child);

impl Receiver {
    fn start(folder: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("receive").arg(folder).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).spawn().map(Self)
    }

    fn address(&mut self) -> Outcome<String> {
        let mut line = String::new();
        let output = self.0.stdout.take().ok_or("it has been read before")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(line.trim_end().into())
    }

    fn kill(&mut self) {
        println!("send: kill -9 {}", self.0.id());
        let _ = self.0.kill();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
