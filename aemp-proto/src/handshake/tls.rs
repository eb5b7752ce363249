//! The part of the handshake that knows of TLS: when TLS begins, and that nothing else may come before it is up.
//!
//! The machine itself speaks no TLS. When both greetings ask for it, it returns `StartTls` with the kind of keys, the
//! peer's claimed node ID, the TLS client (the end with the lower nonce line) and the unused bytes, and waits for
//! `secured` or `bound`. `net::connection` then takes the connection's bytes away from the mesh, runs the TLS
//! handshake, and gives the mesh plaintext from then on. `Ready` comes later than that, so a TLS handshake that hangs
//! holds no place at the arbiter; the handshake's own deadline ends it. Bytes that were read in clear behind the second
//! line go to TLS and never to the lines within, so an inserted byte breaks the TLS handshake.

use super::{
    Binding, Choice, Exchange, Handshake, HandshakeError, HandshakeOutput, Keys, Phase, StartTls,
    channel::Channel,
};

impl Handshake {
    /// Starts TLS, because both ends want it. The end with the lower nonce line is the client.
    pub(super) fn start_tls(&mut self, choice: Choice, keys: Keys) -> HandshakeOutput {
        let start = StartTls {
            keys,
            client: self.ours.second < choice.peer.lines.second,
            node: choice.peer.node.clone(),
            leftover: std::mem::take(&mut self.input).into_rest(),
        };
        self.phase = Phase::Securing(choice, keys);
        HandshakeOutput::StartTls(start)
    }

    /// Continues inside of TLS with the certificates of both ends. Everything that is received from now on came through
    /// TLS.
    pub fn secured(&mut self) {
        self.within(Channel::Certificates);
    }

    /// Continues inside of TLS with [ephemeral keys](Keys::Ephemeral). Everything that is received from now on came
    /// through TLS, and proofs cover the channel binding.
    pub fn bound(&mut self, binding: Binding) {
        self.within(Channel::Secret(binding));
    }

    fn within(&mut self, channel: Channel) {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Securing(choice, keys) if channel.keys() == Some(keys) => {
                self.phase = Phase::Proving(Exchange::new(choice, channel));
                self.output.push_back(HandshakeOutput::Ready);
            }
            Phase::Securing(..) => self.fail(HandshakeError::Tls("made with other keys".into())),
            phase => self.phase = phase,
        }
    }

    /// Fails the handshake, because TLS could not be set up or has failed.
    pub fn tls_failed(&mut self, text: &str) {
        if !matches!(self.phase, Phase::Over) {
            self.fail(HandshakeError::Tls(text.into()));
        }
    }

    /// Fails the handshake: clear text must not be taken for content of the TLS session.
    pub(super) fn outside_tls(&mut self) {
        self.tls_failed("bytes outside of it");
    }
}
