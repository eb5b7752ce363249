//! Bytes that are too many for a message travel as a stream.

use std::{env, error::Error, time::Duration};

use aemp::{Node, NodeBuilder, db::Pick, port, stream::ByteStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

// ANCHOR: archive
struct Archive;

#[port]
impl Archive {
    #[rcv]
    async fn put(&self, name: String, mut bytes: ByteStream) -> Result<u64, String> {
        let mut content = Vec::new();
        match bytes.read_to_end(&mut content).await {
            Ok(size) => {
                println!("{name}: {size} bytes");
                Ok(size as u64)
            }
            Err(error) => {
                println!("{name} is not complete");
                Err(error.kind().to_string())
            }
        }
    }
}
// ANCHOR_END: archive

fn node(name: &str) -> NodeBuilder {
    Node::builder().node_id(name).secret("between friends")
}

async fn archive(address: &str) -> Result<(), Box<dyn Error>> {
    let node = node("archive").bind(address).start().await?;
    let archive = node.port(Archive);
    node.db_reg("archives", &archive.id(), ())?;
    println!("the archive is ready");
    node.stop_on_signal(Duration::from_secs(1)).await?;
    Ok(())
}

// ANCHOR: sender
async fn sender(address: &str) -> Result<(), Box<dyn Error>> {
    let node = node("sender").seed(address).start().await?;
    let archives = node.pool::<ArchiveRef>("archives")?;
    let archive = archives.wait(Pick::Random).await?;

    let (mut mine, theirs) = node.stream();
    let stored = archive.put("zeros".into(), theirs);
    let write = async {
        for _ in 0..64 {
            mine.write_all(&[0; 65536]).await?;
        }
        mine.shutdown().await
    };
    let (written, stored) = tokio::join!(write, stored);
    written?;
    println!("zeros: {:?}", stored?);
    // ANCHOR_END: sender

    // ANCHOR: cut
    let (mut mine, theirs) = node.stream();
    let stored = archive.put("half of it".into(), theirs);
    let write = async {
        mine.write_all(&[0; 65536]).await?;
        drop(mine);
        Ok::<(), std::io::Error>(())
    };
    let (written, stored) = tokio::join!(write, stored);
    written?;
    println!("half of it: {:?}", stored?);
    // ANCHOR_END: cut
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["archive", address] => archive(address).await,
        ["sender", address] => sender(address).await,
        _ => Err("usage: streams archive|sender ADDRESS".into()),
    }
}
