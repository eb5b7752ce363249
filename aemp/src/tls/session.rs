//! One TLS connection without its I/O: ciphertext in, plaintext out, and back.
//!
//! A connection with certificates uses the unbuffered connections of rustls (`unbuffered`). They decrypt in the buffer
//! that the socket was read into, and encrypt into the buffer that is written. Each connection has its own verifier,
//! which knows the claimed node ID and keeps its findings as text. A connection by a secret needs an exporter, which
//! only rustls' buffered connections give out (the unbuffered ones of 0.23 keep it). So it is of another kind (`whole`),
//! behind the same interface.
//!
//! With buffered connections only, `unbuffered` (100 lines) would go, and the three kinds of connections would be one. But
//! they cost more. A buffered connection copies arriving ciphertext into a buffer of its own, 4 KiB at a time, then the
//! plaintext of each record into a vector of its own, and from there to the caller. It encrypts each record into a
//! vector of its own, which is copied into the buffer of the socket. For each record, that is two copies more when it
//! is read, one when it is written, and an allocation in both directions. tokio-rustls is built on them, and its streams do
//! not fit a link, which reads and writes when its socket is ready.

mod error;
mod outgoing;
mod progress;
mod unbuffered;
mod whole;

use std::{fmt, sync::Arc};

use rustls::{
    Connection, NamedGroup, client::UnbufferedClientConnection, server::UnbufferedServerConnection,
};

pub(crate) use self::error::TlsError;
use self::{
    outgoing::{BESIDES, CHUNK, KEEP, Outgoing},
    progress::Progress,
    unbuffered::{encrypt, farewell, handle},
};
use super::verifier::Verifier;
use aemp_proto::handshake::Binding;

/// The longest plaintext of a record, with its overhead.
const RECORD: usize = 16 << 10;
const OVERHEAD: usize = 64;

pub(super) enum Conn {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
    /// A buffered connection with ephemeral keys. Only this kind gives out a channel binding.
    Whole(Box<Connection>),
}

impl Conn {
    fn wants_write(&self) -> bool {
        match self {
            Self::Client(conn) => conn.wants_write(),
            Self::Server(conn) => conn.wants_write(),
            Self::Whole(conn) => conn.wants_write(),
        }
    }
}

/// One TLS connection.
pub(crate) struct Session {
    pub(super) conn: Conn,
    /// The verifier of the peer's certificate, if the peer needs one.
    verifier: Option<Arc<Verifier>>,
    /// Ciphertext that has arrived. The bytes before `start` have been used.
    incoming: Vec<u8>,
    start: usize,
    /// Ciphertext to be sent: `outgoing[sent..filled]`.
    outgoing: Vec<u8>,
    sent: usize,
    filled: usize,
    /// Plaintext that came while plaintext was being encrypted.
    early: Vec<u8>,
    /// True if the incoming ciphertext may hold more complete records.
    pub(super) unread: bool,
    /// True if plaintext may be sent.
    up: bool,
    /// True if the peer has ended writing.
    ended: bool,
    failed: Option<TlsError>,
}

impl Session {
    pub(super) fn new(conn: Conn, verifier: Option<Arc<Verifier>>) -> Self {
        Self {
            conn,
            verifier,
            incoming: Vec::new(),
            start: 0,
            outgoing: Vec::new(),
            sent: 0,
            filled: 0,
            early: Vec::new(),
            // The client sends first.
            unread: true,
            up: false,
            ended: false,
            failed: None,
        }
    }

    /// Returns the buffer that ciphertext is read into, with at least this much room. Call [`arrived`](Self::arrived)
    /// after the read.
    pub(crate) fn space(&mut self, room: usize) -> &mut Vec<u8> {
        let left = self.incoming.len() - self.start;
        self.incoming.copy_within(self.start.., 0);
        self.incoming.truncate(left);
        self.start = 0;
        if left == 0 && self.incoming.capacity() > 2 * room.max(KEEP) {
            self.incoming = Vec::new();
        }
        self.incoming.reserve(room);
        &mut self.incoming
    }

    /// Frees the buffer for ciphertext, apart from a part of a record.
    pub(crate) fn rest(&mut self) {
        self.incoming = self.incoming[self.start..].to_vec();
        self.start = 0;
    }

    /// Takes note of a read into [`space`](Self::space).
    pub(crate) fn arrived(&mut self) {
        self.unread = self.failed.is_none();
    }

    /// True if the handshake is over, so that plaintext may be sent.
    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// True if plaintext, the end or an error may be available without more ciphertext.
    pub(crate) fn is_readable(&self) -> bool {
        self.unread || self.ended || !self.early.is_empty() || self.failed.is_some()
    }

    /// True if the peer has ended writing.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The ciphertext to send. Report the sent bytes with [`sent`](Self::sent).
    pub(crate) fn to_send(&self) -> &[u8] {
        &self.outgoing[self.sent..self.filled]
    }

    /// Takes note that this many bytes have been sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.filled {
            (self.sent, self.filled) = (0, 0);
        }
    }

    /// Decrypts ciphertext that has arrived. Appends plaintext as long as there is room for a record.
    pub(crate) fn read(&mut self, plain: &mut Vec<u8>) -> Result<(), TlsError> {
        if !self.early.is_empty() {
            plain.append(&mut self.early);
        }
        let most = plain.capacity().max(plain.len() + 1);
        while self.unread {
            if plain.len() >= most {
                return Ok(());
            }
            self.step(plain)?;
        }
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Continues the handshake as far as the ciphertext allows. Plaintext that comes with it is kept.
    pub(crate) fn advance(&mut self) -> Result<(), TlsError> {
        let mut early = std::mem::take(&mut self.early);
        let mut advanced = Ok(());
        while self.unread && advanced.is_ok() {
            advanced = self.step(&mut early);
        }
        self.early = early;
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => advanced,
        }
    }

    /// Encrypts the beginning of some plaintext. Returns the number of bytes used. All ciphertext must have been sent
    /// before.
    pub(crate) fn write(&mut self, plain: &[u8]) -> Result<usize, TlsError> {
        let plain = &plain[..plain.len().min(CHUNK)];
        // rustls may have messages of its own to send first.
        self.unread = self.failed.is_none();
        self.advance()?;
        let needed = plain.len() + (plain.len() / RECORD + 1) * OVERHEAD + BESIDES;
        self.room(needed);
        let Self {
            conn,
            incoming,
            start,
            outgoing,
            filled,
            ..
        } = self;
        let incoming = &mut incoming[*start..];
        let written = match conn {
            Conn::Client(conn) => encrypt(
                conn.process_tls_records(incoming),
                plain,
                &mut outgoing[*filled..],
            ),
            Conn::Server(conn) => encrypt(
                conn.process_tls_records(incoming),
                plain,
                &mut outgoing[*filled..],
            ),
            Conn::Whole(conn) => {
                let out = &mut Outgoing {
                    buffer: outgoing,
                    filled,
                };
                return whole::encrypt(conn, plain, out).map_err(|error| self.fail(error));
            }
        };
        self.filled += written.map_err(|error| self.fail(error))?;
        Ok(plain.len())
    }

    /// Sends close_notify.
    pub(crate) fn close(&mut self) {
        if !self.up || self.failed.is_some() {
            return;
        }
        // Ciphertext that has arrived must be processed first.
        self.unread = true;
        if self.advance().is_err() {
            return;
        }
        self.room(BESIDES);
        let Self {
            conn,
            incoming,
            start,
            outgoing,
            filled,
            ..
        } = self;
        let (incoming, out) = (&mut incoming[*start..], &mut outgoing[*filled..]);
        *filled += match conn {
            Conn::Client(conn) => farewell(conn.process_tls_records(incoming), out),
            Conn::Server(conn) => farewell(conn.process_tls_records(incoming), out),
            Conn::Whole(conn) => {
                let out = &mut Outgoing {
                    buffer: outgoing,
                    filled,
                };
                return whole::farewell(conn, out);
            }
        };
    }

    /// The group of the key exchange, once it is known.
    pub(super) fn group(&self) -> Option<NamedGroup> {
        let group = match &self.conn {
            Conn::Client(conn) => conn.negotiated_key_exchange_group(),
            Conn::Server(conn) => conn.negotiated_key_exchange_group(),
            Conn::Whole(conn) => conn.negotiated_key_exchange_group(),
        };
        Some(group?.name())
    }

    /// The version, the cipher suite, and a post-quantum key exchange, as text.
    pub(crate) fn describe(&self) -> Option<String> {
        let (version, suite) = match &self.conn {
            Conn::Client(conn) => (conn.protocol_version(), conn.negotiated_cipher_suite()),
            Conn::Server(conn) => (conn.protocol_version(), conn.negotiated_cipher_suite()),
            Conn::Whole(conn) => (conn.protocol_version(), conn.negotiated_cipher_suite()),
        };
        let version = match version? {
            rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2".into(),
            rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3".into(),
            other => format!("{other:?}"),
        };
        let suite = format!("{:?}", suite?.suite());
        let suite = suite
            .strip_prefix("TLS13_")
            .or_else(|| suite.strip_prefix("TLS_"))
            .unwrap_or(&suite);
        let group = match self.group() {
            Some(NamedGroup::X25519MLKEM768) => " X25519MLKEM768",
            _ => "",
        };
        let by = match &self.conn {
            Conn::Client(_) | Conn::Server(_) => "",
            Conn::Whole(_) => " (secret)",
        };
        Some(format!("{version} {suite}{group}{by}"))
    }

    /// The binding that the proofs on the connection must cover; `None` with certificates.
    ///
    /// # Errors
    ///
    /// Returns an error before the handshake is over.
    pub(crate) fn binding(&self) -> Result<Option<Binding>, TlsError> {
        match &self.conn {
            Conn::Client(_) | Conn::Server(_) => Ok(None),
            Conn::Whole(conn) => whole::binding(conn).map(Some),
        }
    }

    /// Lets rustls take one step.
    fn step(&mut self, plain: &mut Vec<u8>) -> Result<(), TlsError> {
        let incoming = &mut self.incoming[self.start..];
        let out = &mut Outgoing {
            buffer: &mut self.outgoing,
            filled: &mut self.filled,
        };
        let (discard, did) = match &mut self.conn {
            Conn::Client(conn) => handle(conn.process_tls_records(incoming), plain, out),
            Conn::Server(conn) => handle(conn.process_tls_records(incoming), plain, out),
            Conn::Whole(conn) => whole::handle(conn, incoming, self.ended, plain, out),
        };
        self.start += discard;
        match did {
            Ok(Progress::Made) => {}
            Ok(Progress::Wait { up }) => {
                self.up |= up;
                self.unread = false;
            }
            Ok(Progress::Ended) => self.ended = true,
            Err(error) => return Err(self.fail(error)),
        }
        Ok(())
    }

    /// Marks the connection as failed, and collects the alert that rustls wants to send.
    fn fail(&mut self, error: TlsError) -> TlsError {
        let first = self.failed.is_none();
        let text = self
            .verifier
            .as_ref()
            .and_then(|verifier| verifier.refusal())
            .map(TlsError::new);
        let error = self
            .failed
            .get_or_insert_with(|| text.unwrap_or(error))
            .clone();
        self.unread = false;
        // Takes only the alert: rustls must not be asked for more after a failure.
        while first && self.conn.wants_write() {
            let mut nothing = Vec::new();
            let incoming = &mut self.incoming[self.start..];
            let out = &mut Outgoing {
                buffer: &mut self.outgoing,
                filled: &mut self.filled,
            };
            let (discard, did) = match &mut self.conn {
                Conn::Client(conn) => handle(conn.process_tls_records(incoming), &mut nothing, out),
                Conn::Server(conn) => handle(conn.process_tls_records(incoming), &mut nothing, out),
                Conn::Whole(conn) => whole::handle(conn, incoming, self.ended, &mut nothing, out),
            };
            self.start += discard;
            if did.is_err() {
                break;
            }
        }
        error
    }

    fn room(&mut self, needed: usize) {
        Outgoing {
            buffer: &mut self.outgoing,
            filled: &mut self.filled,
        }
        .room(needed);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("up", &self.up)
            .field("ended", &self.ended)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
