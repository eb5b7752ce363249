//! Partitions, crashes, cuts, and what they do to connections.

use aemp_proto::Time;

use super::{Crash, End, Event, Fault, Happening, HostId, Network, Phase, stream::Side};

impl Network {
    /// From now on nothing reaches the one side from the other, in both directions. Connections across it stall: what is
    /// written is kept and arrives when the partition is healed, or, if that takes longer than the
    /// [user timeout](Self::set_user_timeout), both ends time out.
    pub fn partition(&mut self, one: &[HostId], other: &[HostId]) {
        self.partitions.add(one, other);
        self.partition_one_way(other, one);
    }

    /// As [`partition`](Self::partition), in one direction only: what `to` sends still arrives. Neither end is told that
    /// what it has sent has come through, so connections end in the same way.
    pub fn partition_one_way(&mut self, from: &[HostId], to: &[HostId]) {
        self.partitions.add(from, to);
        self.look_at_all();
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        if !self.partitions.is_empty() {
            self.partitions.clear();
            self.look_at_all();
        }
    }

    /// Whether packets get from one host to the other: no partition, and both machines run.
    #[must_use]
    pub fn reaches(&self, from: HostId, to: HostId) -> bool {
        self.at(from).up && self.at(to).up && !self.partitions.separate(from, to)
    }

    /// A host ends without warning. Its ends are gone and it listens no more.
    pub fn crash(&mut self, host: HostId, how: Crash) {
        self.at_mut(host).listening.clear();
        self.at_mut(host).up = how == Crash::Process;
        let streams: Vec<_> = self.at(host).streams.iter().copied().collect();
        for id in streams {
            self.drop_ends(id, host, how);
            self.look_at(id);
            self.tidy(id);
        }
    }

    /// A crashed machine is back; it knows nothing of its former connections. Nothing happens if the machine is up.
    pub fn recover(&mut self, host: HostId) {
        if std::mem::replace(&mut self.at_mut(host).up, true) {
            return;
        }
        let streams: Vec<_> = self.at(host).streams.iter().copied().collect();
        for id in streams {
            self.look_at(id);
            let Some(stream) = self.streams.get(&id) else {
                continue;
            };
            // Whatever the other end sends next, a keepalive if nothing else, is answered so.
            for side in [0, 1] {
                if stream.phase == Phase::Open && stream.host(side) == host {
                    let other = stream.end(side).other();
                    self.send_end(other, Fault::Reset);
                    break;
                }
            }
        }
    }

    /// Cuts every connection between two hosts, so that both ends find it reset.
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

    /// What is on its way arrives, nothing that is written from now on does, and both ends are reset.
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

    fn look_at_all(&mut self) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        streams.into_iter().for_each(|id| self.look_at(id));
    }

    /// Notices that a stream no longer gets through, or does again.
    pub(super) fn look_at(&mut self, id: u64) {
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
            self.go_on(id);
        } else {
            self.schedule(self.now + self.user_timeout, Event::GiveUp(id, stalls));
        }
    }

    /// The way is free again: what was kept is on its way.
    fn go_on(&mut self, id: u64) {
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
            self.tell_room(id, side);
        }
    }

    /// Nothing has come through for the user timeout.
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
    /// What should have arrived by now arrives at `at`, and the rest not before it. When what was moved is due.
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
