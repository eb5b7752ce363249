//! The tunnels of an end: the octets that have arrived, and the credit for more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aemp_codec::NodeId;

use super::{FRAME, WINDOW, frame::Act};
use crate::peer::ConnId;

/// The number of read octets at which the other end gets new credit.
const REPORT: usize = WINDOW / 4;

/// All tunnels, by their connections.
#[derive(Debug, Default)]
pub(crate) struct Tunnels {
    all: BTreeMap<ConnId, Tunnel>,
    sessions: BTreeMap<(NodeId, u64), ConnId>,
    /// Dials whose relay has not answered, or is not connected yet.
    asking: BTreeSet<(NodeId, ConnId)>,
}

/// One end of a session.
#[derive(Debug)]
struct Tunnel {
    relay: NodeId,
    session: u64,
    /// The octets that have arrived.
    inbox: VecDeque<u8>,
    /// The octets that have been read, and that the other end has no credit for yet.
    read: usize,
    /// The number of octets that may be sent.
    room: usize,
    /// The end of the readable data, with the reason. It is empty if the other end has closed its side in order.
    ended: Option<String>,
    /// True if this end has closed its side.
    closed: bool,
    /// True if the session is over, and the relay knows.
    over: bool,
}

/// The session of a tunnel, for an act of this end.
pub(crate) type Session = (NodeId, u64);

/// The result of reading a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelRead {
    /// This number of octets was read.
    Octets(usize),
    /// There is nothing to read yet.
    Nothing,
    /// The other end has closed the tunnel, and everything has been read.
    End,
    /// The tunnel was lost, for this reason.
    Lost(String),
}

impl Tunnels {
    /// Adds the tunnel of a session.
    pub(crate) fn begin(&mut self, conn: ConnId, relay: &NodeId, session: u64) {
        self.sessions.insert((relay.clone(), session), conn);
        let tunnel = Tunnel {
            relay: relay.clone(),
            session,
            inbox: VecDeque::new(),
            read: 0,
            room: WINDOW,
            ended: None,
            closed: false,
            over: false,
        };
        self.all.insert(conn, tunnel);
    }

    /// Adds a dial through a relay.
    pub(crate) fn ask(&mut self, relay: &NodeId, conn: ConnId) {
        self.asking.insert((relay.clone(), conn));
    }

    /// The dials through a relay that have no answer yet.
    pub(crate) fn asking(&self, relay: &NodeId) -> Vec<ConnId> {
        let first = (relay.clone(), ConnId(0));
        let theirs = self.asking.range(first..);
        let theirs = theirs.take_while(|(asked, _)| asked == relay);
        theirs.map(|(_, conn)| *conn).collect()
    }

    /// Forgets a dial that has been answered or given up.
    pub(crate) fn asks_no_more(&mut self, relay: &NodeId, conn: ConnId) {
        self.asking.remove(&(relay.clone(), conn));
    }

    /// True if the connection is a tunnel.
    pub(crate) fn contains(&self, conn: ConnId) -> bool {
        self.all.contains_key(&conn)
    }

    /// The relay of a tunnel.
    pub(crate) fn relay(&self, conn: ConnId) -> Option<&NodeId> {
        self.all.get(&conn).map(|tunnel| &tunnel.relay)
    }

    /// The number of sessions through a relay.
    pub(crate) fn len_of(&self, relay: &NodeId) -> usize {
        self.through(relay).count()
    }

    fn through(&self, relay: &NodeId) -> impl Iterator<Item = ConnId> {
        let first = (relay.clone(), 0);
        let theirs = self.sessions.range(first..);
        let theirs = theirs.take_while(move |((via, _), _)| via == relay);
        theirs.map(|(_, conn)| *conn)
    }

    /// Takes an act of the other end of a session. Returns the tunnel if its reader and writer should look again.
    pub(crate) fn came(&mut self, relay: &NodeId, session: u64, act: Act) -> Option<ConnId> {
        let conn = *self.sessions.get(&(relay.clone(), session))?;
        let tunnel = self.all.get_mut(&conn)?;
        match act {
            Act::Data(octets) => {
                let unread = tunnel.inbox.len() + tunnel.read + octets.len();
                if unread > WINDOW {
                    let text = format!("relay {relay}: it has sent too much");
                    return self.break_off(conn, text);
                }
                tunnel.inbox.extend(octets);
            }
            Act::Room(count) => tunnel.room = tunnel.room.saturating_add(count).min(WINDOW),
            Act::End(text) if text.is_empty() => {
                tunnel.ended.get_or_insert_default();
                if tunnel.closed {
                    return self.finish(conn, String::new());
                }
            }
            Act::End(text) => return self.finish(conn, format!("relay {relay}: {text}")),
        }
        Some(conn)
    }

    /// Takes note that the session of a tunnel is over. Octets that have arrived can still be read.
    fn finish(&mut self, conn: ConnId, text: String) -> Option<ConnId> {
        self.all.get_mut(&conn)?.over = true;
        self.break_off(conn, text)
    }

    /// Takes no more acts of the other end of a tunnel. The text is the reason, unless it has ended before.
    pub(crate) fn break_off(&mut self, conn: ConnId, text: String) -> Option<ConnId> {
        let tunnel = self.all.get_mut(&conn)?;
        let session = (tunnel.relay.clone(), tunnel.session);
        tunnel.ended.get_or_insert(text);
        tunnel.closed = true;
        self.sessions.remove(&session);
        Some(conn)
    }

    /// Ends all tunnels through a relay that is lost. Returns them.
    pub(crate) fn lost(&mut self, relay: &NodeId, text: &str) -> Vec<ConnId> {
        let theirs: Vec<_> = self.through(relay).collect();
        for conn in &theirs {
            self.finish(*conn, format!("relay {relay} is lost ({text})"));
        }
        theirs
    }

    /// Removes a tunnel. Returns its session, if the other end has to be told.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Session> {
        let tunnel = self.all.remove(&conn)?;
        let session = (tunnel.relay, tunnel.session);
        self.sessions.remove(&session);
        (!tunnel.over).then_some(session)
    }

    /// Closes this end's side of a tunnel. Returns its session, if the other end has to be told.
    pub(crate) fn close(&mut self, conn: ConnId) -> Option<Session> {
        let tunnel = self.all.get_mut(&conn)?;
        if std::mem::replace(&mut tunnel.closed, true) {
            return None;
        }
        let session = (tunnel.relay.clone(), tunnel.session);
        if tunnel.ended.is_some() {
            self.finish(conn, String::new());
        }
        Some(session)
    }

    /// True if reading would give octets, or the end.
    pub(crate) fn is_readable(&self, conn: ConnId) -> bool {
        let tunnel = self.all.get(&conn);
        tunnel.is_none_or(|tunnel| !tunnel.inbox.is_empty() || tunnel.ended.is_some())
    }

    /// True if writing would take octets, or fail.
    pub(crate) fn is_writable(&self, conn: ConnId) -> bool {
        let tunnel = self.all.get(&conn);
        tunnel.is_none_or(|tunnel| tunnel.room > 0 || tunnel.closed)
    }

    /// Appends octets to a buffer, as far as it has room. Returns the credit that the other end gets, if it gets any.
    pub(crate) fn read(
        &mut self,
        conn: ConnId,
        buffer: &mut Vec<u8>,
    ) -> (TunnelRead, Option<(Session, usize)>) {
        let Some(tunnel) = self.all.get_mut(&conn) else {
            return (TunnelRead::End, None);
        };
        if tunnel.inbox.is_empty() {
            let read = match &tunnel.ended {
                None => TunnelRead::Nothing,
                Some(text) if text.is_empty() => TunnelRead::End,
                Some(text) => TunnelRead::Lost(text.clone()),
            };
            return (read, None);
        }
        let count = tunnel.inbox.len().min(buffer.capacity() - buffer.len());
        // A queue is drained octet by octet, and the mesh is locked.
        let (front, back) = tunnel.inbox.as_slices();
        let in_front = count.min(front.len());
        buffer.extend_from_slice(&front[..in_front]);
        buffer.extend_from_slice(&back[..count - in_front]);
        tunnel.inbox.drain(..count);
        tunnel.read += count;
        let due = tunnel.read >= REPORT && tunnel.ended.is_none();
        let credit = due.then(|| {
            let session = (tunnel.relay.clone(), tunnel.session);
            (session, std::mem::take(&mut tunnel.read))
        });
        (TunnelRead::Octets(count), credit)
    }

    /// Takes the beginning of these octets, as far as there is credit. Returns the session and their number.
    ///
    /// # Errors
    ///
    /// Returns why the tunnel has ended.
    pub(crate) fn write(
        &mut self,
        conn: ConnId,
        octets: usize,
    ) -> Result<Option<(Session, usize)>, String> {
        let Some(tunnel) = self.all.get_mut(&conn) else {
            return Err("the tunnel is closed".into());
        };
        if tunnel.closed {
            let text = tunnel.ended.as_deref().filter(|text| !text.is_empty());
            return Err(text.unwrap_or("the tunnel is closed").into());
        }
        let count = octets.min(tunnel.room).min(FRAME);
        if count == 0 {
            return Ok(None);
        }
        tunnel.room -= count;
        Ok(Some(((tunnel.relay.clone(), tunnel.session), count)))
    }

    /// True if nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.sessions.is_empty() && self.asking.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId(5);

    fn relay() -> NodeId {
        NodeId::new("m").unwrap()
    }

    fn tunnels() -> Tunnels {
        let mut tunnels = Tunnels::default();
        tunnels.begin(CONN, &relay(), 7);
        tunnels
    }

    fn read(tunnels: &mut Tunnels, most: usize) -> (TunnelRead, Option<usize>) {
        let mut buffer = Vec::with_capacity(most);
        let (read, credit) = tunnels.read(CONN, &mut buffer);
        (read, credit.map(|(_, count)| count))
    }

    #[test]
    fn octets_are_read_and_credit_is_returned() {
        let mut tunnels = tunnels();
        assert_eq!(read(&mut tunnels, 10), (TunnelRead::Nothing, None));
        assert!(!tunnels.is_readable(CONN));
        assert_eq!(
            tunnels.came(&relay(), 7, Act::Data(vec![1; REPORT])),
            Some(CONN)
        );
        assert!(tunnels.is_readable(CONN));
        assert_eq!(read(&mut tunnels, 10), (TunnelRead::Octets(10), None));
        let rest = REPORT - 10;
        assert_eq!(
            read(&mut tunnels, REPORT),
            (TunnelRead::Octets(rest), Some(REPORT))
        );
        assert_eq!(
            tunnels.came(&relay(), 8, Act::Data(vec![1])),
            None,
            "another session"
        );
    }

    #[test]
    fn writing_stops_without_credit() {
        let mut tunnels = tunnels();
        let mut sent = 0;
        while let Some((_, count)) = tunnels.write(CONN, WINDOW).unwrap() {
            assert!(count <= FRAME);
            sent += count;
        }
        assert_eq!(sent, WINDOW);
        assert!(!tunnels.is_writable(CONN));
        tunnels.came(&relay(), 7, Act::Room(3));
        assert_eq!(tunnels.write(CONN, 10).unwrap().unwrap().1, 3);
    }

    #[test]
    fn octets_that_have_arrived_are_read_before_the_end() {
        let mut tunnels = tunnels();
        tunnels.came(&relay(), 7, Act::Data(vec![1; 3]));
        tunnels.came(&relay(), 7, Act::End("it is lost".into()));
        assert!(tunnels.write(CONN, 1).is_err() && tunnels.is_writable(CONN));
        let late = tunnels.came(&relay(), 7, Act::Data(vec![1]));
        assert_eq!(late, None);
        assert_eq!(read(&mut tunnels, 10).0, TunnelRead::Octets(3));
        let lost = TunnelRead::Lost("relay m: it is lost".into());
        assert_eq!(read(&mut tunnels, 10).0, lost);
        assert_eq!(tunnels.remove(CONN), None, "the other end knows");
        assert!(tunnels.is_empty());
    }

    #[test]
    fn each_side_is_closed_by_itself() {
        let mut tunnels = tunnels();
        tunnels.came(&relay(), 7, Act::Data(vec![1; 3]));
        tunnels.came(&relay(), 7, Act::End(String::new()));
        assert!(tunnels.write(CONN, 1).unwrap().is_some());
        assert_eq!(read(&mut tunnels, 10).0, TunnelRead::Octets(3));
        assert_eq!(read(&mut tunnels, 10).0, TunnelRead::End);
        assert_eq!(tunnels.close(CONN), Some((relay(), 7)));
        assert_eq!(tunnels.close(CONN), None);
        assert!(tunnels.write(CONN, 1).is_err());
        assert_eq!(tunnels.remove(CONN), None, "both sides are closed");

        tunnels.begin(CONN, &relay(), 8);
        tunnels.close(CONN);
        tunnels.came(&relay(), 8, Act::Data(vec![1; 3]));
        assert_eq!(read(&mut tunnels, 10).0, TunnelRead::Octets(3));
        assert_eq!(
            tunnels.remove(CONN),
            Some((relay(), 8)),
            "the other end may write"
        );
    }

    #[test]
    fn a_lost_relay_ends_its_tunnels_only() {
        let mut tunnels = tunnels();
        let other = NodeId::new("n").unwrap();
        tunnels.begin(ConnId(6), &other, 7);
        assert_eq!(tunnels.lost(&relay(), "gone"), [CONN]);
        let lost = TunnelRead::Lost("relay m is lost (gone)".into());
        assert_eq!(read(&mut tunnels, 10).0, lost);
        assert!(!tunnels.is_readable(ConnId(6)));
        assert_eq!((tunnels.len_of(&relay()), tunnels.len_of(&other)), (0, 1));
        assert_eq!(tunnels.close(ConnId(6)), Some((other, 7)));
    }

    #[test]
    fn a_relay_that_sends_too_much_ends_the_tunnel() {
        let mut tunnels = tunnels();
        tunnels.came(&relay(), 7, Act::Data(vec![1; WINDOW]));
        let mut buffer = Vec::with_capacity(10);
        tunnels.read(CONN, &mut buffer);
        tunnels.came(&relay(), 7, Act::Data(vec![1]));
        assert_eq!(
            read(&mut tunnels, WINDOW).0,
            TunnelRead::Octets(WINDOW - 10)
        );
        assert!(matches!(read(&mut tunnels, 10).0, TunnelRead::Lost(_)));
    }

    #[test]
    fn dials_ask_their_relay() {
        let mut tunnels = tunnels();
        let other = NodeId::new("n").unwrap();
        for (relay, conn) in [(&other, 1), (&relay(), 9), (&other, 2), (&other, 3)] {
            tunnels.ask(relay, ConnId(conn));
        }
        tunnels.asks_no_more(&other, ConnId(2));
        assert_eq!(tunnels.asking(&other), [ConnId(1), ConnId(3)]);
        assert_eq!(tunnels.asking(&relay()), [ConnId(9)]);
    }
}
