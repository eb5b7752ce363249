//! Large packets, which are read outside of the runtime's workers.
//!
//! A packet of the largest size occupies a thread for a second, ten thousand times as long as a turn. The connection
//! reads no further until the packet is done, so that the order is kept, and continues to write. A node reads only a
//! few large packets at a time: more would occupy all processors, and memory. A port reads and handles the arguments in
//! a turn of its own, which does not run on a worker either.

use std::{future::pending, ops::Range, pin::Pin, sync::Arc, time::Duration};

use aemp_codec::{DecodeError, Format, Value};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    exec::slice::LARGE_TURN,
    net::Net,
    node::{delivery::Brought, peer::Peer},
    tap::Direction,
};
use aemp_proto::{
    global::GlobalRequest,
    link::Link,
    peer::ConnId,
    request::{RELAY, RELAYED},
};

/// The number of entries of the database that the mesh takes at a time, before other connections may use it.
const ENTRIES: usize = 2048;
/// The pause for other connections between two pieces. A lock that is taken again at once is never free for them.
const BREATH: Duration = Duration::from_micros(100);

type Permit = Result<OwnedSemaphorePermit, AcquireError>;
/// The cost of a packet, or the fault that makes it malformed.
type Read = Result<u64, DecodeError>;

/// The state of a connection's last packet. Nothing more is read while it is a large one.
pub(super) enum Large {
    /// Nothing.
    No,
    /// It waits for its turn.
    Waits(Pin<Box<dyn Future<Output = Permit> + Send>>),
    /// It is being read.
    Runs {
        task: JoinHandle<Read>,
        /// It has a turn, until then.
        turn: Option<(OwnedSemaphorePermit, Instant)>,
    },
    /// It has not arrived yet, and its buffer is being grown.
    Grows(JoinHandle<Vec<u8>>),
}

/// The next step with a large packet.
pub(super) enum Step {
    /// The packet has its turn.
    Turn(OwnedSemaphorePermit),
    /// It has been read.
    Done(Result<Read, String>),
    /// There is room for more of it.
    Grown(Vec<u8>),
}

impl Large {
    pub(super) fn wait(net: &Net) -> Self {
        let turns = net.node().scheduler().large();
        Self::Waits(Box::pin(turns.acquire_owned()))
    }

    /// Moves a large buffer to where there is more room. That takes some milliseconds.
    pub(super) fn grow(net: &Net, buffer: (Vec<u8>, usize)) -> Self {
        let runtime = net.node().scheduler().runtime();
        Self::Grows(runtime.spawn_blocking(|| Link::grow(buffer)))
    }

    pub(super) fn runs(&self) -> bool {
        matches!(self, Self::Runs { .. })
    }

    /// Ready when it goes on. Nothing is lost if that is not waited for to the end.
    pub(super) async fn next(&mut self) -> Step {
        match self {
            Self::Waits(turn) => match turn.await {
                Ok(permit) => Step::Turn(permit),
                // It is never closed.
                Err(_) => pending().await,
            },
            Self::Runs { task, turn } => {
                let done = match turn {
                    Some((_, until)) => tokio::time::timeout_at(*until, &mut *task).await.ok(),
                    None => None,
                };
                // Others do not wait for code of the user for ever: this one does.
                *turn = None;
                let done = match done {
                    Some(done) => done,
                    None => task.await,
                };
                Step::Done(done.map_err(|error| format!("a large packet was not read: {error}")))
            }
            Self::Grows(task) => match task.await {
                Ok(buffer) => Step::Grown(buffer),
                // The runtime ends, and this task with it.
                Err(_) => pending().await,
            },
            Self::No => pending().await,
        }
    }

    /// Ready when nothing is being read any more.
    pub(super) async fn end(&mut self) {
        if self.runs() {
            // Its outcome is of no interest any more.
            let _ = self.next().await;
        }
        *self = Self::No;
    }
}

/// A packet that is read on a thread of its own.
pub(super) struct LargePacket {
    pub(super) net: Net,
    pub(super) peer: Arc<Peer>,
    pub(super) format: Format,
    pub(super) conn: ConnId,
    pub(super) bytes: Vec<u8>,
    /// The place of the packet in the bytes.
    pub(super) place: Range<usize>,
}

impl LargePacket {
    pub(super) fn begin(self, permit: OwnedSemaphorePermit) -> Large {
        let runtime = self.net.node().scheduler().runtime().clone();
        let task = runtime.spawn_blocking(move || {
            let read = self.read();
            drop(self);
            read
        });
        let turn = Some((permit, Instant::now() + LARGE_TURN));
        Large::Runs { task, turn }
    }

    fn read(&self) -> Read {
        let node = self.net.node();
        let mut brought = Brought::over(self.conn);
        {
            let _scope = node.decoding();
            let packet = &self.bytes[self.place.clone()];
            if node.traces() {
                node.trace(Direction::Rcv, self.peer.id(), &self.format, packet);
            }
            let mut reader = self.format.reader(packet, node.limits())?;
            node.deliver(&self.peer, &mut reader, &mut brought)?;
        }
        let requests = std::mem::take(&mut brought.for_mesh);
        Ok(brought.cost + self.take(requests))
    }

    /// Passes the requests to the mesh, a few entries at a time, so that other connections need not wait. Returns their
    /// cost.
    fn take(&self, requests: Vec<(String, Vec<Value>)>) -> u64 {
        let (net, conn) = (&self.net, self.conn);
        let mut cost = 0;
        for (name, args) in requests {
            if matches!(name.as_str(), RELAY | RELAYED) {
                cost += net.ask(|mesh, now| mesh.requests(now, conn, [(name, args)]));
                continue;
            }
            let (request, mut odd) = match GlobalRequest::parse(&name, args) {
                Ok(parsed) => parsed,
                Err(error) => {
                    cost += net.ask(|mesh, now| mesh.global_request(now, conn, &name, Err(error)));
                    continue;
                }
            };
            for piece in request.pieces(ENTRIES) {
                let parsed = Ok((piece, std::mem::take(&mut odd)));
                cost += net.ask(|mesh, now| mesh.global_request(now, conn, &name, parsed));
                std::thread::sleep(BREATH);
            }
        }
        cost
    }
}
