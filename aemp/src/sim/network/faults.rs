//! Partitions, crashes, cuts, and their effects on connections.

use aemp_proto::Time;

use super::{Crash, End, Event, Fault, Happening, HostId, Network, Phase, stream::Side};

impl Network {
    /// Separates two groups of hosts: nothing passes between them in either direction. Connections between them stall.
    /// Bytes that are written are kept, and arrive when the partition is healed. If that takes longer than the [user
    /// timeout](Self::set_user_timeout), both ends time out.
    pub fn partition(&mut self, one: &[HostId], other: &[HostId]) {
        self.partitions.add(one, other);
        self.partition_one_way(other, one);
    }

    /// Like [`partition`](Self::partition), in one direction only: packets from `to` still arrive. Neither end gets
    /// acknowledgements, so connections end in the same way.
    pub fn partition_one_way(&mut self, from: &[HostId], to: &[HostId]) {
        self.partitions.add(from, to);
        self.check_stalls();
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        if !self.partitions.is_empty() {
            self.partitions.clear();
            self.check_stalls();
        }
    }

    /// True if packets get from one host to the other: there is no partition, and both machines run.
    #[must_use]
    pub fn reaches(&self, from: HostId, to: HostId) -> bool {
        self.at(from).up && self.at(to).up && !self.partitions.separate(from, to)
    }

    /// Ends a host without warning. Its connections are gone, and it no longer listens.
    pub fn crash(&mut self, host: HostId, how: Crash) {
        self.at_mut(host).listening.clear();
        self.at_mut(host).up = how == Crash::Process;
        let streams: Vec<_> = self.at(host).streams.iter().copied().collect();
        for id in streams {
            self.drop_ends(id, host, how);
            self.check_stall(id);
            self.tidy(id);
        }
    }

    /// Brings a crashed machine back, without its former connections. Does nothing if the machine is up.
    pub fn recover(&mut self, host: HostId) {
        if std::mem::replace(&mut self.at_mut(host).up, true) {
            return;
        }
        let streams: Vec<_> = self.at(host).streams.iter().copied().collect();
        for id in streams {
            self.check_stall(id);
            let Some(stream) = self.streams.get(&id) else {
                continue;
            };
            // The answer to the next packet of the other end, which may be a keepalive, is a reset.
            for side in [0, 1] {
                if stream.phase == Phase::Open && stream.host(side) == host {
                    let other = stream.end(side).other();
                    self.send_end(other, Fault::Reset);
                    break;
                }
            }
        }
    }

    /// Cuts every connection between two hosts, so that both ends see a reset.
    pub fn cut_all(&mut self, one: HostId, other: HostId) {
        let open = self.at(one).streams.iter().filter_map(|id| {
            let stream = self.streams.get(id)?;
            (stream.phase == Phase::Open).then(|| stream.end(0))
        });
        let across: Vec<_> = open
            .filter(|end| [end.host(), end.peer()].contains(&other))
            .collect();
        across.into_iter().for_each(|end| self.cut(end));
    }

    /// Cuts a stream: bytes under way arrive, later ones are lost, and both ends see a reset.
    pub(super) fn cut(&mut self, end: End) {
        if let Some(stream) = self.streams.get_mut(&end.stream)
            && !std::mem::replace(&mut stream.cut, true)
        {
            self.send_end(end, Fault::Reset);
            self.send_end(end.other(), Fault::Reset);
        }
    }

    fn drop_ends(&mut self, id: u64, host: HostId, how: Crash) {
        for side in [0, 1] {
            let Some(stream) = self.streams.get_mut(&id) else {
                return;
            };
            if stream.host(side) != host || !std::mem::take(&mut stream.side(side).open) {
                continue;
            }
            stream.side(side).coming.clear();
            if stream.phase != Phase::Open {
                self.remove(id);
                return;
            }
            if how == Crash::Process {
                let other = stream.end(side).other();
                let reset = self.chance.happens(0.5);
                if reset && let Some(stream) = self.streams.get_mut(&id) {
                    stream.side(other.side).coming.clear();
                }
                let fault = if reset {
                    Fault::Reset
                } else {
                    Fault::EndOfFile
                };
                self.send_end(other, fault);
            }
        }
    }

    fn check_stalls(&mut self) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        streams.into_iter().for_each(|id| self.check_stall(id));
    }

    /// Checks whether a stream has stalled, or continues.
    pub(super) fn check_stall(&mut self, id: u64) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let [one, other] = stream.hosts;
        let passes =
            stream.phase != Phase::Lost && self.reaches(one, other) && self.reaches(other, one);
        let (was_stalled, stalls) = (stream.is_stalled(), stream.stalls + 1);
        if passes != was_stalled {
            return;
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.stalls = stalls;
        }
        if passes {
            self.resume(id);
        } else {
            self.schedule(self.now + self.user_timeout, Event::GiveUp(id, stalls));
        }
    }

    /// Continues a stream: the bytes that were kept are sent.
    fn resume(&mut self, id: u64) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let ([one, other], opening) = (stream.hosts, stream.phase == Phase::Opening);
        if opening {
            let at = self.now + self.latency(one, other);
            return self.schedule(at, Event::Connect(id));
        }
        for side in [0, 1] {
            let [from, to] = if side == 1 {
                [one, other]
            } else {
                [other, one]
            };
            let now = self.now;
            let at = now + self.latency(from, to);
            let Some(stream) = self.streams.get_mut(&id) else {
                return;
            };
            let end = stream.end(side);
            let due = stream.side(side).delay(now, at);
            for time in due {
                self.schedule(time, Event::Arrive(end));
            }
            self.return_room(id, side);
        }
    }

    /// Ends a stream that was stalled for the user timeout.
    pub(super) fn give_up(&mut self, id: u64, stalls: u64) {
        if self
            .streams
            .get(&id)
            .is_none_or(|stream| stream.stalls != stalls)
        {
            return;
        }
        let Some(stream) = self.remove(id) else {
            return;
        };
        for side in [0, 1] {
            if stream.sides[usize::from(side)].open {
                let end = stream.end(side);
                self.happenings
                    .push_back(Happening::Ended(end, Fault::TimedOut));
            }
        }
    }
}

impl Side {
    /// Delays packets that are overdue until `at`, and the others at least until then. Returns the new times of
    /// arrival.
    fn delay(&mut self, now: Time, at: Time) -> Vec<Time> {
        let mut due = Vec::new();
        if self.coming.front().is_none_or(|(time, _)| *time > now) {
            return due;
        }
        for (time, _packet) in &mut self.coming {
            if *time < at {
                *time = at;
                due.push(at);
            }
        }
        self.busy = self.busy.max(at);
        due.dedup();
        due
    }
}
