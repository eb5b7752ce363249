//! Expansions of typical items, as snapshots.

use insta::assert_snapshot;
use proc_macro2::TokenStream;
use quote::quote;

use crate::{expand_port, expand_protocol, expand_spawnable, names};

/// The expansion as a person would write it.
fn pretty(tokens: &TokenStream) -> String {
    let file = syn::parse2(tokens.clone()).expect("the expansion is Rust");
    prettyplease::unparse(&file)
}

fn port_block(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand_port(attr, item, None)
}

#[test]
fn port() {
    let item = quote! {
        /// The struct's own documentation stays where it is.
        impl Counter {
            /// Adds.
            #[rcv]
            fn inc(&mut self, by: i64) {
                self.n += by;
            }

            #[rcv("read it")]
            fn get(&self) -> i64 {
                self.n
            }

            /// Returns when all is written.
            #[rcv(call)]
            fn flush(&mut self, cx: &mut Cx<'_>) {}
        }
    };
    assert_snapshot!(pretty(&port_block(TokenStream::new(), item)));
}

#[test]
fn port_that_waits_and_fails() {
    let item = quote! {
        impl Counter {
            #[rcv(try)]
            async fn slow(&mut self, cx: &mut Cx<'_>, ms: u64) -> Result<String, Refused> {
                wait(cx, ms).await
            }

            #[rcv(try, send)]
            fn check(&self, origin: Origin) -> Result<(), Refused> {
                Ok(())
            }

            #[rcv]
            fn later(&mut self, limit: Option<u8>, reply: Reply<u8>) {
                self.waiting.push(reply);
            }

            #[cfg(feature = "extra")]
            #[rcv(default)]
            fn other(&mut self, args: Args, tag: &str) {}
        }
    };
    let options =
        quote!(crate = crate::actors, msg = Question, handle = Desk, vis = pub(crate), strict);
    assert_snapshot!(pretty(&port_block(options, item)));
}

#[test]
fn port_with_urgent_handlers() {
    let item = quote! {
        impl Pump {
            #[rcv]
            fn fill(&mut self, litres: u32) {}

            #[rcv("stop it", urgent)]
            fn halt(&mut self) -> bool {
                true
            }
        }
    };
    assert_snapshot!(pretty(&port_block(TokenStream::new(), item)));
}

#[test]
fn port_with_handlers_of_wanted_calls() {
    let item = quote! {
        impl Oracle {
            #[rcv(wanted)]
            fn guess(&self, n: u32) -> u32 {
                n
            }

            #[rcv(wanted)]
            async fn think(&self, cx: &mut Cx<'_>) -> u32 {
                7
            }

            #[rcv(wanted, concurrent = 2)]
            async fn look(&self) -> u32 {
                7
            }

            #[rcv(wanted, concurrent = 2)]
            async fn later(&self, reply: Reply<u32>) {}
        }
    };
    assert_snapshot!(pretty(&port_block(TokenStream::new(), item)));
}

#[test]
fn port_of_generic_type() {
    let item = quote! {
        impl<K: Ord, V, const N: usize> Store<K, V, N> where V: Clone {
            #[rcv]
            fn remove(&mut self, key: K, #[rest] rest: Args) -> bool {
                self.map.remove(&key).is_some()
            }
        }
    };
    assert_snapshot!(pretty(&port_block(TokenStream::new(), item)));
}

#[test]
fn port_with_a_life() {
    let item = quote! {
        impl Session {
            #[start]
            async fn load(&mut self, cx: &mut Cx<'_>) -> Result<(), LoadError> {
                self.load_from(cx.node()).await
            }

            #[cfg(feature = "save")]
            #[stop(within = 2.5)]
            fn save(&mut self, reason: &Reason) {}
        }
    };
    assert_snapshot!(pretty(&port_block(TokenStream::new(), item)));
}

#[test]
fn port_with_concurrent_handlers() {
    let item = quote! {
        impl Crawler {
            #[rcv(concurrent = self.most)]
            async fn fetch(&self, cx: &mut Cx<'_>, url: String) -> Page {
                self.client.get(url).await
            }

            #[rcv(concurrent = 2, try, send)]
            async fn store(page: Page, origin: Origin) -> Result<(), Refused> {
                put(page).await
            }
        }
    };
    assert_snapshot!(pretty(&port_block(quote!(owned), item)));
}

#[test]
fn port_without_handlers() {
    let item = quote! {
        #[derive(Debug)]
        pub struct Idle<T>(T);
    };
    assert_snapshot!(pretty(&port_block(quote!(handle = IdleRef), item)));
}

#[test]
fn spawnable() {
    let item = quote! {
        /// Starts a counter.
        pub fn start(cx: &mut Cx<'_>, n: i64, #[rest] rest: Args) -> Result<Counter, String> {
            Ok(Counter { n })
        }
    };
    assert_snapshot!(pretty(&expand_spawnable(
        quote!(name = "My::Counter::start"),
        item
    )));
}

#[test]
fn spawnable_that_waits() {
    let item = quote! {
        async fn start(n: i64) -> Counter {
            Counter { n }
        }
    };
    assert_snapshot!(pretty(&expand_spawnable(TokenStream::new(), item)));
}

#[test]
fn spawnable_that_is_a_process() {
    let item = quote! {
        async fn serve(inbox: Inbox, n: i64, name: Option<String>) -> Result<(), Reason> {
            Ok(())
        }
    };
    assert_snapshot!(pretty(&expand_spawnable(TokenStream::new(), item)));
}

#[test]
fn receive_of_certain_messages() {
    let tokens = crate::receive::expand(quote! {
        [$crate] self.inbox,
        ("add", by: i64, mut note: Option<String>) if by > n => n += by,
        ("log", 5, -1, _, rest @ ..) => println!("{rest:?}"),
        after limit => return,
    });
    let text = tokens.to_string().replace("$ crate", "aemp");
    let tokens: TokenStream = text.parse().expect("the expansion consists of tokens");
    assert_snapshot!(pretty(&quote!(fn process() { #tokens })));
}

#[test]
fn receive_of_any_message() {
    let tokens = crate::receive::expand(quote! {
        [aemp] inbox,
        (tag: String, n: u8) if tag == "a" => f(n).await?,
        whole if whole.len() > 3 => drop(whole),
        _ => {}
    });
    assert_snapshot!(pretty(&quote!(fn process() { #tokens })));
}

#[test]
fn protocol() {
    let item = quote! {
        /// Somewhere.
        pub trait Echo {
            /// How many.
            fn count(&self) -> i64;
            #[rcv("my tag")]
            fn put(&self, key: String, #[rest] rest: Args);
        }
    };
    assert_snapshot!(pretty(&expand_protocol(TokenStream::new(), item)));
}

#[test]
fn a_wrong_handler_costs_the_others_nothing() {
    let item = quote! {
        impl Counter {
            #[rcv]
            fn add(&mut self, n: &i64) {}

            #[rcv]
            fn get(&self) -> i64 {
                self.n
            }
        }
    };
    let text = pretty(&port_block(TokenStream::new(), item));
    assert_eq!(text.matches("compile_error").count(), 1, "{text}");
    assert!(
        text.contains("fn add(&mut self, n: &i64)"),
        "the method stays: {text}"
    );
    assert!(
        text.contains("Get(::aemp::__private::Reply<i64>)"),
        "the other message stays: {text}"
    );
}

#[test]
fn tokens_that_are_not_an_item_stay_unchanged() {
    let tokens = port_block(TokenStream::new(), quote!(impl Counter { fn }));
    let text = tokens.to_string();
    assert!(text.contains("compile_error"), "{text}");
    assert!(text.ends_with("impl Counter { fn }"), "{text}");
}

#[test]
fn variants_are_in_camel_case() {
    let variant = |name: &str| names::variant(&syn::parse_str(name).expect(name)).to_string();
    assert_eq!(variant("set_value"), "SetValue");
    assert_eq!(variant("_hidden"), "Hidden");
    assert_eq!(variant("r#type"), "Type");
    assert_eq!(variant("self_"), "Self_");
    assert_eq!(variant("_2d"), "_2d");
    assert_eq!(variant("größe"), "Größe");
}

#[test]
fn parameters_lose_leading_underscores() {
    let parameter = |name: &str| names::parameter(&syn::parse_str(name).expect(name)).to_string();
    assert_eq!(parameter("by"), "by");
    assert_eq!(parameter("_by"), "by");
    assert_eq!(parameter("__by"), "by");
    assert_eq!(parameter("_type"), "_type");
    assert_eq!(parameter("_1"), "_1");
    assert_eq!(parameter("r#type"), "r#type");
}

#[test]
fn signatures_are_readable() {
    let shown = |tokens: TokenStream| names::readable(tokens);
    assert_eq!(
        shown(
            quote!(async fn a<'x>(cx: &mut Cx<'_>, b: [u8; 4], c: &'static str) -> Result<(), std::io::Error>)
        ),
        "async fn a<'x>(cx: &mut Cx<'_>, b: [u8; 4], c: &'static str) -> Result<(), std::io::Error>"
    );
    assert_eq!(
        shown(quote!(fn(Box<dyn Fn(u8) -> !>, Vec<Vec<u8>>))),
        "fn(Box<dyn Fn(u8) -> !>, Vec<Vec<u8>>)"
    );
}
