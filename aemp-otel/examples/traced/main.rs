//! A request over three processes, and its spans.
//!
//! The first process is the counter of a shop, the second takes orders, and the third is the store. The counter calls the
//! shop, the shop calls the store, and tells it something without waiting. Each process writes its spans as OTLP in JSON
//! to a file; a collector of OpenTelemetry would read them.
//!
//! `traced [DIRECTORY]` starts all three on loopback.

mod otlp;

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use aemp::{CallError, Cx, Node, NodeBuilder, port, spawnable};
use opentelemetry::{
    Context,
    context::FutureExt,
    trace::{TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp::JsonFile;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

struct Store {
    books: u32,
}

#[port]
impl Store {
    #[rcv]
    fn take(&mut self) -> u32 {
        self.books -= 1;
        self.books
    }

    #[rcv]
    fn reorder(&mut self, books: u32) {
        self.books += books;
    }
}

#[spawnable(name = "Traced::store")]
fn store(books: u32) -> Store {
    Store { books }
}

struct Shop {
    store: StoreRef,
}

#[port]
impl Shop {
    /// The number of books that are left.
    #[rcv(try)]
    async fn order(&mut self, customer: String) -> Result<u32, CallError> {
        let left = self.store.take().await?;
        if left < 3 {
            eprintln!("{customer} has taken one of the last books");
            self.store.reorder(10);
        }
        Ok(left)
    }
}

#[spawnable(name = "Traced::shop")]
fn shop(cx: &mut Cx<'_>) -> Shop {
    let store = store::on(cx.node(), "store", 3);
    Shop { store }
}

#[tokio::main]
async fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.as_slice() {
        [] => counter(&env::temp_dir()).await,
        [directory] => counter(Path::new(directory)).await,
        [directory, name, seeds @ ..] => member(Path::new(directory), name, seeds).await,
    }
}

fn file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("traced-{name}.json"))
}

fn provider(directory: &Path, name: &str) -> Outcome<SdkTracerProvider> {
    let exporter = JsonFile::create(name, &file(directory, name))?;
    Ok(SdkTracerProvider::builder()
        .with_simple_exporter(exporter)
        .build())
}

fn builder(name: &str, provider: &SdkTracerProvider) -> NodeBuilder {
    let tracer = aemp_otel::tracer(provider.tracer("traced"));
    Node::builder()
        .node_id(name)
        .secret("of the example")
        .bind("127.0.0.1:0")
        .tracer(tracer)
}

/// The first process: sends the request, in a span of its own.
async fn counter(directory: &Path) -> Outcome {
    let provider = provider(directory, "counter")?;
    let node = builder("counter", &provider).start().await?;
    let seed = node.listeners().remove(0);
    // The shop knows the address of the store, so the two are connected before the request comes.
    let (store, address) = start(directory, "store", &[&seed]).await?;
    let (shop, _) = start(directory, "shop", &[&seed, &address]).await?;
    let members = [shop, store];
    timeout(Duration::from_secs(20), node.until_up("shop")).await?;
    let shop = shop::on(&node, "shop");
    let visit = Context::current_with_span(provider.tracer("traced").start("visit"));
    let order = shop.order("Ada".into()).with_context(visit.clone());
    let left = timeout(Duration::from_secs(20), order).await??;
    visit.span().end();
    println!("{left} books are left");
    for mut member in members {
        // It ends with its input.
        drop(member.stdin.take());
        let ended = timeout(Duration::from_secs(20), member.wait()).await??;
        assert!(ended.success());
    }
    node.stop().await;
    provider.shutdown()?;
    for name in ["counter", "shop", "store"] {
        println!("spans of {name}: {}", file(directory, name).display());
    }
    Ok(())
}

/// Starts a process, and returns it with its address, which it prints first.
async fn start(directory: &Path, name: &str, seeds: &[&str]) -> Outcome<(Child, String)> {
    let mut child = Command::new(env::current_exe()?)
        .arg(directory)
        .arg(name)
        .args(seeds)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.as_mut().ok_or("it has an output")?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address).await?;
    Ok((child, address.trim_end().into()))
}

/// The second and the third process, until the first one closes their input.
async fn member(directory: &Path, name: &str, seeds: &[String]) -> Outcome {
    let provider = provider(directory, name)?;
    let known = builder(name, &provider);
    let node = seeds.iter().fold(known, NodeBuilder::seed).start().await?;
    if name == "shop" {
        node.until_up("store").await;
    }
    println!("{}", node.listeners().remove(0));
    let mut input = Vec::new();
    tokio::io::stdin().read_to_end(&mut input).await?;
    node.stop_within(Duration::from_secs(5)).await;
    provider.shutdown()?;
    Ok(())
}
