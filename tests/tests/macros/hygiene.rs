//! Generated code relies on no name that users can shadow. The rest is in `ui/pass`, where the crate is renamed and the
//! prelude is missing.

use crate::node;

/// Everything that generated code might name by accident.
mod shadows {
    #![allow(dead_code, reason = "they are here to be in the way")]

    pub(super) struct Result;
    pub(super) struct Option;
    pub(super) struct String;
    pub(super) struct Vec;
    pub(super) struct Box;
    pub(super) struct Send;
    pub(super) struct From;
    pub(super) struct Into;
    pub(super) struct Message;
    pub(super) struct Handle;
    pub(super) struct Port;
    pub(super) struct Node;
    pub(super) struct Some;
    pub(super) struct None;
    pub(super) struct Ok;
    pub(super) struct Err;
    pub(super) mod std {}
    pub(super) mod core {}
    pub(super) mod serde {}
    pub(super) mod inventory {}
}

mod shadowed {
    #[expect(unused_imports, reason = "generated code uses none of them")]
    use super::shadows::*;

    type Answer = ::core::result::Result<u8, ::std::string::String>;

    pub(crate) struct Server(pub(crate) u8);

    #[::aemp::port(crate = ::aemp)]
    impl Server {
        #[rcv]
        fn get(
            &self,
            __tag: u8,
            cx: &mut ::aemp::Cx<'_>,
            __args: ::core::option::Option<u8>,
        ) -> u8 {
            let _ = (cx, __args);
            self.0 + __tag
        }

        #[rcv(try)]
        fn try_get(&self) -> ::core::result::Result<u8, ::std::string::String> {
            Answer::Ok(self.0)
        }

        #[rcv]
        async fn handle_async(&mut self, message: u8) {
            self.0 = message;
        }

        #[rcv]
        fn waits(&self, reply: ::aemp::Reply<u8>) {
            reply.send(self.0);
        }

        #[rcv]
        fn decode(&self, #[rest] args: ::aemp::Args) -> u8 {
            let _ = args;
            1
        }

        #[rcv(default)]
        fn encode(&mut self, tag: &str, args: ::aemp::Args) {
            let _ = (tag, args);
        }
    }

    #[::aemp::spawnable(crate = ::aemp)]
    pub(crate) fn start(start: u8, node: u8, target: u8) -> Server {
        Server(start + node + target)
    }

    #[::aemp::protocol]
    pub(crate) trait Far {
        fn record(&self, message: u8) -> u8;
    }
}

/// A macro that makes ports. Its identifiers have names of their own, which generated code must not mix with its
/// locals.
macro_rules! server {
    ($name:ident, $get:ident, $init:ident: $type:ty, $value:expr) => {
        struct $name($type);

        #[aemp::port]
        impl $name {
            #[rcv(try)]
            fn $get(&self, more: $type, node: Option<$type>) -> Result<$type, String> {
                Ok(self.0 + more + node.unwrap_or_default())
            }

            #[rcv]
            fn set(&mut self, to: $type) {
                self.0 = to;
            }
        }

        #[aemp::spawnable]
        fn $init(more: $type) -> Result<$name, String> {
            Ok($name($value + more))
        }
    };
}

server!(Small, get, small: u8, 1);
server!(Large, fetch, large: u64, 1_000_000);

#[tokio::test]
async fn macros_can_make_ports() {
    let node = node();
    let small = small::on(&node, "", 1);
    assert_eq!(small.get(1, None).await.unwrap(), 3);
    small.set(5);
    assert_eq!(small.get(1, Some(1)).await.unwrap(), 7);
    let large = large::on(&node, "", 1);
    assert_eq!(large.fetch(1, None).await.unwrap(), 1_000_002);
    large.set(1);
}

#[tokio::test]
async fn nothing_is_in_the_way() {
    let node = node();
    let server = shadowed::start::on(&node, node.id(), 1, 2, 3);
    assert_eq!(server.get(4, None).await.unwrap(), 10);
    server.handle_async(20);
    assert_eq!(server.try_get().await.unwrap(), 20);
    assert_eq!(server.waits().await.unwrap(), 20);
    assert_eq!(server.decode(aemp::args![1]).await.unwrap(), 1);
    let far: shadowed::FarRef = node.handle(&server.id());
    assert!(
        far.record(1)
            .timeout(std::time::Duration::from_millis(50))
            .await
            .is_err()
    );
}
