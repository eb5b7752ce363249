//! One TLS connection without its I/O: ciphertext in, plaintext out, and back.
//!
//! Each connection has its own verifier, which knows the claimed node ID and keeps its findings as text. Only rustls'
//! buffered connections give out an exporter (the unbuffered ones of 0.23 keep it), so a TLS connection by a secret is
//! of a third kind, `Whole`, behind the same interface. It copies once more.

mod whole;

use std::{error::Error, fmt, sync::Arc};

use rustls::{
    Connection, NamedGroup,
    client::UnbufferedClientConnection,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncryptError, UnbufferedStatus},
};

use super::verifier::Verifier;
use aemp_proto::handshake::Binding;

/// What of plaintext is encrypted at a time: four records.
const CHUNK: usize = 64 << 10;
/// The longest plaintext of a record, and more than what a record adds to it.
const RECORD: usize = 16 << 10;
const OVERHEAD: usize = 64;
/// Room for what rustls has to say besides.
const BESIDES: usize = 256;
/// What is kept of a buffer that is not needed for the moment.
const KEEP: usize = 8 << 10;

/// Why a TLS connection fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsError(String);

impl TlsError {
    pub(crate) fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TlsError {}

pub(super) enum Conn {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
    /// With keys that say nothing, so that it needs to be bound.
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
    /// The judge of the peer's certificate, if it needs one.
    verifier: Option<Arc<Verifier>>,
    /// Ciphertext that has arrived; what is before `start` has been used.
    incoming: Vec<u8>,
    start: usize,
    /// Ciphertext to be sent: `outgoing[sent..filled]`.
    outgoing: Vec<u8>,
    sent: usize,
    filled: usize,
    /// Plaintext that came while something was to be encrypted.
    early: Vec<u8>,
    /// Whether the incoming ciphertext may hold more that can be used.
    pub(super) unread: bool,
    /// Whether plaintext may be sent.
    up: bool,
    /// Whether the peer sends no more.
    ended: bool,
    failed: Option<TlsError>,
}

/// What rustls has done.
enum Did {
    Something,
    /// It needs more ciphertext; plaintext may be sent if it is up.
    Wait {
        up: bool,
    },
    Ended,
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
            // A client speaks first.
            unread: true,
            up: false,
            ended: false,
            failed: None,
        }
    }

    /// Where ciphertext is appended to that arrives, with that much room at least. Afterwards, [`arrived`](Self::arrived) must be called.
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

    /// Something has been read into [`space`](Self::space).
    pub(crate) fn arrived(&mut self) {
        self.unread = self.failed.is_none();
    }

    /// Whether the handshake is over, so that plaintext may be sent.
    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Whether there may be plaintext, or an end or failure to be told of, without more ciphertext.
    pub(crate) fn is_readable(&self) -> bool {
        self.unread || self.ended || !self.early.is_empty() || self.failed.is_some()
    }

    /// Whether the peer has said that it sends no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Ciphertext to be sent, until [`sent`](Self::sent) is told of it.
    pub(crate) fn to_send(&self) -> &[u8] {
        &self.outgoing[self.sent..self.filled]
    }

    /// So much of it has been sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.filled {
            (self.sent, self.filled) = (0, 0);
        }
    }

    /// Uses the ciphertext that has arrived; plaintext is appended as long as there is room for a record.
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

    /// Goes on with the handshake as far as the ciphertext allows. Plaintext that has come with it is kept.
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

    /// Encrypts the beginning of some plaintext; how much of it. Only when all that was to be sent has been.
    pub(crate) fn write(&mut self, plain: &[u8]) -> Result<usize, TlsError> {
        let plain = &plain[..plain.len().min(CHUNK)];
        // It may have something to say first.
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

    /// Says that nothing more will be sent.
    pub(crate) fn close(&mut self) {
        if !self.up || self.failed.is_some() {
            return;
        }
        // What has arrived would be in the way.
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

    /// The group of the key exchange, when it is known.
    pub(super) fn group(&self) -> Option<NamedGroup> {
        let group = match &self.conn {
            Conn::Client(conn) => conn.negotiated_key_exchange_group(),
            Conn::Server(conn) => conn.negotiated_key_exchange_group(),
            Conn::Whole(conn) => conn.negotiated_key_exchange_group(),
        };
        Some(group?.name())
    }

    /// Version and cipher suite, and the key exchange if that holds against quantum computers, for people.
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

    /// The binding that the proofs on the connection have to cover; none with certificates.
    ///
    /// # Errors
    ///
    /// When the handshake is not over.
    pub(crate) fn binding(&self) -> Result<Option<Binding>, TlsError> {
        match &self.conn {
            Conn::Client(_) | Conn::Server(_) => Ok(None),
            Conn::Whole(conn) => whole::binding(conn).map(Some),
        }
    }

    /// Lets rustls do one thing.
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
            Ok(Did::Something) => {}
            Ok(Did::Wait { up }) => {
                self.up |= up;
                self.unread = false;
            }
            Ok(Did::Ended) => self.ended = true,
            Err(error) => return Err(self.fail(error)),
        }
        Ok(())
    }

    /// The connection is of no use any more. What rustls has to say of that is to be sent.
    fn fail(&mut self, error: TlsError) -> TlsError {
        let first = self.failed.is_none();
        let text = self
            .verifier
            .as_ref()
            .and_then(|verifier| verifier.refusal())
            .map(|text| TlsError(text.into()));
        let error = self
            .failed
            .get_or_insert_with(|| text.unwrap_or(error))
            .clone();
        self.unread = false;
        // Nothing but what rustls has to say: it does not like to be asked for more after a failure.
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

/// Where ciphertext is put.
struct Outgoing<'a> {
    buffer: &'a mut Vec<u8>,
    filled: &'a mut usize,
}

impl Outgoing<'_> {
    fn room(&mut self, needed: usize) {
        let needed = *self.filled + needed;
        if *self.filled == 0 && needed <= KEEP && self.buffer.len() > CHUNK / 2 {
            *self.buffer = Vec::new();
        }
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
    }
}

/// Does what a state wants done. How much ciphertext has been used up, and what is to come.
fn handle<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut Vec<u8>,
    out: &mut Outgoing<'_>,
) -> (usize, Result<Did, TlsError>) {
    let UnbufferedStatus {
        mut discard, state, ..
    } = status;
    let did = match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut result = Ok(Did::Something);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    Err(error) => result = Err(explain(&error)),
                }
            }
            result
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => encode(out, |out| match data.encode(out) {
            Ok(written) => Ok(written),
            Err(rustls::unbuffered::EncodeError::InsufficientSize(size)) => {
                Err(Some(size.required_size))
            }
            Err(_) => Err(None),
        }),
        // It is in a buffer of ours, in front of whatever comes next.
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Did::Something)
        }
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Did::Wait { up: true }),
        Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
            Ok(Did::Wait { up: false })
        }
        Ok(ConnectionState::PeerClosed) => Ok(Did::Ended),
        Ok(_) => Err(TlsError::new("an unknown state")),
        Err(error) => Err(explain(&error)),
    };
    (discard, did)
}

/// Encodes with as much room as that needs.
fn encode(
    out: &mut Outgoing<'_>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<Did, TlsError> {
    out.room(BESIDES);
    for _ in 0..2 {
        let start = *out.filled;
        match encode(&mut out.buffer[start..]) {
            Ok(written) => {
                *out.filled += written;
                return Ok(Did::Something);
            }
            Err(Some(needed)) => out.room(needed),
            Err(None) => break,
        }
    }
    Err(TlsError::new("what is to be sent cannot be encoded"))
}

fn encrypt<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &[u8],
    out: &mut [u8],
) -> Result<usize, TlsError> {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            traffic.encrypt(plain, out).map_err(|error| match error {
                EncryptError::EncryptExhausted => TlsError::new("the keys are used up"),
                error => TlsError::new(error),
            })
        }
        Ok(_) => Err(TlsError::new("nothing can be sent any more")),
        Err(error) => Err(explain(&error)),
    }
}

fn farewell<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut [u8]) -> usize {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            traffic.queue_close_notify(out).unwrap_or_default()
        }
        _ => 0,
    }
}

/// What has gone wrong, for people.
fn explain(error: &rustls::Error) -> TlsError {
    use rustls::{AlertDescription as Alert, Error};
    TlsError::new(match error {
        Error::NoCertificatesPresented => "the peer presents no certificate".into(),
        Error::AlertReceived(alert) => match alert {
            Alert::CertificateExpired => {
                "the peer refuses our certificate: not valid at this time".into()
            }
            Alert::UnknownCA => {
                "the peer refuses our certificate: it does not trust its issuer".into()
            }
            Alert::AccessDenied => {
                "the peer refuses our certificate: it is not made for our node ID".into()
            }
            Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnsupportedCertificate
            | Alert::DecryptError
            | Alert::CertificateRequired => {
                format!("the peer refuses our certificate ({alert:?})")
            }
            other => format!("the peer has given up ({other:?})"),
        },
        Error::InvalidMessage(_) => format!("what the peer sends is no TLS ({error})"),
        error => error.to_string(),
    })
}
