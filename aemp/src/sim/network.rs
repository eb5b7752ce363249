//! A bad network as pure data: hosts, their connections, and faults.

mod conditions;
mod faults;
mod flow;
mod happening;
mod host;
mod partition;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    fmt,
    time::Duration,
};

pub use self::{
    conditions::{Conditions, Crash, Fault},
    happening::{Happening, Traffic},
    host::HostId,
    stream::End,
};
use self::{
    partition::Partitions,
    stream::{Phase, Stream},
};
use super::Chance;
use aemp_proto::Time;

#[derive(Debug)]
struct Host {
    name: String,
    up: bool,
    listening: BTreeSet<u16>,
    streams: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The attempt to connect arrives.
    Connect(u64),
    /// The attempt to connect is refused.
    Refuse(u64),
    /// The next packet for an end is due.
    Arrive(End),
    /// A stalled stream times out, if its count of stalls is still this.
    GiveUp(u64, u64),
}

/// A network with faults, under a virtual clock. It is pure data, without sockets and tasks.
///
/// The caller writes, closes and dials, calls [`advance`](Self::advance) when the [`deadline`](Self::deadline) has
/// come, and [polls](Self::poll) the events. Connections are streams of bytes in both directions, like TCP's: in order
/// and without loss, or broken. The same seed and the same calls give the same history.
///
/// It differs from real networks: a reset never overtakes bytes that were written before it (TCP's may), bandwidth has
/// no limit, and a host always reaches itself.
///
/// ```
/// use aemp::sim::{Happening, Network};
///
/// let mut network = Network::new(1);
/// let (a, b) = (network.add_host("a"), network.add_host("b"));
/// network.listen(b, 4040);
/// let dialled = network.dial(a, "b:4040");
/// while let Some(deadline) = network.deadline() {
///     network.advance(deadline);
/// }
/// assert!(matches!(network.poll(), Some(Happening::Accepted { .. })));
/// assert_eq!(network.poll(), Some(Happening::Connected(dialled)));
/// ```
pub struct Network {
    now: Time,
    chance: Chance,
    hosts: Vec<Host>,
    names: BTreeMap<String, HostId>,
    default: Conditions,
    links: BTreeMap<(HostId, HostId), Conditions>,
    user_timeout: Duration,
    partitions: Partitions,
    streams: BTreeMap<u64, Stream>,
    last_stream: u64,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    last_event: u64,
    happenings: VecDeque<Happening>,
    traffic: Traffic,
}

impl Network {
    /// Creates a network without hosts.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Time::ZERO,
            chance: Chance::new(seed),
            hosts: Vec::new(),
            names: BTreeMap::new(),
            default: Conditions::default(),
            links: BTreeMap::new(),
            user_timeout: Duration::from_secs(30),
            partitions: Partitions::default(),
            streams: BTreeMap::new(),
            last_stream: 0,
            events: BinaryHeap::new(),
            last_event: 0,
            happenings: VecDeque::new(),
            traffic: Traffic::default(),
        }
    }

    /// Adds a host. Returns the existing host if there is one with this name.
    pub fn add_host(&mut self, name: &str) -> HostId {
        if let Some(host) = self.names.get(name) {
            return *host;
        }
        let count = u32::try_from(self.hosts.len()).expect("fewer than 2^32 hosts");
        let host = HostId::new(count);
        self.names.insert(name.into(), host);
        self.hosts.push(Host {
            name: name.into(),
            up: true,
            listening: BTreeSet::new(),
            streams: BTreeSet::new(),
        });
        host
    }

    /// Returns the host with this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<HostId> {
        self.names.get(name).copied()
    }

    /// All hosts, in the order in which they were added.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.hosts.len() as u32).map(HostId::new)
    }

    /// The name of a host.
    #[must_use]
    pub fn name(&self, host: HostId) -> &str {
        &self.at(host).name
    }

    /// Sets the conditions between hosts that have none of their own.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.default = conditions;
    }

    /// Sets the conditions from one host to another, in that direction.
    pub fn set_link(&mut self, from: HostId, to: HostId, conditions: Conditions) {
        self.links.insert((from, to), conditions);
    }

    /// Sets how long a stalled connection lives. On a real system, TCP's user timeout and keepalives do this. The
    /// default is 30 seconds.
    pub fn set_user_timeout(&mut self, timeout: Duration) {
        self.user_timeout = timeout;
    }

    /// The traffic so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The number of connections, in any state.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.streams.len()
    }

    /// Starts to accept connections to a port. Returns false if the port is taken.
    pub fn listen(&mut self, host: HostId, port: u16) -> bool {
        self.at_mut(host).listening.insert(port)
    }

    /// Stops to accept connections to a port.
    pub fn unlisten(&mut self, host: HostId, port: u16) {
        self.at_mut(host).listening.remove(&port);
    }

    /// Connects a host to `host:port`. A [`Happening`] reports the result.
    pub fn dial(&mut self, from: HostId, address: &str) -> End {
        self.last_stream += 1;
        let id = self.last_stream;
        let target = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((self.host(host)?, port.parse().ok()?)));
        let (to, port) = target.unwrap_or((from, 0));
        let conditions = self.conditions(from, to).clone();
        let lost = target.is_some() && self.chance.happens(conditions.lose);
        let phase = if lost { Phase::Lost } else { Phase::Opening };
        let stream = Stream::new(id, [from, to], port, phase);
        let end = stream.end(0);
        self.streams.insert(id, stream);
        for host in [from, to] {
            self.at_mut(host).streams.insert(id);
        }
        let at = self.now + self.latency(from, to) + self.latency(to, from);
        if target.is_none() || self.chance.happens(conditions.refuse) {
            self.schedule(at, Event::Refuse(id));
        } else if !lost {
            self.schedule(at, Event::Connect(id));
        }
        self.check_stall(id);
        end
    }

    /// Writes bytes. Returns how many were taken. If these are not all, [`Happening::Room`] reports when there is room
    /// again.
    pub fn write(&mut self, end: End, bytes: &[u8]) -> usize {
        let Some(stream) = self.streams.get(&end.stream) else {
            return bytes.len();
        };
        if stream.phase != Phase::Open {
            return 0;
        }
        let (from, to) = (stream.host(end.side), stream.host(end.other().side));
        let conditions = self.conditions(from, to);
        let (window, pieces, cut) = (conditions.window, conditions.pieces, conditions.cut);
        let Some(stream) = self.streams.get_mut(&end.stream) else {
            return bytes.len();
        };
        let is_cut = stream.cut;
        let target = stream.side(end.other().side);
        let room = window.saturating_sub(target.in_flight).min(bytes.len());
        target.awaited |= room < bytes.len();
        if room == 0 || is_cut {
            return room;
        }
        target.in_flight += room;
        self.traffic.writes += 1;
        self.traffic.bytes += room as u64;
        let cut = self.chance.happens(cut);
        let arrives = if cut {
            self.chance.index(room + 1)
        } else {
            room
        };
        self.send_pieces(end.other(), &bytes[..arrives], pieces);
        if cut {
            self.cut(end);
        }
        room
    }

    /// Frees the room of bytes that have arrived at an end and have been processed, so that more can arrive.
    pub fn taken(&mut self, end: End, bytes: usize) {
        if let Some(stream) = self.streams.get_mut(&end.stream) {
            let side = stream.side(end.side);
            side.unreturned += bytes;
            if !stream.is_stalled() {
                self.return_room(end.stream, end.side);
            }
        }
    }

    /// Closes an end. Bytes that were written still arrive, followed by the end of the stream. Bytes that arrive here
    /// are no longer reported.
    pub fn close(&mut self, end: End) {
        let Some(stream) = self.streams.get_mut(&end.stream) else {
            return;
        };
        let was_open = std::mem::take(&mut stream.side(end.side).open);
        stream.side(end.side).coming.clear();
        if stream.phase != Phase::Open {
            self.remove(end.stream);
        } else if was_open {
            if !std::mem::replace(&mut stream.side(end.side).finished, true) {
                self.send_end(end.other(), Fault::EndOfFile);
            }
            self.tidy(end.stream);
        }
    }

    /// Ends writing at an end, which still receives. Bytes that were written still arrive, followed by the end of the
    /// stream.
    pub fn finish(&mut self, end: End) {
        if let Some(stream) = self.streams.get_mut(&end.stream)
            && stream.phase == Phase::Open
            && stream.side(end.side).open
            && !std::mem::replace(&mut stream.side(end.side).finished, true)
        {
            self.send_end(end.other(), Fault::EndOfFile);
        }
    }

    /// Closes an end as a system does: if there are bytes for it that it has not taken, the other end is reset.
    pub(super) fn drop_end(&mut self, end: End) {
        let stream = self.streams.get_mut(&end.stream);
        let side = stream.map(|stream| stream.side(end.side));
        let is_unread = side.is_some_and(|side| side.in_flight > side.unreturned);
        self.close(end);
        if is_unread {
            self.send_end(end.other(), Fault::Reset);
        }
    }

    /// The latest time at which [`advance`](Self::advance) must be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.events.peek().map(|Reverse((time, ..))| *time)
    }

    /// Moves the clock. Everything that is due happens, in order.
    pub fn advance(&mut self, now: Time) {
        while let Some(time) = self.deadline().filter(|time| *time <= now) {
            self.now = self.now.max(time);
            if let Some(Reverse((_, _, event))) = self.events.pop() {
                self.happen(event);
            }
        }
        self.now = self.now.max(now);
    }

    /// Moves the clock before the deadline, so that nothing happens.
    pub(super) fn set_now(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// Moves the clock, but lets only the next due event happen. Returns false if there is none.
    pub fn advance_one(&mut self, now: Time) -> bool {
        let due = self.deadline().filter(|time| *time <= now);
        self.now = self.now.max(due.unwrap_or(now));
        if due.is_some()
            && let Some(Reverse((_, _, event))) = self.events.pop()
        {
            self.happen(event);
        }
        due.is_some()
    }

    /// Returns the next event.
    pub fn poll(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    fn tidy(&mut self, id: u64) {
        if self.streams.get(&id).is_some_and(Stream::is_over) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Stream> {
        let stream = self.streams.remove(&id)?;
        for host in stream.hosts {
            self.at_mut(host).streams.remove(&id);
        }
        Some(stream)
    }

    fn conditions(&self, from: HostId, to: HostId) -> &Conditions {
        self.links.get(&(from, to)).unwrap_or(&self.default)
    }

    fn latency(&mut self, from: HostId, to: HostId) -> Duration {
        let latency = self.conditions(from, to).latency.clone();
        self.chance.between(*latency.start(), *latency.end())
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.last_event += 1;
        self.events.push(Reverse((at, self.last_event, event)));
    }

    fn at(&self, host: HostId) -> &Host {
        &self.hosts[host.index()]
    }

    fn at_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.index()]
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("now", &self.now)
            .field("hosts", &self.hosts.len())
            .field("connections", &self.streams.len())
            .finish_non_exhaustive()
    }
}
