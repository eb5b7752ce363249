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
    io::AsyncReadExt,
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
    /// Contexts travel when the nodes are connected.
    #[start]
    async fn start(&mut self) {
        self.store.node().until_up("store").await;
    }

    /// The number of books that are left.
    #[rcv(try)]
    async fn order(&mut self, customer: String) -> Result<u32, CallError> {
        let left = self.store.take().await?;
        if left < 3 {
            println!("{customer} has taken one of the last books");
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
        [directory, name, seed] => member(Path::new(directory), name, seed).await,
        _ => Err("usage: traced [DIRECTORY]".into()),
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
    let names = ["shop", "store"];
    let start = |name: &str| start(directory, name, &seed);
    let members = names.into_iter().map(start).collect::<Outcome<Vec<_>>>()?;
    let ready = async {
        for name in names {
            node.until_up(name).await;
        }
    };
    timeout(Duration::from_secs(20), ready).await?;
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

fn start(directory: &Path, name: &str, seed: &str) -> Outcome<Child> {
    let child = Command::new(env::current_exe()?)
        .arg(directory)
        .args([name, seed])
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    Ok(child?)
}

/// The second and the third process, until the first one closes their input.
async fn member(directory: &Path, name: &str, seed: &str) -> Outcome {
    let provider = provider(directory, name)?;
    let node = builder(name, &provider).seed(seed).start().await?;
    let mut input = Vec::new();
    tokio::io::stdin().read_to_end(&mut input).await?;
    node.stop_within(Duration::from_secs(5)).await;
    provider.shutdown()?;
    Ok(())
}
