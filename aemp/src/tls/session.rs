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

/// The bytes of plaintext that are encrypted at a time: four records.
const CHUNK: usize = 64 << 10;
/// The longest plaintext of a record, with its overhead.
const RECORD: usize = 16 << 10;
const OVERHEAD: usize = 64;
/// Room for messages of rustls itself.
const BESIDES: usize = 256;
/// The largest capacity of an idle buffer that is kept.
const KEEP: usize = 8 << 10;

/// The reason why a TLS connection fails.
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

/// The result of one step of rustls.
enum Progress {
    Made,
    /// It needs more ciphertext. Plaintext may be sent if the connection is up.
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

    /// The ciphertext to send. Report what was sent with [`sent`](Self::sent).
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
            .map(|text| TlsError(text.into()));
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

/// The buffer for ciphertext to send.
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

/// Handles a state of rustls. Returns the number of bytes of ciphertext used, and the next step.
fn handle<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut Vec<u8>,
    out: &mut Outgoing<'_>,
) -> (usize, Result<Progress, TlsError>) {
    let UnbufferedStatus {
        mut discard, state, ..
    } = status;
    let did = match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut result = Ok(Progress::Made);
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
        // The data is in our buffer already, before everything that comes next.
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Progress::Made)
        }
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Progress::Wait { up: true }),
        Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
            Ok(Progress::Wait { up: false })
        }
        Ok(ConnectionState::PeerClosed) => Ok(Progress::Ended),
        Ok(_) => Err(TlsError::new("an unknown state")),
        Err(error) => Err(explain(&error)),
    };
    (discard, did)
}

/// Encodes into a buffer that is grown as needed.
fn encode(
    out: &mut Outgoing<'_>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<Progress, TlsError> {
    out.room(BESIDES);
    for _ in 0..2 {
        let start = *out.filled;
        match encode(&mut out.buffer[start..]) {
            Ok(written) => {
                *out.filled += written;
                return Ok(Progress::Made);
            }
            Err(Some(needed)) => out.room(needed),
            Err(None) => break,
        }
    }
    Err(TlsError::new("the data to send cannot be encoded"))
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

/// Turns an error of rustls into a text for people.
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
        Error::InvalidMessage(_) => format!("the peer does not speak TLS ({error})"),
        error => error.to_string(),
    })
}
