//! A node that behaves like the reference: it never holds its authentication line back, and when two handshakes
//! with one node complete, it closes both connections.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Random, Time,
    handshake::{Handshake, HandshakeConfig, HandshakeOutput, Role},
    peer::ConnId,
};

pub(super) struct Reference {
    config: Arc<HandshakeConfig>,
    random: Random,
    handshakes: BTreeMap<ConnId, Handshake>,
    last: u64,
    pub(super) up: Option<ConnId>,
    pub(super) ups: usize,
    pub(super) switched: usize,
}

pub(super) enum Act {
    Transmit(ConnId, Vec<u8>),
    Close(ConnId),
}

impl Reference {
    pub(super) fn new(config: HandshakeConfig, random: Random) -> Self {
        Self {
            config: Arc::new(config),
            random,
            handshakes: BTreeMap::new(),
            last: 0,
            up: None,
            ups: 0,
            switched: 0,
        }
    }

    pub(super) fn connected(&mut self, now: Time) -> (ConnId, Vec<Act>) {
        self.last += 1;
        let conn = ConnId(self.last);
        let mut greeting = self.config.greeting(Role::Dialed, "host:0");
        greeting
            .keys
            .retain(|(key, _)| !["arbiter", "keepalive", "role"].contains(&key.as_str()));
        let (config, nonce) = (Arc::clone(&self.config), self.random.nonce());
        let mut handshake = Handshake::with_greeting(now, config, greeting, nonce);
        handshake.proceed();
        self.handshakes.insert(conn, handshake);
        (conn, self.advance(conn))
    }

    pub(super) fn received(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<Act> {
        if let Some(handshake) = self.handshakes.get_mut(&conn) {
            handshake.receive(bytes);
        }
        self.advance(conn)
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        self.handshakes.remove(&conn);
        self.up.take_if(|up| *up == conn);
    }

    fn advance(&mut self, conn: ConnId) -> Vec<Act> {
        let mut acts = Vec::new();
        while let Some(output) = self.handshakes.get_mut(&conn).and_then(Handshake::poll) {
            match output {
                HandshakeOutput::Transmit(bytes) => acts.push(Act::Transmit(conn, bytes)),
                HandshakeOutput::Greeted { .. } if self.up.is_some() => {
                    self.handshakes.remove(&conn);
                    acts.push(Act::Close(conn));
                }
                HandshakeOutput::Greeted { .. }
                | HandshakeOutput::Ready
                | HandshakeOutput::StartTls(_)
                | HandshakeOutput::Verified => {}
                HandshakeOutput::Established(_) => {
                    self.handshakes.remove(&conn);
                    self.ups += 1;
                    match self.up.take() {
                        None => self.up = Some(conn),
                        Some(old) => {
                            self.switched += 1;
                            acts.extend([Act::Close(old), Act::Close(conn)]);
                        }
                    }
                }
                HandshakeOutput::Failed(_)
                | HandshakeOutput::Namesake { .. }
                | HandshakeOutput::Myself { .. } => {
                    self.handshakes.remove(&conn);
                    acts.push(Act::Close(conn));
                }
            }
        }
        acts
    }
}
