//! The subject of the bench, written as in its documentation.

use std::future;
use std::sync::Arc;

use aemp::{Node, Octets, PortId, port};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::remote::codec::Codec;
use crate::remote::contender::{Delivered, Remote};

#[derive(Debug, Clone)]
pub(crate) struct Aemp {
    service: ServiceRef,
}

/// A byte string that its sender shares instead of copying it for each message.
#[derive(Debug, Clone)]
enum Bytes {
    Sent(Arc<[u8]>),
    Received(Octets),
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sent(bytes) => serializer.serialize_bytes(bytes),
            Self::Received(bytes) => bytes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Octets::deserialize(deserializer).map(Self::Received)
    }
}

struct Service {
    delivered: &'static Delivered,
}

#[port]
impl Service {
    #[rcv]
    fn put(&mut self, number: i64, text: String) {
        self.delivered.put(number, &text);
    }

    #[rcv]
    fn put_bytes(&mut self, number: i64, bytes: Bytes) {
        match bytes {
            Bytes::Sent(bytes) => self.delivered.put_bytes(number, &bytes),
            Bytes::Received(bytes) => self.delivered.put_bytes(number, &bytes),
        }
    }

    #[rcv]
    fn ask(&mut self, number: i64, text: String) -> u64 {
        drop((number, text));
        self.delivered.count()
    }
}

impl Remote for Aemp {
    async fn serve(
        codec: Codec,
        delivered: &'static Delivered,
        announce: impl FnOnce(String) + Send + 'static,
    ) {
        let node = Node::builder()
            .node_id("server")
            .framing_format([codec.format()])
            .secret("bench")
            .bind("127.0.0.1:0");
        let node = node.start().await.expect("loopback has free ports");
        let service = node.port(Service { delivered });
        announce(format!("{} {}", node.listeners()[0], service.id()));
        future::pending().await
    }

    async fn connect(codec: Codec, address: &str) -> Self {
        let (address, port) = address.split_once(' ').expect("announced in this form");
        let node = Node::builder().secret("bench").seed(address);
        let node = node
            .framing_format([codec.format()])
            .start()
            .await
            .expect("there is nothing to bind");
        let port = PortId::parse(port).expect("announced by a node");
        Self {
            service: node.handle(&port),
        }
    }

    async fn put(&self, number: i64, text: &str) {
        let message = ServiceMsg::Put(number, text.into());
        self.service
            .send(message)
            .await
            .expect("everything can be encoded");
    }

    async fn put_bytes(&self, number: i64, bytes: &Arc<[u8]>) {
        let message = ServiceMsg::PutBytes(number, Bytes::Sent(Arc::clone(bytes)));
        self.service
            .send(message)
            .await
            .expect("everything can be encoded");
    }

    async fn call(&self, number: i64, text: &str) -> u64 {
        let call = self.service.ask(number, text.into());
        call.await.expect("the service answers")
    }
}
