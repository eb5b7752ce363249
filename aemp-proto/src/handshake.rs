//! One connection, from its greeting to the proof of a common secret ([protocol](crate::protocol::handshake)).

pub mod auth;
mod channel;
mod config;
mod error;
mod greeting;
mod lines;
mod output;
mod protection;
mod tls;

use std::{collections::VecDeque, sync::Arc};

use aemp_codec::{Format, NodeId};

use self::{
    auth::{Method, Secret},
    channel::Channel,
    lines::LineBuffer,
};
pub use self::{
    channel::{Binding, Encrypt, Keys, Role, Wish},
    config::{HandshakeConfig, PROVIDER},
    error::HandshakeError,
    greeting::{DATA_PROTOCOL, Greeting},
    output::{Established, HandshakeOutput, StartTls, StreamStart},
};
use super::Time;

/// The number of bytes that may still arrive after reading should have stopped: the size of one read.
const SLACK: usize = 16 << 10;

/// The handshake of one connection. Both ends do the same, whichever opened the connection.
///
/// Pass received bytes to [`receive`](Self::receive). After every call that changes something, call
/// [`poll`](Self::poll)
/// until it returns `None`. The authentication line is sent only after [`proceed`](Self::proceed); bytes that the peer
/// sends before that are kept.
#[derive(Debug)]
pub struct Handshake {
    config: Arc<HandshakeConfig>,
    ours: Lines,
    greeting: Greeting,
    phase: Phase,
    input: LineBuffer,
    output: VecDeque<HandshakeOutput>,
    proceed: bool,
    deadline: Time,
}

/// The two lines of a greeting.
#[derive(Clone, Debug, Default, PartialEq)]
struct Lines {
    first: Vec<u8>,
    second: Vec<u8>,
}

impl Lines {
    fn both(&self) -> auth::Lines<'_> {
        [&self.first, &self.second]
    }
}

#[derive(Debug)]
enum Phase {
    /// Waits for the peer's first line.
    Unknown,
    /// Waits for the peer's second line.
    Greeted(Introduced),
    /// Waits for the second line of a peer that has our own node ID.
    Namesake(Introduced),
    /// Waits for [`Handshake::meet_myself`], after the greeting of a peer that has our own node ID.
    Doubtful(Introduced),
    /// TLS is being set up.
    Securing(Choice, Keys),
    /// The authentication lines are being exchanged.
    Proving(Exchange),
    /// The other end has proved to be this node itself.
    Myself,
    /// The handshake is established, or has failed.
    Over,
}

/// The peer as its greeting presents it.
#[derive(Debug)]
struct Introduced {
    node: NodeId,
    greeting: Greeting,
    lines: Lines,
}

/// The result of the greetings: the peer, our method and our format.
#[derive(Debug)]
struct Choice {
    peer: Introduced,
    method: Method,
    send: Format,
}

#[derive(Debug)]
struct Exchange {
    choice: Choice,
    channel: Channel,
    sent: bool,
    /// The peer's format and trust, once its proof has been verified.
    proved: Option<Proved>,
}

impl Exchange {
    fn new(choice: Choice, channel: Channel) -> Self {
        Self {
            choice,
            channel,
            sent: false,
            proved: None,
        }
    }
}

#[derive(Debug)]
struct Proved {
    recv: Format,
    trusted: bool,
}

impl Handshake {
    /// Creates the handshake of a new connection to a peer with the socket address `peeraddr`. `role` is the role of
    /// this end. `nonce` must never have been used before ([`Random::nonce`](super::Random::nonce)).
    #[must_use]
    pub fn new(
        now: Time,
        config: Arc<HandshakeConfig>,
        role: Role,
        peeraddr: &str,
        nonce: String,
    ) -> Self {
        let greeting = config.greeting(role, peeraddr);
        Self::with_greeting(now, config, greeting, nonce)
    }

    /// Creates a handshake that sends `greeting` instead of the greeting of the configuration.
    #[must_use]
    pub fn with_greeting(
        now: Time,
        config: Arc<HandshakeConfig>,
        greeting: Greeting,
        nonce: String,
    ) -> Self {
        let ours = Lines {
            first: greeting.to_string().into(),
            second: nonce.into(),
        };
        let hello = [&ours.first, b"\n".as_slice(), &ours.second, b"\n"].concat();
        Self {
            ours,
            greeting,
            phase: Phase::Unknown,
            input: LineBuffer::default(),
            output: [HandshakeOutput::Transmit(hello)].into(),
            proceed: false,
            deadline: now + config.patience(),
            config,
        }
    }

    /// The nonce of this end. No other handshake sends the same.
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        &self.ours.second
    }

    /// Takes bytes that have arrived.
    pub fn receive(&mut self, bytes: &[u8]) {
        match self.phase {
            Phase::Over => return,
            Phase::Securing(..) => return self.outside_tls(),
            _ => {}
        }
        if self.input.len() + bytes.len() > self.config.max_handshake_bytes + SLACK {
            self.fail(HandshakeError::TooMuchAhead);
        } else {
            self.input.push(bytes);
        }
    }

    /// True if the peer has sent so much ahead that reading should stop until the handshake is over.
    ///
    /// Only peers that have sent a valid proof get that far. Of other peers no more than one line is kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.input.len() >= self.config.max_handshake_bytes
    }

    /// Allows the authentication line to be sent.
    pub fn proceed(&mut self) {
        self.proceed = true;
    }

    /// The time at which [`timeout`](Self::timeout) must be called.
    #[must_use]
    pub fn deadline(&self) -> Time {
        self.deadline
    }

    /// Fails the handshake if its deadline has passed.
    pub fn timeout(&mut self, now: Time) {
        if now >= self.deadline && !matches!(self.phase, Phase::Over) {
            self.fail(HandshakeError::TimedOut);
        }
    }

    /// Returns the next output. `None` means that nothing comes until the next call that changes something.
    pub fn poll(&mut self) -> Option<HandshakeOutput> {
        if let Some(output) = self.output.pop_front() {
            return Some(output);
        }
        self.advance().unwrap_or_else(|error| {
            self.phase = Phase::Over;
            Some(HandshakeOutput::Failed(error))
        })
    }

    fn fail(&mut self, error: HandshakeError) {
        self.phase = Phase::Over;
        self.output.push_back(HandshakeOutput::Failed(error));
    }

    fn advance(&mut self) -> Result<Option<HandshakeOutput>, HandshakeError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Unknown => match self.input.next()? {
                Some(line) => self.greeted(line.to_vec()),
                None => Ok(self.wait(Phase::Unknown)),
            },
            Phase::Greeted(peer) => match self.input.next()? {
                Some(line) => self.ready(peer, line.to_vec()).map(Some),
                None => Ok(self.wait(Phase::Greeted(peer))),
            },
            Phase::Namesake(peer) => match self.input.next()? {
                Some(line) => self.namesake(peer, line.to_vec()).map(Some),
                None => Ok(self.wait(Phase::Namesake(peer))),
            },
            Phase::Securing(choice, keys) => Ok(self.wait(Phase::Securing(choice, keys))),
            Phase::Proving(exchange) => self.prove(exchange),
            // These phases wait for a call of `meet_myself` or for the end of the handshake.
            phase @ (Phase::Doubtful(_) | Phase::Myself) => Ok(self.wait(phase)),
            Phase::Over => Ok(None),
        }
    }

    fn wait(&mut self, phase: Phase) -> Option<HandshakeOutput> {
        self.phase = phase;
        None
    }

    /// Makes the checks after line 1, in the order of [protocol](crate::protocol::handshake#checks) The caller checks for "already
    /// connected".
    fn greeted(&mut self, line: Vec<u8>) -> Result<Option<HandshakeOutput>, HandshakeError> {
        let (ours, theirs) = (&self.greeting, Greeting::parse(&line)?);
        if !ours.fits(&theirs) {
            return Err(HandshakeError::unparsable(&ours.protocol, &theirs.protocol));
        }
        if theirs.version != ours.version {
            return Err(HandshakeError::version(&ours.version, &theirs.version));
        }
        let node = NodeId::new(&theirs.node).map_err(HandshakeError::NodeId)?;
        let stream = ours.protocol == DATA_PROTOCOL || theirs.protocol == DATA_PROTOCOL;
        let namesake = !stream && theirs.node == ours.node;
        let arbitrates = theirs.arbitrates();
        let peer = Introduced {
            node: node.clone(),
            greeting: theirs,
            lines: Lines {
                first: line,
                second: Vec::new(),
            },
        };
        if namesake {
            self.phase = Phase::Namesake(peer);
            return self.advance();
        }
        self.phase = Phase::Greeted(peer);
        Ok(Some(HandshakeOutput::Greeted {
            node,
            arbitrates,
            stream,
        }))
    }

    /// Reports a peer that has our node ID. Only its nonce can tell if it is this node itself.
    fn namesake(
        &mut self,
        mut peer: Introduced,
        line: Vec<u8>,
    ) -> Result<HandshakeOutput, HandshakeError> {
        peer.lines.second = line;
        if peer.lines == self.ours {
            return Err(HandshakeError::Echo);
        }
        let nonce = peer.lines.second.clone();
        self.phase = Phase::Doubtful(peer);
        Ok(HandshakeOutput::Namesake { nonce })
    }

    /// Continues a handshake with a peer whose nonce is one of our own.
    ///
    /// The peer must still prove that it is this node, because any peer can pass a greeting on.
    pub fn meet_myself(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Doubtful(peer) => {
                self.proceed = true;
                let line = peer.lines.second.clone();
                match self.ready(peer, line) {
                    Ok(output) => self.output.push_back(output),
                    Err(error) => self.fail(error),
                }
            }
            phase => self.phase = phase,
        }
    }

    /// Makes the checks after line 2.
    fn ready(
        &mut self,
        mut peer: Introduced,
        line: Vec<u8>,
    ) -> Result<HandshakeOutput, HandshakeError> {
        peer.lines.second = line;
        if peer.lines == self.ours {
            return Err(HandshakeError::Echo);
        }
        self.check_roles(&peer.greeting)?;
        let keys = self.select_keys(&peer.greeting);
        let method = self.select_method(&peer.greeting, keys)?;
        let send = self.select_format(&peer.greeting)?;
        self.check_keys(peer.node.as_str(), keys)?;
        let choice = Choice { peer, method, send };
        if let Some(keys) = keys {
            return Ok(self.start_tls(choice, keys));
        }
        self.phase = Phase::Proving(Exchange::new(choice, Channel::Clear));
        Ok(HandshakeOutput::Ready)
    }

    fn select_method(
        &self,
        theirs: &Greeting,
        keys: Option<Keys>,
    ) -> Result<Method, HandshakeError> {
        let counts = |method: &Method| {
            method.counts(keys, self.secret()) && self.config.auth_offer.contains(method)
        };
        theirs
            .auth
            .iter()
            .filter_map(|name| Method::from_name(name))
            .find(counts)
            .ok_or_else(|| HandshakeError::no_common_auth(&theirs.auth))
    }

    fn select_format(&self, theirs: &Greeting) -> Result<Format, HandshakeError> {
        theirs
            .formats
            .iter()
            .find_map(|name| self.config.format(name))
            .cloned()
            .ok_or_else(|| HandshakeError::no_common_framing(&theirs.formats))
    }

    fn secret(&self) -> Option<&Secret> {
        self.config
            .secret
            .as_ref()
            .filter(|secret| !secret.is_empty())
    }

    fn prove(&mut self, mut exchange: Exchange) -> Result<Option<HandshakeOutput>, HandshakeError> {
        if self.proceed && !exchange.sent {
            let line = self.auth_line(&exchange)?;
            exchange.sent = true;
            self.phase = Phase::Proving(exchange);
            return Ok(Some(HandshakeOutput::Transmit(line)));
        }
        match exchange.proved.take() {
            None => {
                let Some(line) = self.input.next()? else {
                    return Ok(self.wait(Phase::Proving(exchange)));
                };
                exchange.proved = Some(self.verify(&exchange, &line)?);
                self.phase = Phase::Proving(exchange);
                Ok(Some(HandshakeOutput::Verified))
            }
            Some(proved) if exchange.sent => Ok(Some(self.established(exchange, proved))),
            proved => Ok(self.wait(Phase::Proving(Exchange { proved, ..exchange }))),
        }
    }

    fn auth_line(&self, exchange: &Exchange) -> Result<Vec<u8>, HandshakeError> {
        let Choice { peer, method, send } = &exchange.choice;
        let (ours, theirs) = (self.ours.both(), peer.lines.both());
        let proof = method
            .proof_within(&exchange.channel, self.secret(), ours, theirs)
            .ok_or_else(|| HandshakeError::unsupported(method.name(), "snd"))?;
        let (method, format) = (method.name(), send.name());
        Ok(format!("{method};{};{format}\n", proof.as_str()).into())
    }

    /// Checks the peer's authentication line.
    fn verify(&self, exchange: &Exchange, line: &[u8]) -> Result<Proved, HandshakeError> {
        let mut fields = line.split(|&byte| byte == b';');
        let mut field = || fields.next().unwrap_or_default();
        let (method, data, format) = (field(), field(), field());
        let name = String::from_utf8_lossy(method);
        let (secret, channel) = (self.secret(), &exchange.channel);
        let (theirs, ours) = (exchange.choice.peer.lines.both(), self.ours.both());
        let expected = |method: Method| {
            let proof = method.proof_within(channel, secret, theirs, ours)?;
            Some((method, proof))
        };
        let (method, proof) = Method::from_name(&name)
            .filter(|method| self.config.auth_accept.contains(method))
            .filter(|method| method.counts(channel.keys(), secret))
            .and_then(expected)
            .ok_or_else(|| HandshakeError::unsupported(&name, "rcv"))?;
        if !proof.matches(data) {
            return Err(HandshakeError::WrongSecret);
        }
        let format = String::from_utf8_lossy(format);
        let recv = self.config.format(&format).cloned();
        Ok(Proved {
            recv: recv.ok_or_else(|| HandshakeError::unusable_framing(&format))?,
            trusted: method != Method::TlsAnon,
        })
    }

    fn established(&mut self, exchange: Exchange, proved: Proved) -> HandshakeOutput {
        let Choice { peer, send, .. } = exchange.choice;
        let stream = self.stream(&peer.greeting);
        if stream.is_none() && peer.greeting.node == self.greeting.node {
            self.phase = Phase::Myself;
            let nonce = peer.lines.second;
            return HandshakeOutput::Myself { nonce };
        }
        HandshakeOutput::Established(Established {
            node: peer.node,
            send,
            recv: proved.recv,
            trusted: proved.trusted,
            leftover: std::mem::take(&mut self.input).into_rest(),
            peer_keepalive: peer.greeting.keepalive(),
            provider: peer.greeting.key("provider").map(Into::into),
            ours: peer.greeting.arbitrates(),
            credit: peer.greeting.gives_credit(),
            relay: peer.greeting.relays(),
            deadlines: peer.greeting.reads_deadlines(),
            traces: self.config.trace && peer.greeting.traces(),
            stream,
        })
    }

    /// The stream of a data connection, which the end that has opened the connection names.
    fn stream(&self, theirs: &Greeting) -> Option<StreamStart> {
        let (id, ends, dialed) = match self.greeting.stream_id() {
            // Every node of this project knows the mark of an end.
            Some(id) => (id, theirs.arbitrates(), true),
            None => (theirs.stream_id()?, theirs.marks_ends(), false),
        };
        let id = id.to_owned();
        Some(StreamStart { id, ends, dialed })
    }
}

#[cfg(all(test, feature = "auth", feature = "json"))]
mod tests;
