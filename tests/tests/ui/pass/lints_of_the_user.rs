//! Generated code is no reason for a warning, with all lints of the user turned on.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![deny(
    elided_lifetimes_in_paths,
    unused_qualifications,
    unnameable_types,
    missing_copy_implementations
)]
#![deny(
    single_use_lifetimes,
    unused_lifetimes,
    unused_results,
    variant_size_differences,
    trivial_casts
)]
#![forbid(unsafe_code)]

/// An actor that is not used.
mod counter {
    use aemp::{Args, Cx, Inbox, port, protocol, receive, spawnable};

    /// Hidden in here.
    #[derive(Debug)]
    struct Counter {
        n: i64,
    }

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Private(i64);

    #[port]
    impl Counter {
        #[rcv]
        fn add(&mut self, _n: Private) {
            self.n += _n.0;
        }

        #[rcv]
        fn get(&self) -> Private {
            Private(self.n)
        }

        #[rcv(call)]
        fn flush(&self, cx: &mut Cx<'_>) {
            let _ = cx;
        }

        #[rcv]
        #[deprecated]
        fn old(&self) {}

        #[rcv]
        async fn wait(&mut self, cx: &mut Cx<'_>) {
            let _ = cx;
        }

        #[rcv]
        fn end(&self) -> ! {
            panic!("over")
        }

        #[rcv(default)]
        fn other(&mut self, tag: &str, args: Args) {
            let _ = (tag, args);
        }
    }

    #[spawnable]
    async fn process(inbox: Inbox, n: i64) -> Result<(), String> {
        let mut last = None;
        loop {
            receive! { inbox,
                ("n", m: i64, mut text: String) if m > n => {
                    text.push('!');
                    last = Some(text);
                }
                ("last", _, ..) => return Err(last.unwrap_or_default()),
                (_, many: Vec<u8>, rest @ ..) if many.len() > rest.len() => (),
                whole if whole.is_empty() => drop(whole),
                _ => break,
            }
        }
        let one = receive!(inbox, ("one", one: u8) => one, after std::time::Duration::ZERO => 1);
        assert_eq!(one, 1);
        Ok(())
    }

    #[spawnable]
    fn start(n: i64) -> Counter {
        Counter { n }
    }

    #[protocol]
    trait Far {
        fn to_this(&self) -> i64;
    }
}

fn main() {}
