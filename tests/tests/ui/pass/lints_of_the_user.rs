//! Generated code is no reason for a warning, whatever the user has turned on.

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

/// An actor that nobody uses.
mod counter {
    use aemp::{Args, Cx, port, protocol, spawnable};

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
    fn start(n: i64) -> Counter {
        Counter { n }
    }

    #[protocol]
    trait Far {
        fn to_this(&self) -> i64;
    }
}

fn main() {}
