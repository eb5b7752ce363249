//! A stretch of wire between two nodes that can be cut, and go dead.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

/// Listens in front of a node.
pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct Shared {
    connections: Mutex<Vec<AbortHandle>>,
    open: AtomicUsize,
    dead: watch::Sender<bool>,
}

impl Proxy {
    /// A proxy for the listener at `to`.
    pub(crate) async fn to(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, to, Arc::clone(&shared))).abort_handle();
        Self {
            address,
            shared,
            accepting,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Closes every connection; new ones are as welcome as before.
    pub(crate) fn cut(&self) {
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
    }

    /// From now on nothing gets through, in neither direction, and nothing is closed.
    pub(crate) fn go_dead(&self) {
        self.shared.dead.send_replace(true);
    }

    /// The number of connections that it has accepted since it was cut.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    /// The number of connections that go through it.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

/// Counts for as long as it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, to: String, shared: Arc<Shared>) {
    while let Ok((here, _)) = listener.accept().await {
        shared.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&shared));
        let task = tokio::spawn(carry(here, to.clone(), open));
        let mut connections = shared.connections.lock().unwrap();
        connections.push(task.abort_handle());
    }
}

async fn carry(mut here: TcpStream, to: String, open: Open) {
    let Ok(mut there) = TcpStream::connect(to).await else {
        return;
    };
    let mut dead = open.0.dead.subscribe();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => return,
        _ = dead.wait_for(|&dead| dead) => {}
    }
    std::future::pending::<()>().await;
    drop((here, there));
}
