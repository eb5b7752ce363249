//! The simulated network as tokio tasks see it: sockets and listeners.

mod socket;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    sync::{Arc, MutexGuard},
};

use tokio::{sync::Notify, time::Instant};

pub(crate) use self::socket::{SimListener, SimStream};
use super::{End, Fault, Happening, HostId, Network};
use crate::{lock::Lock, net::stir::Stir};
use aemp_proto::Time;

/// The network that the sockets of all nodes of a simulation share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

struct Shared {
    state: Lock<State>,
    origin: Instant,
    /// Notified when the deadline has become earlier.
    changed: Notify,
}

struct State {
    network: Network,
    sockets: HashMap<End, Socket>,
    listeners: BTreeMap<(HostId, u16), Listening>,
}

/// One end of a connection, as its owner sees it.
#[derive(Default)]
struct Socket {
    connected: bool,
    arrived: VecDeque<u8>,
    ended: Option<Fault>,
    /// True if the network did not take all bytes of the last write, and has not reported room since.
    full: bool,
    stir: Arc<Stir>,
}

/// Connections that have not been accepted yet.
#[derive(Default)]
struct Listening {
    waiting: VecDeque<End>,
    arrived: Arc<Notify>,
}

impl Hub {
    /// Creates a hub. Must be called inside of a tokio runtime, whose clock it uses.
    pub(crate) fn new(network: Network) -> Self {
        let state = State {
            network,
            sockets: HashMap::new(),
            listeners: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            state: Lock::new(state),
            origin: Instant::now(),
            changed: Notify::new(),
        }))
    }

    /// The virtual time since the simulation was created.
    pub(crate) fn now(&self) -> Time {
        Time::from(self.0.origin.elapsed())
    }

    /// Lets events happen when they are due, for ever.
    pub(crate) async fn run(self) {
        loop {
            let deadline = self.lock().network.deadline();
            let due = async {
                match deadline {
                    Some(at) => {
                        tokio::time::sleep_until(self.0.origin + at.since_origin()).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = due => self.with(|_| ()),
                () = self.0.changed.notified() => {}
            }
        }
    }

    /// Calls `work` with the network at the present time.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Network) -> R) -> R {
        self.with_state(|state| work(&mut state.network))
    }

    fn with_state<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let now = self.now();
        let mut state = self.lock();
        state.network.advance(now);
        let result = work(&mut state);
        state.dispatch();
        drop(state);
        self.0.changed.notify_one();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Connects a host to `host:port`.
    pub(crate) async fn connect(&self, from: HostId, address: &str) -> io::Result<SimStream> {
        let (end, stir) = self.with_state(|state| {
            let end = state.network.dial(from, address);
            let socket = Socket::default();
            let stir = Arc::clone(&socket.stir);
            state.sockets.insert(end, socket);
            (end, stir)
        });
        // From here on, dropping the stream closes the connection.
        let stream = SimStream::new(self.clone(), end, stir);
        stream.connected().await?;
        Ok(stream)
    }

    /// Listens on a port, or on a free one if it is 0.
    pub(crate) fn listen(&self, host: HostId, port: u16) -> io::Result<SimListener> {
        self.with_state(|state| {
            let taken = |port: &u16| state.listeners.contains_key(&(host, *port));
            let port = match port {
                0 => (super::PORT..).find(|port| !taken(port)).unwrap_or(0),
                port => port,
            };
            if !state.network.listen(host, port) {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    "Address already in use",
                ));
            }
            let listening = Listening::default();
            let arrived = Arc::clone(&listening.arrived);
            state.listeners.insert((host, port), listening);
            Ok(SimListener::new(self.clone(), (host, port), arrived))
        })
    }
}

impl State {
    /// Passes events to sockets and listeners.
    fn dispatch(&mut self) {
        while let Some(happening) = self.network.poll() {
            match happening {
                Happening::Accepted { port, end } => self.accepted(port, end),
                Happening::Connected(end) => self.socket(end, |socket| socket.connected = true),
                Happening::Arrived(end, bytes) => {
                    self.socket(end, |socket| socket.arrived.extend(bytes));
                }
                Happening::Room(end) => self.socket(end, |socket| socket.full = false),
                Happening::Ended(end, fault) => {
                    self.socket(end, |socket| socket.ended = Some(fault));
                }
            }
        }
    }

    fn accepted(&mut self, port: u16, end: End) {
        match self.listeners.get_mut(&(end.host(), port)) {
            Some(listening) => {
                self.sockets.insert(end, Socket::default());
                listening.waiting.push_back(end);
                listening.arrived.notify_one();
            }
            None => self.network.close(end),
        }
    }

    fn socket(&mut self, end: End, change: impl FnOnce(&mut Socket)) {
        if let Some(socket) = self.sockets.get_mut(&end) {
            change(socket);
            socket.stir.wake();
        }
    }
}
