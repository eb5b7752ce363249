//! Greetings and authentication lines, which any stranger can send.
//!
//! The first byte selects the kind of the listening node, the second the division of the stream by its socket. The rest
//! is the data of the peer. `hmac_sha3_512;*` in the peer's third line stands for the correct proof, which no mutation
//! would find.

use std::sync::Arc;

use aemp_codec::{Format, NodeId};
use aemp_proto::{
    Time,
    auth::{Method, Secret},
    handshake::{
        Binding, Encrypt, Established, Greeting, Handshake, HandshakeConfig, HandshakeOutput, Keys,
        Role, StreamStart,
    },
};

use super::Input;

const SECRET: &[u8] = b"geheim";
const NONCE: &str = "a nonce that is known to all";
const TO_BE_PROVED: &[u8] = b"hmac_sha3_512;*";
/// The exporter of TLS with keys that say nothing.
const EXPORTED: [u8; Binding::LEN] = [0x42; Binding::LEN];

/// The state of one end after it has read all octets of the other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    sent: Vec<u8>,
    pub(super) told: Vec<String>,
    established: Option<String>,
    /// The stream that the connection carries, if it is a data connection.
    pub(super) stream: Option<StreamStart>,
    pub(super) leftover: Vec<u8>,
    /// The keys, if both ends want TLS. The octets that follow are read as if they came out of TLS.
    secured: Option<Keys>,
}

pub(super) fn run(bytes: &[u8]) -> usize {
    let mut input = Input::new(bytes);
    let (kind, cut) = (input.byte(), input.byte());
    let config = Arc::new(config(kind));
    let own = greeting(&config);
    let (theirs, honest) = proved(&own, input.rest());
    greeting_survives(&theirs);

    let whole = handshake(&config, &own, [&*theirs], kind & 1 == 0);
    let pieces = handshake(&config, &own, Input::pieces(&theirs, cut), kind & 1 == 0);
    assert_eq!(whole, pieces, "how bytes arrive must not matter");
    let later = handshake(&config, &own, [&*theirs], kind & 1 != 0);
    assert_eq!(
        whole.established, later.established,
        "nor in the one that goes first"
    );
    assert_eq!(whole.leftover, later.leftover);
    if whole.established.is_some() && whole.secured != Some(Keys::Certificates) {
        assert!(config.secret.is_some(), "in without any secret");
        let in_clear = whole.secured.is_none() && in_clear(&theirs);
        assert!(honest || in_clear, "in without knowing the secret");
    }
    whole.told.len() + usize::from(whole.established.is_some())
}

/// Nodes with all methods and formats; with some of them only; without a secret; with a certificate; that want to encrypt.
pub(super) fn config(kind: u8) -> HandshakeConfig {
    let node = NodeId::new("us").expect("a node ID");
    let secret = (kind & 2 == 0).then(|| Secret::new(SECRET));
    let mut config = HandshakeConfig::new(node, secret);
    config.provider = "fuzz".into();
    if kind & 4 != 0 {
        config.formats = vec![Format::Json];
    }
    if kind & 8 != 0 {
        config.auth_offer = vec![Method::Cleartext];
    }
    if kind & 16 != 0 {
        config.auth_accept = vec![Method::HmacSha3_512];
    }
    config.tls = kind & 32 != 0;
    config.require_tls = kind & 64 != 0;
    if kind & 128 != 0 {
        config.encrypt = match kind & 1 {
            0 => Encrypt::Auto,
            _ => Encrypt::Always,
        };
    }
    config
}

/// The greeting of a listener, or of a node that opens a stream.
fn greeting(config: &HandshakeConfig) -> Greeting {
    let peer = "192.0.2.1:4040";
    if config.formats.len() == 1 && config.auth_offer.len() == 1 {
        return config.data_greeting(peer, "s1@us");
    }
    config.greeting(Role::Accepted, peer)
}

/// The octets that the peer sends, and true if the proof of the secret has been inserted.
pub(super) fn proved(own: &Greeting, theirs: &[u8]) -> (Vec<u8>, bool) {
    let mut lines = theirs.splitn(3, |&byte| byte == b'\n');
    let (Some(first), Some(second), Some(rest)) = (lines.next(), lines.next(), lines.next()) else {
        return (theirs.into(), false);
    };
    let Some(behind) = rest.strip_prefix(TO_BE_PROVED) else {
        return (theirs.into(), false);
    };
    let trim = |line: &'_ [u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
    let ours = own.to_string();
    let encrypted = Greeting::parse(&trim(first)).is_ok_and(|theirs| {
        let certified = own.tls() && theirs.tls();
        !certified && own.encrypt().is_some() && theirs.encrypt().is_some()
    });
    // One line more covers TLS.
    let last = match encrypted {
        true => format!("{NONCE}\n{}", "42".repeat(Binding::LEN)),
        false => NONCE.into(),
    };
    let proof = Method::HmacSha3_512.proof(
        Some(&Secret::new(SECRET)),
        [&trim(first), &trim(second)],
        [ours.as_bytes(), last.as_bytes()],
    );
    let proof = proof.expect("a method without TLS");
    let start = &theirs[..theirs.len() - rest.len()];
    let theirs = [start, b"hmac_sha3_512;", proof.as_str().as_bytes(), behind];
    (theirs.concat(), true)
}

/// True if the secret itself, in hexadecimal, is in the third line.
fn in_clear(theirs: &[u8]) -> bool {
    let third = theirs.split(|&byte| byte == b'\n').nth(2);
    third.is_some_and(|line| line.starts_with(b"cleartext;67656865696d"))
}

/// A greeting that can be read can be written, and has the same meaning then.
fn greeting_survives(theirs: &[u8]) {
    let line = theirs.split(|&byte| byte == b'\n').next();
    if let Ok(read) = Greeting::parse(line.unwrap_or_default()) {
        let again = Greeting::parse(read.to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(&read));
        assert_eq!(read.keepalive(), again.expect("just now").keepalive());
    }
}

pub(super) fn handshake<'a>(
    config: &Arc<HandshakeConfig>,
    own: &Greeting,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    at_once: bool,
) -> Outcome {
    let mut handshake =
        Handshake::with_greeting(Time::ZERO, Arc::clone(config), own.clone(), NONCE.into());
    if at_once {
        handshake.proceed();
    }
    let mut outcome = Outcome::default();
    for piece in pieces {
        // Octets behind the handshake are for the link.
        if outcome.established.is_some() {
            outcome.leftover.extend_from_slice(piece);
            continue;
        }
        handshake.receive(piece);
        outcome.take(&mut handshake);
    }
    handshake.proceed();
    outcome.take(&mut handshake);
    handshake.timeout(handshake.deadline());
    outcome.take(&mut handshake);
    assert!(
        handshake.poll().is_none(),
        "a handshake that is over stays over"
    );
    outcome
}

impl Outcome {
    fn take(&mut self, handshake: &mut Handshake) {
        while let Some(output) = handshake.poll() {
            match output {
                HandshakeOutput::Transmit(bytes) => self.sent.extend(bytes),
                HandshakeOutput::Established(established) => self.establish(established),
                HandshakeOutput::Failed(error) => {
                    assert!(self.established.is_none(), "{error}");
                    let text = error.to_string();
                    assert!(text.len() < 1000, "a log line of {} bytes", text.len());
                    assert!(!text.contains(char::is_control), "{text:?} in a log");
                    self.told.push(text);
                }
                HandshakeOutput::StartTls(start) => {
                    assert!(self.secured.is_none(), "TLS twice");
                    self.secured = Some(start.keys);
                    match start.keys {
                        Keys::Certificates => handshake.secured(),
                        Keys::Ephemeral => handshake.bound(Binding::new(EXPORTED)),
                    }
                    handshake.receive(&start.leftover);
                }
                other => self.told.push(format!("{other:?}")),
            }
        }
    }

    fn establish(&mut self, established: Established) {
        let Established {
            node,
            send,
            recv,
            leftover,
            peer_keepalive,
            trusted,
            provider,
            ours,
            credit,
            relay,
            deadlines,
            traces,
            stream,
        } = established;
        assert!(
            trusted || self.secured == Some(Keys::Certificates),
            "whom to distrust is known within TLS only"
        );
        assert!(self.established.is_none(), "established twice");
        self.leftover = leftover;
        self.stream = stream.clone();
        self.established = Some(format!(
            "{node} {send} {recv} {peer_keepalive:?} {trusted} {provider:?} {ours} {credit} {relay} {deadlines} {traces} {stream:?}"
        ));
    }
}
