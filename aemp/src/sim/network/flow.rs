//! The way of sent data to the other end.

use super::{
    End, Event, Fault, Happening, Network,
    stream::{Packet, Phase},
};

impl Network {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Connect(stream) => self.connect(stream),
            Event::Refuse(stream) => {
                let known = self
                    .streams
                    .get(&stream)
                    .is_some_and(|stream| stream.port != 0);
                let fault = if known {
                    Fault::Refused
                } else {
                    Fault::UnknownHost
                };
                self.fail(stream, fault);
            }
            Event::Arrive(end) => self.arrive(end),
            Event::GiveUp(stream, stalls) => self.give_up(stream, stalls),
        }
    }

    fn connect(&mut self, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        // A stalled attempt is repeated when the way is free, perhaps before this one would have arrived.
        if stream.is_stalled() || stream.phase != Phase::Opening {
            return;
        }
        let (host, port) = (stream.hosts[1], stream.port);
        if !self.hosts[host.index()].listening.contains(&port) {
            return self.fail(id, Fault::Refused);
        }
        stream.phase = Phase::Open;
        stream.sides[1].open = true;
        let end = stream.end(1);
        self.traffic.connections += 1;
        self.happenings.push_back(Happening::Accepted { port, end });
        self.happenings.push_back(Happening::Connected(end.other()));
    }

    fn fail(&mut self, id: u64, fault: Fault) {
        if let Some(stream) = self.remove(id)
            && stream.sides[0].open
        {
            let end = stream.end(0);
            self.happenings.push_back(Happening::Ended(end, fault));
        }
    }

    fn arrive(&mut self, end: End) {
        let now = self.now;
        loop {
            let Some(stream) = self.streams.get_mut(&end.stream) else {
                return;
            };
            let (from, to) = (stream.host(end.other().side), stream.host(end.side));
            let side = stream.side(end.side);
            let due = side.coming.front().is_some_and(|(at, _)| *at <= now);
            if !due || !self.reaches(from, to) {
                return;
            }
            self.deliver(end);
        }
    }

    /// Delivers the next packet that is under way to an end.
    fn deliver(&mut self, end: End) {
        let Some(stream) = self.streams.get_mut(&end.stream) else {
            return;
        };
        let side = stream.side(end.side);
        match side.coming.pop_front() {
            None => {}
            Some((_, Packet::Bytes(bytes))) if side.open => {
                self.happenings.push_back(Happening::Arrived(end, bytes));
            }
            Some((_, Packet::Bytes(_))) => self.send_end(end.other(), Fault::Reset),
            Some((_, Packet::End(fault))) => {
                if side.open {
                    side.open = fault == Fault::EndOfFile;
                    self.happenings.push_back(Happening::Ended(end, fault));
                }
                self.tidy(end.stream);
            }
        }
    }

    pub(super) fn send_pieces(&mut self, to: End, bytes: &[u8], pieces: u32) {
        let mut rest = bytes;
        for _ in 1..pieces {
            let (piece, more) = rest.split_at(self.chance.index(rest.len() + 1));
            self.send(to, Packet::Bytes(piece.into()));
            rest = more;
        }
        self.send(to, Packet::Bytes(rest.into()));
    }

    pub(super) fn send_end(&mut self, to: End, fault: Fault) {
        self.send(to, Packet::End(fault));
    }

    fn send(&mut self, to: End, packet: Packet) {
        if matches!(&packet, Packet::Bytes(bytes) if bytes.is_empty()) {
            return;
        }
        let Some(stream) = self.streams.get(&to.stream) else {
            return;
        };
        let latency = self.latency(stream.host(to.other().side), stream.host(to.side));
        let now = self.now;
        if let Some(stream) = self.streams.get_mut(&to.stream) {
            let side = stream.side(to.side);
            side.busy = side.busy.max(now + latency);
            let at = side.busy;
            side.coming.push_back((at, packet));
            self.schedule(at, Event::Arrive(to));
        }
    }

    /// Returns the room of bytes that were taken to the sender.
    pub(super) fn return_room(&mut self, id: u64, side: u8) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let taken = stream.side(side);
        taken.in_flight = taken.in_flight.saturating_sub(taken.unreturned);
        taken.unreturned = 0;
        if std::mem::take(&mut taken.awaited) {
            let end = stream.end(side).other();
            if stream.side(end.side).open {
                self.happenings.push_back(Happening::Room(end));
            }
        }
    }
}
