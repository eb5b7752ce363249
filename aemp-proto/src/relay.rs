//! Relayed connections: two nodes without listeners talk by way of a third ([protocol](crate::protocol::relays)).
//!
//! A node that cannot be dialled is reached through a *relay*: a node that both are connected to, usually its master.
//! The relay opens a *session* between two of its connections, and passes octets on in both directions. At each end,
//! the session carries a *tunnel*: a connection like any other, whose octets travel in packets of another connection
//! instead of a socket. So everything above octets is unchanged, and runs from end to end: greeting, proof of the
//! secret, TLS and its binding, certificates, the arbiter, framing, keepalives, monitors, losses, credit, permits.
//!
//! - [`frame`]: the two requests, `Aemp::relay` to the relay and `Aemp::relayed` from it.
//! - [`exchange`]: the sessions of a relay.
//! - [`tunnels`]: the tunnels of an end, with the octets that have arrived.
//! - `mesh/relay.rs`: the rules: the permission to open a session, its end, and the way of a dial through a relay.
//!
//! # Decisions
//!
//! - *A tunnel of octets, not messages that are passed on.* A relay that passed messages on would speak in its own name
//!   (the confused deputy), or would have to be believed when it names the sender. It would also have to pass on
//!   monitors, deaths, credit and spawns, each with an answer to a loss. A relay of octets knows none of these. It
//!   can delay and end a session, like any router, and with encryption it can do nothing else.
//! - *The way is known to the database already.* A global node knows each node's listeners (`'l`) together with the
//!   global node that answers for that entry: the master. If the list is empty, a `g_found` to a node that can use
//!   relays names the master as a third argument. There is no new entry, and reference nodes see no difference.
//! - *One hop.* A session is opened only between two connections that are no tunnels themselves, so there are no loops.
//! - *A loss anywhere ends the tunnel.* A session belongs to the two connections on which it was opened. When either is
//!   lost, the relay tells the other end, and the end that has lost the relay ends all its tunnels through it. The
//!   peer's state machine then fires the monitors, as for a socket.
//! - *Numbers are never used again.* The relay counts sessions and the caller counts attempts, from the start of the
//!   node to its end. A frame that is late names a session that has ended, and is dropped. A frame cannot survive the
//!   connection that it was queued on, because frames are never queued for a node that is not connected.
//! - *Credit.* At most [`WINDOW`] octets of a direction are on their way. The receiving end returns credit (`room`)
//!   when the octets have been read. The relay counts as well, and ends a session whose end sends more. So a session
//!   costs a relay at most two windows, and a slow end stops only the other end of that session.
//! - *One way at a time.* A tunnel and a direct connection between the same nodes are two connections, and the arbiter
//!   chooses one. A node that is connected over a tunnel stays so until the tunnel is lost.
//!
//! # Dangers
//!
//! - The queue of the relay for a slow end is filled by many sessions. From half of `max_queue_bytes` on, the session
//!   with the next frame ends, never the connection.
//! - A relay can name any node as the caller. The caller proves its identity in the tunnel, so the name is not used.
//! - A caller can make a node open connections to relays: the master names the relay. It is only dialled like any other
//!   node, and a session needs its consent.
//! - A tunnel's end can come while octets wait to be read. They are read first.
//!
//! Left out: more than one hop, a choice among several relays, and a move to a direct connection while a tunnel is up.

pub(crate) mod exchange;
pub(crate) mod frame;
pub(crate) mod tunnels;

/// The largest number of octets of one direction that are on their way.
pub(crate) const WINDOW: usize = 256 << 10;
/// The largest number of octets of a frame. With JSON, an octet may take six bytes.
pub(crate) const FRAME: usize = 16 << 10;
/// The largest number of sessions of one node.
pub(crate) const MOST_SESSIONS: usize = 1024;
