//! A server for scrapers and probes: HTTP/1.1, one request for each connection.
//!
//! Clients are strangers, so each of them costs little. At most [`MOST`] connections are served at a time; one more ends
//! the oldest, so that slow clients do not keep others out. A connection has [`LIMIT`] in all, and a request
//! [`LONGEST`] octets. No request changes anything.

mod http;

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::{sleep, timeout},
};

use self::http::{Answer, Parsed, Status, Wish};
use crate::{Node, Readiness, WeakNode, guard};

/// The number of connections that are served at a time.
const MOST: usize = 32;
/// The time that a connection has.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest request, in octets.
const LONGEST: usize = 8192;
/// The pause after a failure to accept, such as a lack of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A running server of metrics. It ends when this is dropped, or with its node. Made by [`Node::serve_metrics`].
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: AbortHandle,
}

impl MetricsServer {
    /// The address on which it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    /// Serves the [`metrics`](mod@crate::metrics) of this node by HTTP, on an address such as `127.0.0.1:9464`; the port
    /// 0 is any free one.
    ///
    /// | path | answer |
    /// | --- | --- |
    /// | `/metrics` | the text for Prometheus |
    /// | `/healthz` | 200 while the node lives, then 503 |
    /// | `/readyz` | 200 if the node [takes work](Self::readiness), otherwise 503, with the state as a text |
    ///
    /// Every client that can connect may ask. Metrics tell the names of types, handlers, peers and families, so listen on a
    /// private address. Connections are limited in number, time and size.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::local()?;
    /// let server = node.serve_metrics("127.0.0.1:0").await?;
    /// println!("http://{}/metrics", server.local_addr());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If it cannot listen on the address.
    pub async fn serve_metrics(&self, address: impl AsRef<str>) -> io::Result<MetricsServer> {
        let listener = TcpListener::bind(address.as_ref()).await?;
        let address = listener.local_addr()?;
        let task = self.scheduler().spawn(serve(self.downgrade(), listener));
        Ok(MetricsServer {
            address,
            task: task.abort_handle(),
        })
    }
}

/// The connections that are served, the oldest first. They end with the server.
struct Served(VecDeque<AbortHandle>);

impl Served {
    /// Makes room for one more.
    fn make_room(&mut self) {
        self.0.retain(|task| !task.is_finished());
        while self.0.len() >= MOST {
            if let Some(oldest) = self.0.pop_front() {
                oldest.abort();
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

async fn serve(node: WeakNode, listener: TcpListener) {
    let mut served = Served(VecDeque::new());
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        // Its address is free again when the node is gone.
        let Some(alive) = node.upgrade() else { return };
        served.make_room();
        let connection = timeout(LIMIT, answer(node.clone(), client));
        let task = alive.scheduler().spawn(async {
            // A client that breaks the connection or is too slow gets nothing.
            let _ = connection.await;
        });
        served.0.push_back(task.abort_handle());
        guard::discard(alive);
    }
}

/// Reads the request and answers it.
async fn answer(node: WeakNode, mut client: TcpStream) -> io::Result<()> {
    let answer = match read(&mut client).await? {
        Ok(wish) => {
            let Some(node) = node.upgrade() else {
                return Ok(());
            };
            let answer = fulfil(&node, wish).await;
            guard::discard(node);
            answer
        }
        Err(status) => Answer::of(status),
    };
    client.write_all(&answer.into_bytes()).await?;
    client.shutdown().await?;
    // Closing with unread data would discard the answer on its way.
    let mut rest = [0; 512];
    while client.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn read(client: &mut TcpStream) -> io::Result<Result<Wish, Status>> {
    let (mut head, mut some) = (Vec::new(), [0; 1024]);
    loop {
        match http::parse(&head) {
            Parsed::Wish(wish) => return Ok(Ok(wish)),
            Parsed::Wrong(status) => return Ok(Err(status)),
            Parsed::More if head.len() >= LONGEST => return Ok(Err(Status::TooLarge)),
            Parsed::More => {}
        }
        match client.read(&mut some).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&some[..read]),
        }
    }
}

async fn fulfil(node: &Node, wish: Wish) -> Answer {
    let (status, text) = match wish.path {
        http::Path::Metrics => (Status::Fine, node.metrics().await.to_string()),
        http::Path::Health if node.has_ended().is_some() => (Status::Unavailable, "ended\n".into()),
        http::Path::Health => (Status::Fine, "ok\n".into()),
        http::Path::Ready => {
            let (status, text) = match node.readiness() {
                Readiness::Ready => (Status::Fine, "ready\n"),
                Readiness::Joining => (Status::Unavailable, "joining\n"),
                Readiness::Stopping => (Status::Unavailable, "stopping\n"),
                Readiness::Ended => (Status::Unavailable, "ended\n"),
            };
            (status, text.into())
        }
    };
    Answer::new(status, text, wish.is_head)
}
