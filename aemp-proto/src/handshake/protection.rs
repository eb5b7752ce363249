//! The protection of a connection, as a function of the two greetings.
//!
//! Two nodes of this project that share a secret and have no certificates speak TLS 1.3 with ephemeral keys. Greeting
//! keys:
//!
//! | greeting key | meaning |
//! | --- | --- |
//! | `role=dialed`, `role=accepted` | the sender's end of the connection |
//! | `encrypt=can`, `encrypt=want` | the sender has a secret, accepts and offers `hmac_sha3_512`, and is built with TLS; `want` where the setting is `always`, or where it is `auto` and the peer's socket address is not a loopback address |
//!
//! - **Both ends decide alike.** Certificates are used if both have `tls=1`. Otherwise ephemeral keys are used if both
//!   have `encrypt` and one of them wants it. Otherwise there is no TLS. `encrypt` = `always` refuses the last case,
//!   `require_tls` everything but the first. Perl nodes ignore unknown keys and send neither.
//! - **The keys identify no one.** Each node makes an Ed25519 key on first use. The TLS server shows it bare (RFC
//!   7250), without a certificate, and every key is accepted. The client needs none, because the proof identifies both.
//! - **The proof covers the channel.** It is the reference's HMAC over both greetings with one more line: the TLS
//!   exporter (RFC 9266: label `EXPORTER-Channel-Binding`, no context, 32 octets) in hexadecimal. An attacker in the
//!   middle has one TLS connection with each end, with different exporters, so a proof that it passes on fits neither.
//!   A line ends in LF and contains none, so a proof over five lines is never one over four. Within such a channel no
//!   other method counts, in spite of `auth_accept`, because no other method covers the channel.
//! - **Removing a key breaks the proof**, in clear as well. Each end proves over its own greeting as sent and the
//!   peer's as received. The ends decide differently only if a greeting was changed, and then no proof fits.
//! - **Two ends with the same role are no connection.** An attacker that dials two listening nodes and passes their
//!   lines on makes both the accepting end. That is refused before any proof, in clear as well, and the proof covers
//!   the roles. A peer without a role is another implementation, and the proof covers that too.
//! - **In a simulation** there is no attacker in the middle, so `auto` means `never` there and runs stay reproducible.
//!
//! A second way in, which proves in clear to a peer that announces `encrypt=want`, would break this. There is none,
//! because the selected channel is a function of the two greetings that the proof covers. Between nodes on loopback
//! `auto` leaves packets in clear. An attacker that can listen there, or take the port of a node that is gone, is on
//! the machine already; `always` is for machines that are shared.

use std::net::SocketAddr;

use super::{
    Encrypt, Greeting, Handshake, HandshakeConfig, HandshakeError, Keys, Wish, auth::Method,
};

impl HandshakeConfig {
    /// The value of the greeting key `encrypt` for a peer with this socket address.
    pub(super) fn wish(&self, peeraddr: &str) -> Option<Wish> {
        let method = Method::HmacSha3_512;
        let can = self
            .secret
            .as_ref()
            .is_some_and(|secret| !secret.is_empty())
            && self.auth_offer.contains(&method)
            && self.auth_accept.contains(&method);
        match self.encrypt {
            _ if !can => None,
            Encrypt::Never => None,
            Encrypt::Auto if is_loopback(peeraddr) => Some(Wish::Can),
            Encrypt::Auto | Encrypt::Always => Some(Wish::Want),
        }
    }
}

/// True for a loopback address: such a connection crosses no network.
fn is_loopback(peeraddr: &str) -> bool {
    peeraddr
        .parse::<SocketAddr>()
        .is_ok_and(|addr| addr.ip().to_canonical().is_loopback())
}

impl Handshake {
    /// Checks that one end has dialled and the other has accepted. Other implementations do not send their role.
    pub(super) fn check_roles(&self, theirs: &Greeting) -> Result<(), HandshakeError> {
        match (self.greeting.role(), theirs.role()) {
            (Some(ours), Some(theirs)) if ours == theirs => Err(HandshakeError::SameRole(ours)),
            _ => Ok(()),
        }
    }

    /// The keys of TLS, if it is used. Both ends must get the same result, or the proofs do not match.
    pub(super) fn select_keys(&self, theirs: &Greeting) -> Option<Keys> {
        if self.greeting.tls() && theirs.tls() {
            return Some(Keys::Certificates);
        }
        let wishes = [self.greeting.encrypt()?, theirs.encrypt()?];
        wishes.contains(&Wish::Want).then_some(Keys::Ephemeral)
    }

    /// Checks that the settings allow the result of the greetings.
    pub(super) fn check_keys(&self, node: &str, keys: Option<Keys>) -> Result<(), HandshakeError> {
        if self.config.require_tls && keys != Some(Keys::Certificates) {
            return Err(HandshakeError::NoTls(node.into()));
        }
        if self.config.encrypt == Encrypt::Always && keys.is_none() {
            return Err(HandshakeError::NotEncrypted(node.into()));
        }
        if keys.is_none() && self.secret().is_none() {
            return Err(HandshakeError::NoSecret);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_address() {
        for near in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_loopback(near), "{near}");
        }
        for far in [
            "10.0.0.1:1",
            "[fe80::1]:1",
            "localhost:1",
            "127.0.0.1",
            "",
            "128.0.0.1:1",
        ] {
            assert!(!is_loopback(far), "{far}");
        }
    }
}
