//! The part of the handshake that knows of TLS: when it begins, and that nothing else may come before it is up.

use super::{Exchange, Handshake, HandshakeError, HandshakeOutput, Phase, StartTls};

impl Handshake {
    /// Both ends want TLS. The lower nonce line is the client's.
    pub(super) fn start_tls(&mut self, exchange: Exchange) -> HandshakeOutput {
        let start = StartTls {
            client: self.ours.second < exchange.peer.lines.second,
            node: exchange.peer.node.clone(),
            leftover: std::mem::take(&mut self.input).into_rest(),
        };
        self.phase = Phase::Securing(exchange);
        HandshakeOutput::StartTls(start)
    }

    /// TLS is up: what is received from now on was within it.
    pub fn secured(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Securing(exchange) => {
                self.phase = Phase::Proving(exchange);
                self.output.push_back(HandshakeOutput::Ready);
            }
            phase => self.phase = phase,
        }
    }

    /// TLS could not be set up, or has failed.
    pub fn tls_failed(&mut self, text: &str) {
        if !matches!(self.phase, Phase::Over) {
            self.fail(HandshakeError::Tls(text.into()));
        }
    }

    /// Clear text must not be taken for what comes within TLS.
    pub(super) fn outside_tls(&mut self) {
        self.tls_failed("bytes outside of it");
    }
}
