//! No prelude, the crate by another name, its own name taken by something else.

#![no_implicit_prelude]
#![deny(warnings)]
#![forbid(unsafe_code)]

extern crate aemp as renamed;
extern crate std as standard;

mod aemp {}

mod ports {
    use ::renamed::{Args, Cx, Inbox, Reason, Reply, port, protocol, receive, spawnable};
    use ::standard::string::String;

    pub(crate) struct Store<K, V> {
        pub(crate) last: ::standard::option::Option<(K, V)>,
    }

    #[port(crate = ::renamed)]
    impl<K: ::standard::clone::Clone, V> Store<K, V>
    where
        V: ::standard::clone::Clone,
    {
        #[start]
        async fn begin(&mut self, cx: &mut Cx<'_>) -> ::standard::result::Result<(), String> {
            let _ = cx;
            ::standard::result::Result::Ok(())
        }

        #[stop(within = 1)]
        fn end(&mut self, reason: &Reason) {
            let _ = reason;
        }

        #[rcv]
        fn put(&mut self, key: K, value: V) {
            self.last = ::standard::option::Option::Some((key, value));
        }

        #[rcv]
        async fn get(&mut self, cx: &mut Cx<'_>) -> ::standard::option::Option<(K, V)> {
            let _ = cx;
            ::standard::clone::Clone::clone(&self.last)
        }

        #[rcv]
        fn fail(
            &self,
            text: String,
            extra: ::standard::option::Option<u8>,
        ) -> ::standard::result::Result<u8, String> {
            let _ = extra;
            ::standard::result::Result::Err(text)
        }

        #[rcv]
        fn later(&self, #[rest] rest: Args, reply: Reply<usize>) {
            reply.send(rest.len());
        }

        #[rcv(default)]
        fn other(&mut self, tag: &str, args: Args) {
            let _ = (tag, args);
        }
    }

    #[port(crate = ::renamed)]
    pub(crate) struct Idle;

    #[spawnable(crate = ::renamed, name = "My::idle")]
    pub(crate) fn idle(cx: &mut Cx<'_>, #[rest] rest: Args) -> Idle {
        let _ = (cx, rest);
        Idle
    }

    #[spawnable(crate = ::renamed)]
    pub(crate) async fn store(first: u8) -> Store<u8, u8> {
        Store {
            last: ::standard::option::Option::Some((first, first)),
        }
    }

    #[spawnable(crate = ::renamed)]
    pub(crate) async fn process(inbox: Inbox, first: u8) {
        let mut sum = first;
        while sum < 100 {
            sum += receive! { inbox,
                ("add", n: u8) if n > first => n,
                ("add", 7, rest @ ..) => rest.len() as u8,
                (tag: String, ..) if tag == "end" => return,
                other => other.len() as u8,
                after ::standard::time::Duration::ZERO => 1,
            };
        }
    }

    #[protocol(crate = ::renamed)]
    pub(crate) trait Far {
        fn get(&self, key: String) -> u8;
    }
}

fn main() {
    let _ = ports::store::NAME;
    let _ = |node: &::renamed::Node| ports::process::on(node, "", 1);
    let _ = |node: &::renamed::Node| ports::idle::on(node, "", ::renamed::args![1]);
    let _: fn(&ports::StoreRef<u8, u8>, u8, u8) -> _ = ports::StoreRef::put;
    let _: fn(&ports::FarRef, ::standard::string::String) -> _ = ports::FarRef::get;
}
